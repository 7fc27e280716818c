"""Which part of a cost a row is, and by how much of what: exact over all rows of one origin."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from sre.finance.bill import Bill, Row
from sre.finance.money import Money, split

_DIGITS = 12
_UNITS = {
    "tokens": ("weighted tokens", 1),
    "requests": ("requests", 1),
    "gpu_seconds": ("seconds", 1_000_000),
    "even": ("teams", 1),
    "fixed": ("shares", 10**_DIGITS),
    "reservation": ("GPUs", 1),
}
"""Method -> (unit, how many of a row's weight are one of it)."""
_CARDS = {"usage": "cards", "idle": "cards", "wasted": "cards", "untagged": "cards"}
"""Kinds of row that share one cost line."""


def ratios(bill: Bill) -> Mapping[str, Decimal]:
    """Row id -> its part of its origin, which is a line's cost of one pool: busy, wasted and idle time together.

    By what was booked, so that a row's cost is its ratio of the origin's; those of one origin add up to exactly 1.
    """
    origins = defaultdict[tuple[str, ...], list[Row]](list)
    for row in bill.rows:
        origins[_origin(row)].append(row)
    return {key: ratio for rows in origins.values() for key, ratio in _split(rows).items()}


def quantity(row: Row, scale: int) -> tuple[Decimal, str]:
    """What the row's share was measured by, and its unit; 1 where there was nothing to measure.

    ``scale``: by how much weights of tokens were made whole numbers; see ``scale_of``.
    """
    unit, known = _UNITS.get(row.method, ("whole", 1))
    by = scale if row.method == "tokens" else known
    whole, rest = divmod(row.weight, by) if row.weight_of else (1, 0)
    return (Decimal(row.weight) / by if rest else Decimal(whole)), unit


def _origin(row: Row) -> tuple[str, ...]:
    if row.kind == "correction":
        # A difference to one row of a closed month is all there is of it.
        return ("correction", row.id)
    return row.invoice, row.line, _CARDS.get(row.kind, row.kind), row.pool


def _split(rows: list[Row]) -> dict[str, Decimal]:
    # Shares of one line have one sign; a line of nothing is nothing for each.
    costs = {row.id: abs(row.cost.minor) for row in rows}
    whole = Money(10**_DIGITS, rows[0].cost.currency)
    parts = split(whole, costs if any(costs.values()) else dict.fromkeys(costs, 1))
    return {key: Decimal(part.minor).scaleb(-_DIGITS) for key, part in parts.items()}
