"""What time cost: parts of windows by pool and card type, each at the price of its day."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cached_property

from sre.finance.money import Money, round_money
from sre.idle.prices import Prices
from sre.idle.states import IDLE, PER_HOUR, STATES
from sre.idle.windows import Window

Place = tuple[str, str]
"""Pool and card type; the pool's name is empty for cards of none."""

_WIDTH = len(STATES)


class Costing:
    """``cells`` are parts by window and state, as a tally holds them."""

    def __init__(self, cells: Mapping[Place, list[int]], windows: tuple[Window, ...], prices: Prices) -> None:
        self._windows, self._prices = windows, prices
        self._idle = {
            place: [sum(row[state] for state in IDLE) for row in _rows(own)] for place, own in cells.items()
        }
        self._all = {place: [sum(row) for row in _rows(own)] for place, own in cells.items()}

    @cached_property
    def idle(self) -> Mapping[Place, Fraction]:
        """By place; what has no price is 0, so ask ``cost`` whether there is any."""
        return {place: self._worth(place, parts) for place, parts in self._idle.items()}

    @property
    def cost(self) -> Money | None:
        """Of all idle time; None where some of it has no price: a cost of the rest would look like that of all."""
        return self._sum(self._idle)

    @property
    def bill(self) -> Money | None:
        """Of all time, by the same rule."""
        return self._sum(self._all)

    def _sum(self, parts: Mapping[Place, list[int]]) -> Money | None:
        if any(self._unpriced(place, own) for place, own in parts.items()):
            return None
        whole = sum((self._worth(place, own) for place, own in parts.items()), Fraction(0))
        return round_money(whole, self._prices.unit)

    def _unpriced(self, place: Place, parts: list[int]) -> bool:
        return any(
            part and self._price(place, window) is None
            for part, window in zip(parts, self._windows, strict=True)
        )

    def _worth(self, place: Place, parts: list[int]) -> Fraction:
        priced = zip(parts, self._windows, strict=True)
        costs = (Fraction(part, PER_HOUR) * (self._price(place, window) or 0) for part, window in priced)
        return sum(costs, Fraction(0))

    def _price(self, place: Place, window: Window) -> Fraction | None:
        pool, kind = place
        return self._prices.of_pool(pool, window) if pool else self._prices.of_type(kind, window)


def _rows(cells: list[int]) -> Iterator[list[int]]:
    return (cells[at : at + _WIDTH] for at in range(0, len(cells), _WIDTH))
