"""What the baselines hold: the same hours of the week before, which nobody simulates again for their sake.

Means of an hour are what demand says; lengths of replies are drawn, as many as that hour had, so that they scatter.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from random import Random

from sre.lab.plot import Plot
from sre.lab.quality.days import HOUR, LENGTH, STEP
from sre.simulate.demand import Demand
from sre.simulate.draws import table
from sre.simulate.pool import Shape
from sre.simulate.service import Service, service
from sre.simulate.site import series
from sre.simulate.windows import quantile

_BLOCK = HOUR // 2
"""Seconds for which a baseline is taken to stand still."""
_MOST = 1500
"""Replies drawn for an hour: what more of them would scatter less is below every limit."""


def week_ago(
    plot: Plot, shape: Shape, usual: dict[str, float], demand: Demand, random: Random
) -> dict[str, list[float | None]]:
    """Samples by recorded series."""
    found, cost = dict[str, list[float | None]](), service(usual, shape.bounds)
    scrapes = LENGTH // STEP + 1
    for begin in range(0, LENGTH + 1, _BLOCK):
        factor = _mean(demand, begin + _BLOCK // 2)
        rate = shape.replicas * usual["arrivals"] * factor
        for name, value in {
            **_pool(plot.pool, rate, shape.replicas * usual["running"] * factor, usual["cached"], cost),
            **dict(_replies(plot.pool, rate, cost, usual, shape.bounds["output_tokens"], random)),
            **dict(_links(plot, shape, usual, random)),
        }.items():
            samples = found.setdefault(name, [])
            samples += [value] * min(_BLOCK // STEP, scrapes - len(samples))
    return found


def _mean(demand: Demand, middle: int) -> float:
    """Demand over the hour around a moment."""
    return sum(demand(middle + minute * 60) for minute in range(-30, 30)) / 60


def _pool(pool: str, rate: float, running: float, cached: float, cost: Service) -> dict[str, float]:
    values = {
        "pool:generation_tokens:baseline": rate * cost.tokens,
        "pool:in_flight:baseline": running,
        "pool:prefix_cache_hit:baseline": cached,
        "pool:output_tokens:count1h_baseline": rate * HOUR,
    }
    return {series(name, {"pool": pool}): value for name, value in values.items()}


def _replies(
    pool: str,
    rate: float,
    cost: Service,
    usual: dict[str, float],
    bounds: tuple[float, ...],
    random: Random,
) -> Iterator[tuple[str, float]]:
    lengths, count = table(cost.reply), max(1, min(_MOST, round(rate * HOUR)))
    drawn = [lengths[int(random.random() * len(lengths))] for _ in range(count)]
    counts = [0] * (len(bounds) + 1)
    for length in drawn:
        counts[bisect_left(bounds, length)] += 1
    shares: dict[str, float] = {
        le: upto / count for le, upto in zip((*map(repr, bounds), "+Inf"), accumulate(counts), strict=True)
    }
    for le, share in shares.items():
        yield series("pool_le:output_tokens:cdf1h_baseline", {"pool": pool, "le": le}), share
    cut = sum(random.random() < usual["cut"] for _ in range(count)) / count
    yield series("pool:output_tokens:mean1h_baseline", {"pool": pool}), sum(drawn) / count
    yield series("pool:output_tokens:p95_baseline", {"pool": pool}), quantile(0.95, shares) or 0.0
    yield series("pool:finishes_length:ratio1h_baseline", {"pool": pool}), cut


def _links(plot: Plot, shape: Shape, usual: dict[str, float], random: Random) -> Iterator[tuple[str, float]]:
    if not usual["nvlink"]:
        return
    for number in range(shape.replicas):
        target = plot.replica(number)
        place: dict[str, str] = {
            str(label): target[label] for label in ("namespace", "pod") if label in target
        }
        per_token = shape.cards * usual["nvlink"] * (1 + random.gauss(0, 0.02))
        yield series("replica:nvlink_per_token:baseline", {"pool": plot.pool, **place}), per_token
