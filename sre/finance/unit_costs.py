"""What a unit cost: per million tokens, per request, per successful request, for each team and model."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from sre.finance.bill import Bill, Row, Tokens
from sre.finance.money import Currency, Money, divide, total

_DIGITS = 4
"""Unit costs are for reading and comparing, never for booking: four digits more than the currency has."""


@dataclass(frozen=True)
class UnitCost:
    """All of a team's cost for one model, over its quantities; None where there is nothing to divide by.

    Costs are in the bill's currency; shares are 0 to 1 with four digits. ``share_cached`` is of all input tokens.
    """

    team: str
    model: str
    cost: Money
    requests: int
    successful_requests: int
    tokens: Tokens
    per_million_tokens: Decimal | None
    per_request: Decimal | None
    per_successful_request: Decimal | None
    share_cached: Decimal | None
    share_failed: Decimal | None


def unit_costs(bill: Bill) -> tuple[UnitCost, ...]:
    """One for each team and model of the month itself, corrections left out; sorted by team, then model."""
    groups = defaultdict[tuple[str, str], list[Row]](list)
    for row in bill.rows:
        if row.kind != "correction":
            groups[row.team, row.model].append(row)
    return tuple(_unit_cost(*key, rows, bill.currency) for key, rows in sorted(groups.items()))


def _unit_cost(team: str, model: str, rows: list[Row], unit: Currency) -> UnitCost:
    cost = total((row.cost for row in rows), unit)
    tokens = sum((row.tokens for row in rows), Tokens())
    requests = sum(row.requests for row in rows)
    good = sum(row.successful_requests for row in rows)
    digits = unit.digits + _DIGITS
    read = tokens.uncached_input + tokens.cached_input + tokens.cache_write
    return UnitCost(
        team, model, cost, requests, good, tokens,
        quotient(cost.amount * 1_000_000, tokens.total, digits),
        quotient(cost.amount, requests, digits),
        quotient(cost.amount, good, digits),
        quotient(tokens.cached_input, read, 4),
        quotient(requests - good, requests, 4),
    )  # fmt: skip


def quotient(number: Decimal | int, by: int, digits: int) -> Decimal | None:
    """Rounded half away from zero to so many digits; None by zero."""
    if not by:
        return None
    above, below = number.as_integer_ratio()
    sign = 1 if by > 0 else -1
    return Decimal(divide(sign * above * 10**digits, below * abs(by))).scaleb(-digits)
