"""Closed months stay as they are: what is known better later becomes Correction rows of an open month."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sre.finance.allocation import order, row_id
from sre.finance.bill import Bill, Invoice, Row, Tokens
from sre.finance.money import Money, total


@dataclass(frozen=True)
class Change:
    """One row that two versions of a month have differently; None where a version lacks it."""

    kind: Literal["added", "removed", "changed"]
    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        """The row as it stands on either side."""
        found = self.after or self.before
        assert found
        return found


def compare(before: Iterable[Row], after: Iterable[Row]) -> tuple[Change, ...]:
    """All differences by row id, in the order of a bill."""
    old, new = {row.id: row for row in before}, {row.id: row for row in after}
    changes = [
        _change(old.get(key), new.get(key)) for key in old.keys() | new.keys() if old.get(key) != new.get(key)
    ]
    return tuple(sorted(changes, key=lambda change: order(change.row)))


def booked(month: str, closed: Sequence[Bill]) -> dict[str, Row]:
    """What the books hold for a month: its closed rows, and every correction of them that later months closed."""
    rows = {
        row.id: row for bill in closed if bill.month == month for row in bill.rows if row.kind != "correction"
    }
    for bill in closed:
        for row in bill.rows:
            if row.kind == "correction" and row.charge_month == month:
                rows[row.corrects] = (
                    _plus(rows[row.corrects], row) if row.corrects in rows else replace(row, id=row.corrects)
                )
    return rows


def correct(bill: Bill, restated: Bill, closed: Sequence[Bill]) -> Bill:
    """The bill with one Correction row for each row of a closed month that ``restated`` has differently.

    The rows stand on an invoice of their own, so that each invoice still adds up to what it bills.
    """
    held = booked(restated.month, closed)
    fresh = {row.id: row for row in restated.rows if row.kind != "correction"}
    rows = [
        _correction(bill, restated, key, held.get(key), fresh.get(key)) for key in held.keys() | fresh.keys()
    ]
    kept = tuple(
        sorted(
            (
                row
                for row in rows
                if row.cost or row.requests or row.successful_requests or row.tokens != Tokens()
            ),
            key=order,
        )
    )
    if not kept:
        return bill
    extra = total((row.cost for row in kept), bill.currency)
    issuer = bill.invoices[0].issuer if bill.invoices else ""
    invoice = Invoice(_invoice_id(bill, restated), issuer, None, extra, extra)
    return replace(
        bill,
        rows=(*bill.rows, *kept),
        total=bill.total + extra,
        corrections=bill.corrections + extra,
        invoices=(*bill.invoices, invoice),
    )


def team_totals(rows: Iterable[Row]) -> Mapping[str, Money]:
    """Team -> cost."""
    found = dict[str, Money]()
    for row in rows:
        found[row.team] = found[row.team] + row.cost if row.team in found else row.cost
    return dict(sorted(found.items()))


def _change(before: Row | None, after: Row | None) -> Change:
    return Change("added" if before is None else "removed" if after is None else "changed", before, after)


def _invoice_id(bill: Bill, restated: Bill) -> str:
    return f"{bill.month}-correction-of-{restated.month}"


def _correction(bill: Bill, restated: Bill, key: str, held: Row | None, fresh: Row | None) -> Row:
    base = fresh or held
    assert base
    nothing = Money(0, bill.currency)
    return replace(
        base,
        id=row_id(bill.month, "correction", restated.month, key),
        month=bill.month,
        charge_month=restated.month,
        invoice=_invoice_id(bill, restated),
        kind="correction",
        corrects=key,
        method="restated",
        weight=0,
        weight_of=0,
        cost=(fresh.cost if fresh else nothing) - (held.cost if held else nothing),
        requests=(fresh.requests if fresh else 0) - (held.requests if held else 0),
        successful_requests=(fresh.successful_requests if fresh else 0)
        - (held.successful_requests if held else 0),
        tokens=(fresh.tokens if fresh else Tokens()) - (held.tokens if held else Tokens()),
    )


def _plus(row: Row, more: Row) -> Row:
    return replace(
        row,
        cost=row.cost + more.cost,
        requests=row.requests + more.requests,
        tokens=row.tokens + more.tokens,
        successful_requests=row.successful_requests + more.successful_requests,
    )
