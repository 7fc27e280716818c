"""A histogram as plain lists of whole numbers: cheap to count into, exact in any order of counting."""

from collections.abc import Sequence
from itertools import accumulate

from sre.usage.families import Family

MICRO = 1_000_000
"""Seconds are summed as whole microseconds: float sums would depend on the order of records."""


class Histogram:
    """``counts`` are those of each bucket alone, the last one without a bound. ``total`` is in ``1 / scale``."""

    __slots__ = ("_lines", "_scale", "bounds", "counts", "total")

    def __init__(self, family: Family, labels: str, bounds: Sequence[float], scale: int = 1) -> None:
        """``labels`` are pairs as they stand in an exposition, without braces."""
        self.bounds, self.counts, self.total, self._scale = tuple(bounds), [0] * (len(bounds) + 1), 0, scale
        safe = labels.replace("%", "%%")
        uppers = [*(f"{float(bound)}" for bound in bounds), "+Inf"]
        buckets = [f'{family.name}_bucket{{{safe},le="{upper}"}} %d\n' for upper in uppers]
        self._lines = "".join(buckets) + (
            f"{family.name}_sum{{{safe}}} %s\n{family.name}_count{{{safe}}} %d\n"
        )

    def expose(self) -> str:
        """Its lines, buckets cumulative."""
        upto = [*accumulate(self.counts)]
        total = self.total if self._scale == 1 else self.total / self._scale
        return self._lines % (*upto, total, upto[-1])

    def snapshot(self) -> list[int]:
        """The counts, and then the total."""
        return [*self.counts, self.total]

    def restore(self, snapshot: Sequence[int]) -> None:
        """Go on from a snapshot of one with the same bounds; raises ``ValueError`` for another."""
        if len(snapshot) != len(self.counts) + 1:
            raise ValueError("a histogram of other bounds")
        *self.counts[:], self.total = snapshot

    def merge(self, snapshot: Sequence[int]) -> None:
        """Count what another one of the same bounds has counted."""
        self.restore([a + b for a, b in zip(self.snapshot(), snapshot, strict=True)])

    def clear(self) -> None:
        self.restore([0] * (len(self.counts) + 1))
