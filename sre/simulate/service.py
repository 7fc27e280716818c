"""What one request costs: distributions of its latencies and of the length of its reply."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp

from sre.simulate.spread import Share, Skewed, fit, normal_quantile

Inputs = Mapping[str, float]
Bounds = Mapping[str, tuple[float, ...]]
"""Upper bounds by histogram, without +Inf."""

TTFT_SIGMA, ITL_SIGMA, REPLY_SIGMA = 0.6, 0.35, 0.8
"""Widths of the distributions: replies differ most, token gaps least."""


@dataclass(frozen=True)
class Service:
    """What one request costs under the given inputs."""

    ttft: Skewed
    itl: Skewed
    reply: Skewed
    runaway: float
    runaway_tokens: float

    @property
    def tokens(self) -> float:
        """Mean tokens of a reply."""
        return self.reply.mean * (1 - self.runaway) + self.runaway_tokens * self.runaway

    @property
    def seconds(self) -> float:
        """Mean seconds in the batch."""
        return self.ttft.mean + self.tokens * self.itl.mean

    def reply_share(self, tokens: float) -> float:
        """Share of replies of at most so many tokens."""
        return self.reply.share(tokens) * (1 - self.runaway) + self.runaway * (tokens >= self.runaway_tokens)


def service(inputs: Inputs, bounds: Bounds) -> Service:
    """Latencies that read as asked for; with ``e2e_p99`` the length of replies follows from it."""
    wanted = tuple(inputs.get(name, 0.0) for name in _SERVICE)
    return _service(wanted, tuple(bounds.get(name, ()) for name in ("ttft", "itl", "e2e")))


_SERVICE = ("ttft_p95", "itl_p95", "e2e_p99", "reply", "cut", "runaway", "runaway_tokens")


@lru_cache(maxsize=4096)
def _service(wanted: tuple[float, ...], bounds: tuple[tuple[float, ...], ...]) -> Service:
    given = dict(zip(_SERVICE, wanted, strict=True))
    ttft = _fitted(0.95, given["ttft_p95"], bounds[0], TTFT_SIGMA)
    itl = _fitted(0.95, given["itl_p95"], bounds[1], ITL_SIGMA)
    reply = given["reply"]
    if given["e2e_p99"]:
        reply = _reply_for(given["e2e_p99"], bounds[2], ttft, itl, given["cut"])
    return Service(ttft, itl, _replies(reply, given["cut"]), given["runaway"], given["runaway_tokens"])


def _replies(median: float, cut: float) -> Skewed:
    """Lengths of replies whose longest share is cut at a common limit."""
    return Skewed(median, REPLY_SIGMA, median * exp(REPLY_SIGMA * normal_quantile(1 - cut)))


@lru_cache(maxsize=4096)
def _fitted(quantile: float, target: float, bounds: tuple[float, ...], sigma: float) -> Skewed:
    return Skewed(fit(quantile, target, bounds, lambda s: Skewed(s, sigma).share, 64 * target), sigma)


def _reply_for(target: float, bounds: tuple[float, ...], ttft: Skewed, itl: Skewed, cut: float) -> float:
    def share_of(median: float) -> Share:
        return lambda seconds: _replies(median, cut).share((seconds - ttft.mean) / itl.mean)

    return max(2.0, fit(0.99, target, bounds, share_of, 64 * target / itl.mean))
