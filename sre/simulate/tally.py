"""Histograms that are filled in bulk and read cumulatively, as Prometheus wants them."""

from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate

from sre.simulate.spread import Skewed


class Tally:
    """Observations of one quantity by bucket: ``counts`` one for each bound, and one for what lies above them."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds, self.counts = bounds, [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Observe one value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def values(self) -> list[float]:
        """Cumulative buckets with +Inf, then the sum, then the count."""
        upto = [float(count) for count in accumulate(self.counts)]
        return [*upto, self.sum, upto[-1]]


class Spread:
    """Observations told only as so many around some mean, log-normal with width ``sigma``."""

    def __init__(self, bounds: tuple[float, ...], sigma: float) -> None:
        self._bounds, self._sigma, self._upto = bounds, sigma, [0.0] * len(bounds)
        self.sum, self.count = 0.0, 0

    def add(self, around: dict[float, float], total: int) -> None:
        """``total`` observations, whose means are spread as the weights of ``around`` say."""
        whole = sum(around.values())
        if not whole or not total:
            return
        for mean, weight in around.items():
            count = total * weight / whole
            for place, share in enumerate(_shares(_coarse(mean), self._sigma, self._bounds)):
                self._upto[place] += count * share
            self.sum += count * mean
        self.count += total

    def values(self) -> list[float]:
        """Cumulative buckets with +Inf, the sum, the count: whole numbers, as an engine counts."""
        whole = float(self.count)
        upto = [min(whole, float(int(count + 1e-6))) for count in self._upto]
        return [*upto, whole, self.sum, whole]


def _coarse(mean: float) -> float:
    return float(f"{mean:.3g}")


@lru_cache(maxsize=8192)
def _shares(mean: float, sigma: float, bounds: tuple[float, ...]) -> tuple[float, ...]:
    spread = Skewed(1.0, sigma)
    return tuple(spread.share(bound * spread.mean / mean) for bound in bounds)
