"""What is true of a simulated pool, under the names of recorded series: the oracle of the proofs.

Each number comes from the simulated replicas and cards themselves, by its definition; no rule's text, no raw
metric's name, unit or label is involved. A proof that agrees has all of those right.
"""

from collections.abc import Callable
from functools import cache

from sre.simulate.pool import Simulated
from sre.simulate.readings import Readings, drop, over
from sre.simulate.story import Place
from sre.simulate.windows import Reading


class Truth:
    """The recorded series of one simulated pool.

    ``silent`` are declared replicas that answer and are not simulated further.
    """

    def __init__(self, simulated: Simulated, silent: int = 0, left_open: bool = False) -> None:
        self._simulated, self._readings = simulated, Readings(simulated, silent, left_open)
        self._reading = cache(self._made)

    @property
    def hidden(self) -> frozenset[str]:
        """Signals that are no longer exposed in the end."""
        return self._simulated.timeline.places[Place(0)][-1].hidden

    @property
    def inputs(self) -> dict[str, float]:
        """Healthy inputs, by name."""
        return self._simulated.shape.usual

    def value(self, series: str, place: Place, index: int) -> float | None:
        """The series at a scrape, for the pool, replica or card at ``place``; None where it has no value.

        Raises ``KeyError`` for a series that nobody has defined here.
        """
        level = series.partition(":")[0]
        where = {"gpu": place, "replica": Place(place.replica)}.get(level)
        return self._reading(series, where)(index)

    def _made(self, series: str, place: Place | None) -> Reading:
        """A reading that remembers: means over a day ask for the same instants again and again."""
        if place is None:
            return cache(_POOL[series](self._readings))
        return cache(_PLACED[series](self._readings, place))


def tells(series: str) -> bool:
    """Whether a recorded series has a definition here; a ratio of errors is asked for with its type."""
    return series in _POOL or series in _PLACED


_HALF, _HOUR = 1800, 3600


def _latency(name: str, share: int) -> Callable[[Readings], Reading]:
    return lambda r: r.quantile(share / 100, name, 300)


def _tokens(r: Readings) -> Reading:
    return cache(r.rate("generation_tokens", 300))


def _hits(r: Readings) -> Reading:
    return cache(over(r.rate("prefix_cache_hits", 600), r.rate("prefix_cache_queries", 600)))


def _length(r: Readings) -> Reading:
    return cache(over(r.rate("output_tokens_sum", _HOUR), r.rate("output_tokens_count", _HOUR)))


_POOL: dict[str, Callable[[Readings], Reading]] = {
    "pool:replicas_serving:count": lambda r: r.serving(),
    "pool:queue_depth:sum": lambda r: r.gauge("queue_depth"),
    "pool:running:sum": lambda r: r.gauge("running"),
    **{
        f"pool:{name}:p{share}": _latency(name, share)
        for name in ("ttft", "itl", "e2e")
        for share in (50, 95, 99)
    },
    "pool:generation_tokens:rate5m": _tokens,
    "pool:generation_tokens:baseline": lambda r: r.baseline(_tokens(r)),
    "pool:throughput_drop:ratio": lambda r: drop(tokens := _tokens(r), r.baseline(tokens)),
    "pool:gpu_utilization:avg5m": lambda r: r.utilization(),
    "pool:queue_wait:mean30m": lambda r: over(
        r.rate("queue_wait_sum", _HALF), r.rate("queue_wait_count", _HALF)
    ),
    "pool:prefix_cache_hit:ratio10m": _hits,
    "pool:prefix_cache_hit:baseline": lambda r: r.baseline(_hits(r)),
    "pool_type:errors:ratio5m{server_error}": lambda r: r.errors("server_error"),
    "pool_type:errors:ratio5m{invalid_input}": lambda r: r.errors("invalid_input"),
    "pool:output_tokens:ks1h": lambda r: r.shift(),
    "pool:output_tokens:mean1h": _length,
    "pool:output_tokens:mean1h_baseline": lambda r: r.baseline(_length(r)),
    "pool:finishes_length:ratio1h": lambda r: r.cut(),
    "pool:finishes_length:ratio1h_baseline": lambda r: r.baseline(cache(r.cut())),
    # One team sends everything to a simulated pool.
    "consumer:output_tokens:mean1h": _length,
    "consumer:output_tokens:mean1h_baseline": lambda r: r.baseline(_length(r)),
    "model:usage_accounted:ratio30m": lambda r: r.recorded(),
    "exporter:usage_silence:seconds": lambda r: r.lag(),
    "exporter:usage_lag:seconds": lambda r: r.lag(),
    "exporter:usage_strangers:ratio30m": lambda r: r.strangers(),
}
"""Every recorded series of pools, models and the fleet whose number a sentence shows."""

_PLACED: dict[str, Callable[[Readings, Place], Reading]] = {
    "replica:queue_depth:sum": lambda r, p: r.replica("queue_depth", p),
    "replica:running:sum": lambda r, p: r.replica("running", p),
    "replica:kv_cache_usage:ratio": lambda r, p: r.replica("kv_cache_usage", p),
    "replica:preemptions:rate5m": lambda r, p: r.replica_rate("preemptions", p, 300),
    "replica:starts:count1h": lambda r, p: r.starts(p),
    "replica:nvlink_drop:ratio": lambda r, p: drop(links := cache(r.links(p)), r.baseline(links)),
    "gpu:memory_used:ratio": lambda r, p: r.card("gpu_memory_used", p),
    "gpu:temperature:celsius": lambda r, p: r.card("gpu_temperature", p),
    "gpu:unused:ratio1h": lambda r, p: r.unused(p),
    "gpu:rows_correctable:increase1h": lambda r, p: r.grown("gpu_rows_correctable", p),
    "gpu:row_remap_failure:state": lambda r, p: r.card("gpu_row_remap_failure", p),
    "gpu:row_remap_pending:state": lambda r, p: r.card("gpu_row_remap_pending", p),
}
"""The same, of replicas and cards."""
