"""How much a counter grew, from values of it at some moments: never extrapolated, never below what was seen.

`increase()` guesses what lies beyond its samples and leaves out the first one of each new series; it is fine for
a graph, and not for money. See prometheus/prometheus issues 3746 and 12967.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[int, int]
"""(seconds since the epoch, value); values are whole, as counts are."""


@dataclass(frozen=True, order=True)
class Stretch:
    """A time in which growth may have gone unseen, with the values at its ends (None behind the last one)."""

    begin: int
    until: int
    first: int
    value: int | None

    @property
    def counted(self) -> int:
        """What its two ends alone say: after a fall the last value, behind the last one nothing."""
        if self.value is None:
            return 0
        return self.value - self.first if self.value >= self.first else self.value

    @property
    def fell(self) -> bool:
        """Whether its ends show a reset."""
        return self.value is not None and self.value < self.first

    def around(self, inner: Sequence[Point]) -> list[Point]:
        """Its ends with the points between them."""
        last = [] if self.value is None else [(self.until, self.value)]
        return [(self.begin, self.first), *(p for p in inner if self.begin < p[0] < self.until), *last]


@dataclass(frozen=True)
class Growth:
    """What one series grew by, and the stretches that a closer look may add to."""

    amount: int
    resets: int
    started: bool
    open: tuple[Stretch, ...]


def grow(points: Sequence[Point], start: int, end: int, step: int) -> Growth:
    """The sum of all positive differences; after a fall the new value counts, and so does the first of all.

    ``points`` are in order of time and begin at or before ``start`` where the series was there before. A first
    value after ``start`` is a new series: it counts from 0.
    """
    if not points:
        return Growth(0, 0, started=False, open=())
    started = points[0][0] > start
    amount, found = points[0][1] if started else 0, list[Stretch]()
    for (before, low), (after, high) in pairwise(points):
        if high >= low:
            amount += high - low
        else:
            found.append(Stretch(before, after, low, high))
    amount += sum(stretch.counted for stretch in found)
    resets, (last, value) = len(found), points[-1]
    if last <= end - step:
        found.append(Stretch(last, min(end, last + step), value, None))
    return Growth(amount, resets, started, tuple(found))


def holes(moments: Sequence[int], step: int) -> list[tuple[int, int]]:
    """Stretches between neighbouring moments in which at least one step has no value."""
    return [(a, b) for a, b in pairwise(moments) if b - a > step * 3 // 2]
