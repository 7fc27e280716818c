"""The comparison itself: exact fractions in, exact fractions out; rounding is for who shows them.

Formulas, with F the month's costs, p the API's price of a token in this mix, m what one more token of one's own
costs, c the tokens that full cards make in the month:
break-even volume = F / (p - m); break-even utilisation = that / c;
own cost of a token at utilisation u = F / (c u) + m.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sre.finance.breakeven.prices import MILLION, Api, Prices, replies
from sre.finance.costs.model import TokenClass


@dataclass(frozen=True)
class Own:
    """One's own cards for a month: ``cost`` in the home currency, ``capacity`` tokens at full load, both exact."""

    cost: Fraction
    marginal: Fraction
    """Home currency per token, beside ``cost``."""
    capacity: Fraction
    tokens: int
    """Of the workload."""

    @property
    def utilization(self) -> Fraction:
        """Share of the capacity that the workload takes; above 1 the cards cannot serve it."""
        return self.tokens / self.capacity

    def per_million(self, utilization: Fraction) -> Fraction:
        """Cost of a million tokens at such a utilisation, which is more than 0."""
        return (self.cost / (self.capacity * utilization) + self.marginal) * MILLION

    @property
    def month(self) -> Fraction:
        """Cost of the workload."""
        return self.cost + self.marginal * self.tokens


@dataclass(frozen=True)
class Against:
    """One API beside one's own cards. ``volume`` and ``utilization`` are None where the API is never dearer."""

    api: Api
    per_million: Fraction
    """Home currency, in the workload's mix."""
    month: Fraction
    """The workload on this API."""
    volume: Fraction | None
    """Tokens a month at which both cost the same."""
    utilization: Fraction | None
    """The same as a share of what the cards can do: above 1 no volume that they can serve is cheaper on them."""

    @property
    def reachable(self) -> bool:
        """Whether there is a volume at which these cards win."""
        return self.utilization is not None and self.utilization <= 1


def own(cost: Fraction, hours: Fraction, prices: Prices) -> Own:
    """``cost`` of the month in the home currency, ``hours`` that the month has."""
    made = Fraction(prices.capacity.tokens_per_second) * 3600 * hours
    if prices.capacity.of == "output":
        made = made * prices.tokens / replies(prices)
    return Own(cost, Fraction(prices.marginal) / MILLION, made, prices.tokens)


def against(mine: Own, prices: Prices, api: Api) -> Against:
    """What this API costs for the workload, and where the two meet."""
    price = blend(prices.workload, api.per_million) * rate(prices)
    volume = break_even(mine.cost, price, mine.marginal)
    return Against(
        api, price * MILLION, price * prices.tokens, volume, None if volume is None else volume / mine.capacity
    )  # fmt: skip


def blend(workload: Mapping[TokenClass, int], per_million: Mapping[TokenClass, Decimal]) -> Fraction:
    """Price of the average token of a workload."""
    spent = sum((count * Fraction(per_million.get(name, 0)) for name, count in workload.items()), Fraction(0))
    return spent / sum(workload.values()) / MILLION


def break_even(cost: Fraction, price: Fraction, marginal: Fraction) -> Fraction | None:
    """Tokens at which fixed costs and a price per token meet; None where one's own token costs as much."""
    return cost / (price - marginal) if price > marginal else None


def rate(prices: Prices) -> Fraction:
    """Home currency for one unit of the price file's."""
    return Fraction(prices.exchange.rate) if prices.exchange else Fraction(1)
