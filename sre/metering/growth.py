"""How much a counter grew, from values of it at some moments: never extrapolated, never below what was seen.

`increase()` guesses what lies beyond its samples and leaves out the first one of each new series; it is fine for
a graph, and not for money. See prometheus/prometheus issues 3746 and 12967.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[int, int]
"""(seconds since the epoch, value); values are whole, as counts are."""


@dataclass(frozen=True)
class Growth:
    """What one series grew by. ``open`` are the stretches in which growth may have gone unseen at this step.

    In a stretch that ends with a reset, what was counted before it is lost; behind the last value, if there are
    none up to the end, the series may have grown on.
    """

    amount: int
    resets: int
    started: bool
    ended: bool
    open: tuple[tuple[int, int], ...]


def grow(points: Sequence[Point], start: int, end: int, step: int) -> Growth:
    """The sum of all positive differences; after a fall the new value counts, and so does the first of all.

    ``points`` are in order of time and begin at or before ``start`` where the series was there before. A first
    value after ``start`` is a new series: it counts from 0.
    """
    if not points:
        return Growth(0, 0, started=False, ended=False, open=())
    amount, resets, unseen = 0, 0, list[tuple[int, int]]()
    started = points[0][0] > start
    amount += points[0][1] if started else 0
    for (before, low), (after, high) in pairwise(points):
        if high < low:
            resets += 1
            unseen.append((before, after))
        amount += high - low if high >= low else high
    ended = points[-1][0] <= end - step
    if ended:
        unseen.append((points[-1][0], min(end, points[-1][0] + step)))
    return Growth(amount, resets, started, ended, tuple(unseen))


def holes(moments: Sequence[int], step: int) -> list[tuple[int, int]]:
    """Stretches between neighbouring moments in which at least one step has no value."""
    return [(a, b) for a, b in pairwise(moments) if b - a > step * 3 // 2]
