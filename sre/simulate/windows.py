"""What Prometheus makes of samples: rates, means and quantiles, from the definitions and not from any rule's
text.

Times are indices of scrapes, windows are in seconds. ``left_open`` is Prometheus 3, where a sample that lies
exactly at the start of a window is no longer in it; 2.x has it in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from sre.simulate.samples import Samples

Reading = Callable[[int], float | None]
"""A recorded series: its value at an evaluation, or None."""


@dataclass(frozen=True)
class Windows:
    """Windows over samples that lie ``interval`` seconds apart."""

    interval: int
    left_open: bool = False

    def first(self, index: int, seconds: int, offset: int = 0) -> int:
        """Index of the first sample in the window that ends ``offset`` seconds before ``index``."""
        return index - (offset + seconds) // self.interval + self.left_open

    def increase(self, samples: Samples, index: int, seconds: int) -> float | None:
        """Growth of a counter over the window, extrapolated to its ends as Prometheus does (promql/functions.go)."""
        first = self.first(index, seconds)
        step = samples.steady(first, index)
        if step is not None and not self.left_open:
            return step * (index - first)
        found = samples.between(first, index)
        count = sum(high - low + 1 for low, high, _, _ in found)
        if count < 2:
            return None
        (start, _, before, _), (_, end, _, after) = found[0], found[-1]
        for (_, _, _, left), (_, _, right, _) in pairwise(found):
            after += left if right < left else 0.0
        grown, span = after - before, float((end - start) * self.interval)
        gap = span / (count - 1)
        ahead, behind = float(seconds - (index - start) * self.interval), float((index - end) * self.interval)
        if grown > 0 and before >= 0:
            ahead = min(ahead, span * before / grown)
        span += ahead if ahead < gap * 1.1 else gap / 2
        span += behind if behind < gap * 1.1 else gap / 2
        return grown * span / ((end - start) * self.interval)

    def rate(self, samples: Samples, index: int, seconds: int) -> float | None:
        """Growth per second."""
        grown = self.increase(samples, index, seconds)
        return None if grown is None else grown / seconds

    def mean(self, reading: Reading, index: int, seconds: int, offset: int = 0) -> float | None:
        """Mean of a recorded series' values in the window."""
        last = index - offset // self.interval
        first = max(0, self.first(index, seconds, offset))
        values = [value for at in range(first, last + 1) if (value := reading(at)) is not None]
        return sum(values) / len(values) if values else None


def quantile(share: float, buckets: Mapping[str, float]) -> float | None:
    """The quantile that cumulative buckets tell, by straight lines inside them (promql/quantile.go)."""
    bounds = sorted((inf if le == "+Inf" else float(le), count) for le, count in buckets.items())
    total = bounds[-1][1] if bounds else 0
    if not total:
        return None
    rank, low, under = share * total, 0.0, 0.0
    for bound, upto in bounds:
        if upto >= rank:
            if bound == inf:
                return low
            return low + (bound - low) * (rank - under) / (upto - under) if upto > under else bound
        low, under = bound, upto
    return None
