"""Which part of a cost a row is, and by how much of what: exact over all rows of one origin."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from sre.finance.bill import Bill, Row
from sre.finance.money import close, round_half_away
from sre.finance.weights import scale_of

_DIGITS = 12
_MICROSECONDS = 1_000_000
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


def quantity(row: Row, bill: Bill) -> tuple[Decimal, str]:
    """What the row's share was measured by, and its unit; 1 where there was nothing to measure."""
    unit, scale = {
        "tokens": ("weighted tokens", scale_of(bill.weights)),
        "requests": ("requests", 1),
        "gpu_seconds": ("seconds", _MICROSECONDS),
        "even": ("teams", 1),
        "fixed": ("shares", 10**_DIGITS),
        "reservation": ("GPUs", 1),
    }.get(row.method, ("whole", 1))
    amount = Fraction(row.weight, scale) if row.weight_of else Fraction(1)
    return Decimal(round_half_away(amount * 10**_DIGITS)).scaleb(-_DIGITS).normalize(), unit


def _origin(row: Row) -> tuple[str, ...]:
    if row.kind == "correction":
        # A difference to one row of a closed month is all there is of it.
        return ("correction", row.id)
    return row.invoice, row.line, _CARDS.get(row.kind, row.kind), row.pool


def _split(rows: list[Row]) -> dict[str, Decimal]:
    whole = sum(row.cost.minor for row in rows)
    parts = {row.id: Fraction(row.cost.minor, whole) if whole else Fraction(1, len(rows)) for row in rows}
    digits = close({key: part * 10**_DIGITS for key, part in parts.items()}, 10**_DIGITS)
    return {key: Decimal(number).scaleb(-_DIGITS) for key, number in digits.items()}
