"""ADWIN: an adaptive window over a stream of numbers, which forgets its old part when its mean has moved.

Bifet and Gavalda, "Learning from Time-Changing Data with Adaptive Windowing" (SDM 2007), the variant with
exponential buckets: a window of n numbers takes O(log n) memory. Pure; the class of river, with its three
dependencies of its own, would be the only user of numpy, scipy and pandas here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

_BUCKETS = 5
"""Buckets of one size; one more, and the two oldest become one of twice the size."""
_PART = 5
"""Numbers that each part of the window holds at least before the two are compared."""


@dataclass(slots=True)
class _Bucket:
    """``size`` numbers; ``scatter`` is the sum of their squared distances from their mean."""

    size: int
    total: float
    scatter: float

    @property
    def mean(self) -> float:
        return self.total / self.size

    def joined(self, other: "_Bucket") -> "_Bucket":
        return _Bucket(
            self.size + other.size,
            self.total + other.total,
            self.scatter + other.scatter + _between(self, other),
        )

    def without(self, other: "_Bucket") -> "_Bucket":
        """What is left when ``other``, a part of this, is taken out of it."""
        left = _Bucket(self.size - other.size, self.total - other.total, 0.0)
        between = _between(left, other) if left.size else 0.0
        left.scatter = max(0.0, self.scatter - other.scatter - between)
        return left


class Adwin:
    """Tells when the mean of a stream has moved.

    ``delta`` bounds the probability of a false alarm at a comparison; the stream is looked at every ``clock``
    numbers, once it has more than ``grace`` of them. The defaults are river's.
    """

    def __init__(self, delta: float = 0.002, clock: int = 32, grace: int = 10) -> None:
        self._delta, self._clock, self._grace = delta, clock, grace
        self._moved = False
        self._begin()

    def _begin(self) -> None:
        self._seen, self._window = 0, _Bucket(0, 0.0, 0.0)
        self._rows: list[list[_Bucket]] = [[]]

    @property
    def size(self) -> int:
        """Numbers in the window: those since the mean last moved, as far as can be told."""
        return self._window.size

    @property
    def mean(self) -> float:
        """Their mean; 0 without any."""
        return self._window.mean if self._window.size else 0.0

    @property
    def buckets(self) -> int:
        """How many summaries the window is kept in."""
        return sum(map(len, self._rows))

    def add(self, value: float) -> bool:
        """Take the next number; whether the mean has moved.

        As in river, the number after a detection begins a new window: one change is told once.
        """
        if self._moved:
            self._begin()
        self._seen += 1
        self._insert(_Bucket(1, value, 0.0))
        self._moved = self._seen % self._clock == 0 and self._window.size > self._grace and self._shrink()
        return self._moved

    def snapshot(self) -> list[Any]:
        """All that it remembers, as lists and numbers."""
        rows = [[[one.size, one.total, one.scatter] for one in row] for row in self._rows]
        window = self._window
        return [self._seen, self._moved, [window.size, window.total, window.scatter], rows]

    def restore(self, snapshot: Any) -> None:
        """Go on from a snapshot; raises ``TypeError`` or ``ValueError`` where it is none."""
        self._seen, self._moved, window, rows = snapshot
        self._window = _Bucket(*window)
        self._rows = [[_Bucket(*one) for one in row] for row in rows]

    def _insert(self, bucket: _Bucket) -> None:
        self._window = self._window.joined(bucket) if self._window.size else bucket
        for number, row in enumerate(self._rows):
            row.append(bucket)
            if len(row) <= _BUCKETS:
                return
            bucket = row.pop(0).joined(row.pop(0))
            if number + 1 == len(self._rows):
                self._rows.append([bucket])
                return

    def _shrink(self) -> bool:
        moved = False
        while self._cut():
            moved = True
            self._drop()
        return moved

    def _cut(self) -> bool:
        """Whether some older part of the window has another mean than the rest."""
        old, new, before, after = 0, self._window.size, 0.0, self._window.total
        for bucket in self._oldest_first():
            old, new = old + bucket.size, new - bucket.size
            before, after = before + bucket.total, after - bucket.total
            if new < _PART:
                return False
            if old >= _PART and abs(before / old - after / new) > self._bound(old, new):
                return True
        return False

    def _bound(self, old: int, new: int) -> float:
        """How far apart chance brings the two means (the paper's epsilon_cut, for numbers of known variance)."""
        share = 1 / (old - _PART + 1) + 1 / (new - _PART + 1)
        trials = log(2 * log(self._window.size) / self._delta)
        variance = self._window.scatter / self._window.size
        return sqrt(2 * share * variance * trials) + 2 / 3 * share * trials

    def _oldest_first(self) -> Iterator[_Bucket]:
        for row in reversed(self._rows):
            yield from row

    def _drop(self) -> None:
        oldest = self._rows[-1].pop(0)
        self._window = self._window.without(oldest)
        while len(self._rows) > 1 and not self._rows[-1]:
            self._rows.pop()


def _between(one: _Bucket, other: _Bucket) -> float:
    return one.size * other.size / (one.size + other.size) * (one.mean - other.mean) ** 2
