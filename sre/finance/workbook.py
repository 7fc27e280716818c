"""The bill as an Excel workbook: a summary that adds up, and every row behind it."""

import io
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sre.finance.bill import TOKEN_CLASSES, Bill, Row
from sre.finance.money import Money, total
from sre.finance.unit_costs import unit_costs

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""A workbook holds when it was made; the same bill is the same bytes."""
_EXACT = 10**15
"""Excel keeps fifteen digits: what has more is written as text, which no sum would round in silence."""


def workbook(bill: Bill) -> bytes:
    """Sheets ``Summary``, ``Teams`` and ``Rows``. Text is text in every cell: nothing in it is a formula.

    Amounts are numbers, as finance adds them up; the CSV has the same ones as decimal text.
    """
    import xlsxwriter

    content = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(content, options)
    book.set_properties({"title": f"Chargeback {bill.month}", "created": _EPOCH})
    page = _Page(book, bill)
    page.write("Summary", list(_summary(bill)), widths=(34, 24, 14))
    page.write("Teams", list(_teams(bill)), widths=(24, 24, 14, *[16] * 9), head=True)
    page.write("Rows", list(_rows(bill)), widths=(10, 20, 22, 16, 12, 16, 10, 14, *[14] * 7, 18), head=True)
    book.close()
    return content.getvalue()


class _Page:
    """Writes cells by their type: Money with its currency's digits, counts with separators, text that stays text."""

    def __init__(self, book: Any, bill: Bill) -> None:
        digits = bill.currency.digits
        self._book = book
        self._money = book.add_format({"num_format": "#,##0" + (f".{'0' * digits}" if digits else "")})
        self._count = book.add_format({"num_format": "#,##0"})
        self._bold = book.add_format({"bold": True})
        # Excel then shows and keeps it as text, also after somebody has edited the cell.
        self._text = book.add_format({"quote_prefix": True})

    def write(
        self, name: str, rows: list[tuple[object, ...]], widths: tuple[int, ...], *, head: bool = False
    ) -> None:
        """One sheet; with ``head`` its first row stays in sight and can be filtered by."""
        sheet = self._book.add_worksheet(name)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                self._cell(sheet, number, column, value, bold=head and not number)
        if head:
            sheet.freeze_panes(1, 0)
            sheet.autofilter(0, 0, max(len(rows) - 1, 0), len(rows[0]) - 1)

    def _cell(self, sheet: Any, row: int, column: int, value: object, *, bold: bool) -> None:
        if isinstance(value, Money):
            sheet.write_number(row, column, value.amount, self._money) if abs(
                value.minor
            ) < _EXACT else sheet.write_string(row, column, str(value), self._text)
        elif isinstance(value, Decimal):
            sheet.write_number(row, column, value)
        elif isinstance(value, int) and abs(value) < _EXACT:
            sheet.write_number(row, column, value, self._count)
        elif value not in (None, ""):
            sheet.write_string(row, column, _plain(str(value)), self._bold if bold else self._text)


def _plain(text: str) -> str:
    """Without characters that XML or a cell cannot hold; a cell takes 32,767 of them."""
    return (text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text))[
        :32_767
    ]


def _summary(bill: Bill) -> Iterator[tuple[object, ...]]:
    yield "Chargeback", bill.month
    yield "Currency", bill.currency.code
    yield "From (UTC, inclusive)", f"{bill.start:%Y-%m-%d %H:%M}"
    yield "Until (UTC, exclusive)", f"{bill.end:%Y-%m-%d %H:%M}"
    yield "Time zone", bill.timezone
    yield "Idle time is paid by", bill.idle_policy
    yield "Rate card", bill.rate_card
    yield "Made with", bill.tool
    yield ()
    yield "Team", "", "Cost"
    for team, rows in _by_team(bill):
        yield team, "", total((row.cost for row in rows), bill.currency)
    yield "Total", "", bill.total
    yield ()
    yield "Invoice", "Issuer", "Billed"
    for invoice in bill.invoices:
        yield invoice.id, invoice.issuer, invoice.billed
    for note in bill.notes:
        yield "Note", note


def _by_team(bill: Bill) -> Iterator[tuple[str, list[Row]]]:
    found = defaultdict[str, list[Row]](list)
    for row in bill.rows:
        found[row.team].append(row)
    yield from sorted(found.items())


def _teams(bill: Bill) -> Iterator[tuple[object, ...]]:
    yield (
        "team", "model", "cost", "requests", "successful requests", "tokens", "per million tokens", "per request",
        "per successful request", "share cached", "share failed",
    )  # fmt: skip
    for one in unit_costs(bill):
        yield (
            one.team, one.model, one.cost, one.requests, one.successful_requests, one.tokens.total,
            one.per_million_tokens, one.per_request, one.per_successful_request, one.share_cached, one.share_failed,
        )  # fmt: skip


def _rows(bill: Bill) -> Iterator[tuple[object, ...]]:
    yield (
        "month", "team", "model", "pool", "kind", "line", "state", "cost", "requests", "successful requests",
        *(f"{name.replace('_', ' ')} tokens" for name in TOKEN_CLASSES), "invoice",
        "charge month", "row id", "corrects",
    )  # fmt: skip
    for row in bill.rows:
        yield (
            row.month, row.team, row.model, row.pool, row.kind, row.line, row.state, row.cost, row.requests,
            row.successful_requests, *row.tokens.by_class().values(), row.invoice,
            row.charge_month, row.id, row.corrects,
        )  # fmt: skip
