"""How a quantity spreads over requests: distributions with a known share below every bucket bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erf, exp, inf, log, sqrt

Share = Callable[[float], float]
"""Share of observations up to a value."""


def _normal(z: float) -> float:
    return 0.5 * (1 + erf(z / sqrt(2)))


def normal_quantile(share: float) -> float:
    """z with that share of a standard normal below it, by bisection."""
    return _bisect(lambda z: _normal(z) - share, -9.0, 9.0)


def _bisect(rising: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


@dataclass(frozen=True)
class Skewed:
    """Log-normal, the usual shape of latencies and lengths; nothing exceeds ``cap``."""

    median: float
    sigma: float
    cap: float = inf

    def share(self, value: float) -> float:
        """Share of observations up to ``value``."""
        if value >= self.cap:
            return 1.0
        return _normal(log(value / self.median) / self.sigma) if value > 0 else 0.0

    @property
    def mean(self) -> float:
        if self.cap == inf:
            return self.median * exp(self.sigma**2 / 2)
        z = log(self.cap / self.median) / self.sigma
        return self.median * exp(self.sigma**2 / 2) * _normal(z - self.sigma) + self.cap * (1 - _normal(z))


def fit(
    quantile: float, target: float, bounds: Sequence[float], share_of: Callable[[float], Share], most: float
) -> float:
    """The scale at which ``histogram_quantile`` reads ``target`` off these bounds.

    ``share_of(scale)`` is the distribution for scales up to ``most``; a greater scale means greater values.
    Prometheus interpolates linearly inside a bucket, so the reading lies off the true quantile wherever
    ``target`` is not a bound. Beyond the last bound nothing can be read: then the true quantile is met.
    """
    low, high = 0.0, inf
    for bound in bounds:
        low, high = (bound, high) if bound < target else (low, min(high, bound))

    def below(scale: float) -> float:
        share = share_of(scale)
        if high == inf:
            return quantile - share(target)
        under, upto = share(low), share(high)
        # Rising with the scale, and zero where the line through the bucket's corners reaches the quantile at
        # the target.
        return (quantile - under) * (high - low) - (upto - under) * (target - low)

    return _bisect(below, 1e-9, most)
