"""From a cost file and a price file to one answer, as plain data."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from sre.finance.breakeven.claims import Standing, standings
from sre.finance.breakeven.comparison import Against, Own, against, own
from sre.finance.breakeven.prices import Prices
from sre.finance.breakeven.sensitivity import Swing, swings
from sre.finance.costs.model import Costs
from sre.finance.lines import Line, charge
from sre.finance.months import Month
from sre.findings import Finding, Refused
from sre.source import show, suggest


@dataclass(frozen=True)
class Answer:
    """Everything that is shown. ``rivals`` are the APIs in the file's order; swings and standings are by API name."""

    month: Month
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    own: Own
    rivals: tuple[Against, ...]
    swings: Mapping[str, tuple[Swing, ...]]
    standings: Mapping[str, tuple[Standing, ...]]


def compare(costs: Costs, prices: Prices, month: Month, pools: Collection[str]) -> Answer:
    """``pools`` are those whose cards are compared; none means all. Raises ``Refused``, ``Unbalanced``.

    Lines that belong to no pool (operations, monitoring) are shared by GPU time, as on the bill.
    """
    charges = charge(costs, month, {})
    chosen = _chosen(costs, pools)
    whole = sum(charges.paid.values())
    part = Fraction(sum(charges.paid[pool] for pool in chosen), whole) if whole else Fraction(0)
    lines = tuple(line for line in charges.lines if line.pool in chosen or not line.pool)
    shares = {line.key: Fraction(1) if line.pool else part for line in lines}
    cost = sum((Fraction(line.amount.amount) * shares[line.key] for line in lines), Fraction(0))
    if cost <= 0:
        raise Refused([Finding(
            "costs", f"{', '.join(map(show, chosen))} cost nothing in {month.name}",
            "nothing can be compared with an API", "name a month in which a price holds, with --month",
        )])  # fmt: skip
    mine = own(cost, Fraction(month.seconds, 3600), prices)
    rivals = tuple(against(mine, prices, api) for api in prices.apis)
    daily = Fraction(prices.requests) * 86400 / month.seconds if prices.requests else None
    return Answer(
        month, lines, charges.notes, mine, rivals,
        {one.api.name: swings(mine, one) for one in rivals},
        {one.api.name: standings(mine, one, daily) for one in rivals},
    )  # fmt: skip


def _chosen(costs: Costs, pools: Collection[str]) -> tuple[str, ...]:
    if unknown := [pool for pool in pools if pool not in costs.gpus]:
        raise Refused([
            Finding("--pool", f"there is no pool {show(pool)}", "its cards have no price", suggest(pool, costs.gpus))
            for pool in unknown
        ])  # fmt: skip
    return tuple(sorted(pools or costs.gpus))
