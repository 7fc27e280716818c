"""What the answer hangs on: each input a quarter lower and higher, and where the break-even goes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from sre.finance.breakeven.comparison import Against, Own, break_even

STEP = Fraction(1, 4)
"""A quarter: more than a price list moves in a year, less than estimates of throughput are wrong."""


@dataclass(frozen=True)
class Swing:
    """Break-even utilisation with one input at 3/4 and at 5/4 of what was given; None is never."""

    what: str
    low: Fraction | None
    high: Fraction | None

    @property
    def span(self) -> Fraction:
        """How much it moves; an end that is never reached counts as ten times full cards."""
        low, high = (Fraction(10) if end is None else end for end in (self.low, self.high))
        return abs(high - low)


def swings(mine: Own, rival: Against) -> tuple[Swing, ...]:
    """The widest first."""
    found = [Swing(what, move(1 - STEP), move(1 + STEP)) for what, move in _moves(mine, rival)]
    return tuple(sorted(found, key=lambda swing: (-swing.span, swing.what)))


def _moves(mine: Own, rival: Against) -> Iterator[tuple[str, Callable[[Fraction], Fraction | None]]]:
    price = rival.per_million / 1_000_000
    yield "the month's own costs", lambda by: _meet(replace(mine, cost=mine.cost * by), price)
    yield "the API's prices, or the exchange rate", lambda by: _meet(mine, price * by)
    yield "what the cards can do", lambda by: _meet(replace(mine, capacity=mine.capacity * by), price)
    if mine.marginal:
        yield "cost of one more token", lambda by: _meet(replace(mine, marginal=mine.marginal * by), price)


def _meet(mine: Own, price: Fraction) -> Fraction | None:
    volume = break_even(mine.cost, price, mine.marginal)
    return None if volume is None else volume / mine.capacity
