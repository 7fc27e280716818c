"""What is true of a simulated pool, under the names of recorded series: the oracle of the proofs.

Each number comes from the simulated replicas and cards themselves, by its definition; no rule's text, no raw metric's name, unit
or label is involved. A proof that agrees has all of those right.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache

from sre.simulate.pool import Simulated
from sre.simulate.replica import Key
from sre.simulate.samples import Samples
from sre.simulate.story import Place
from sre.simulate.windows import Reading, Windows, quantile

_DAY, _HOUR, _HALF = 86400, 3600, 1800


class Truth:
    """Readings of one simulated pool. ``silent`` are declared replicas that answer and are not simulated further."""

    def __init__(self, simulated: Simulated, silent: int = 0, left_open: bool = False) -> None:
        self._pool, self._silent = simulated, silent
        self._windows = Windows(simulated.shape.interval, left_open)
        self._reading = cache(self._made)

    @property
    def hidden(self) -> frozenset[str]:
        """Signals that are no longer exposed in the end."""
        return self._pool.timeline.places[Place(0)][-1].hidden

    @property
    def inputs(self) -> dict[str, float]:
        """Healthy inputs, by name."""
        return self._pool.shape.usual

    def value(self, series: str, place: Place, index: int) -> float | None:
        """The series at a scrape, for the pool, replica or card at ``place``; None where it has no value.

        Raises ``KeyError`` for a series that nobody has defined here.
        """
        level = series.partition(":")[0]
        return self._reading(series, place if level == "gpu" else Place(place.replica) if level == "replica" else None)(index)

    def _made(self, series: str, place: Place | None) -> Reading:
        """A reading that remembers: means over a day ask for the same instants again and again."""
        return cache(_READINGS[series](self, place or Place(0)))

    # --- building stones ---------------------------------------------------------------------------------------------

    def _counters(self, name: str, **labels: str) -> list[tuple[Samples, int]]:
        """The samples of all replicas: each different series, and how many replicas have it."""
        key: Key = (name, tuple(sorted(labels.items())))
        engines = Counter(map(id, self._pool.engines))
        return [(engine.signals[key], engines.pop(id(engine))) for engine in self._pool.engines if id(engine) in engines]

    def _sum(self, values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    def rate(self, name: str, seconds: int, **labels: str) -> Reading:
        """Growth per second of a counter, summed over the replicas."""
        counters = self._counters(name, **labels)
        return lambda at: self._sum(_times(self._windows.rate(c, at, seconds), n) for c, n in counters)

    def gauge(self, name: str) -> Reading:
        gauges = self._counters(name)
        return lambda at: self._sum(_times(g.at(at), n) for g, n in gauges)

    def replica(self, name: str, place: Place) -> Reading:
        return self._pool.engines[place.replica].signals[name, ()].at

    def replica_rate(self, name: str, place: Place, seconds: int) -> Reading:
        samples = self._pool.engines[place.replica].signals[name, ()]
        return lambda at: self._windows.rate(samples, at, seconds)

    def card(self, name: str, place: Place) -> Reading:
        return self._pool.cards[place][name, ()].at

    def mean(self, reading: Reading, seconds: int, offset: int = 0) -> Reading:
        return lambda at: self._windows.mean(reading, at, seconds, offset)

    def baseline(self, reading: Reading) -> Reading:
        """The mean of the last day that ended half an hour ago; simulations are shorter than a week."""
        return self.mean(reading, _DAY, _HALF)

    def buckets(self, name: str, seconds: int) -> Callable[[int], dict[str, float]]:
        """Cumulative growth per second by upper bound, over the replicas."""
        bounds = {dict(key[1])["le"] for key in self._pool.engines[0].signals if key[0] == f"{name}_bucket"}
        rates = {le: self.rate(f"{name}_bucket", seconds, le=le) for le in sorted(bounds)}
        return lambda at: {le: value for le, rate in rates.items() if (value := rate(at)) is not None}

    def quantile(self, share: float, name: str, seconds: int) -> Reading:
        buckets = self.buckets(name, seconds)
        return lambda at: quantile(share, buckets(at))

    # --- what takes more than one line ---------------------------------------------------------------------------------

    def serving(self) -> Reading:
        ups = self._counters("up")
        return lambda at: self._silent + sum(float(n) for up, n in ups if _last(up, at - 120 // self._windows.interval, at))

    def utilization(self) -> Reading:
        cards = [self.mean(self.card("gpu_utilization", place), 300) for place in self._pool.cards]
        return lambda at: _mean(card(at) for card in cards)

    def starts(self, place: Place) -> Reading:
        born = self.replica("process_start", place)
        return lambda at: float(_starts(born, self._windows.first(at, _HOUR), at, self._windows.interval))

    def errors(self, kind: str) -> Reading:
        status = {"server_error": "5xx", "invalid_input": "4xx"}[kind]
        every = [self.rate("responses", 300, status=s) for s in ("2xx", "4xx", "5xx")]
        return _over(self.rate("responses", 300, status=status), lambda at: self._sum(one(at) for one in every))

    def cut(self) -> Reading:
        every = [self.rate("finishes", _HOUR, reason=r) for r in ("stop", "length", "abort")]
        return _over(self.rate("finishes", _HOUR, reason="length"), lambda at: self._sum(one(at) for one in every))

    def shares(self) -> Callable[[int], dict[str, float]]:
        """Share of the last hour's replies up to each bound."""
        buckets = self.buckets("output_tokens", _HOUR)

        def found(at: int) -> dict[str, float]:
            counts = buckets(at)
            total = counts.get("+Inf", 0.0)
            return {le: count / total for le, count in counts.items()} if total else {}

        return found

    def shift(self) -> Reading:
        """The largest distance between the shares now and the usual ones (Kolmogorov-Smirnov)."""
        shares = cache(self.shares())

        def found(at: int) -> float | None:
            now = shares(at)
            usual = {le: self._windows.mean(lambda i, le=le: shares(i).get(le), at, _DAY, _HALF) for le in now}
            gaps = [abs(now[le] - value) for le, value in usual.items() if value is not None]
            return max(gaps) if gaps else None

        return found

    def links(self, place: Place) -> Reading:
        """Megabytes over a replica's links per generated token."""
        cards = [self.mean(self.card("gpu_nvlink_bandwidth", p), 600) for p in self._pool.cards if p.replica == place.replica]
        tokens = self.replica_rate("generation_tokens", place, 600)
        ratio = _over(lambda at: self._sum(card(at) for card in cards), tokens)
        # The first ten minutes of a replica say too little of its tokens.
        return lambda at: None if tokens(at - 600 // self._windows.interval) is None else ratio(at)

    def grown(self, name: str, place: Place) -> Reading:
        """Whole steps that a card's lifetime count took within the hour."""
        count = self.card(name, place)

        def found(at: int) -> float | None:
            values = [v for i in range(max(0, self._windows.first(at, _HOUR)), at + 1) if (v := count(i)) is not None]
            return max(values) - min(values) if values else None

        return found

    def recorded(self) -> Reading:
        """Share of the generated tokens that the gateway's records hold."""
        counted = self._pool.gateway["usage_tokens", (("class", "output"),)]
        made = cache(self.rate("generation_tokens", 300))
        return _over(lambda at: self._windows.rate(counted, at, _HALF), self.mean(made, _HALF))


def _times(value: float | None, count: int) -> float | None:
    return None if value is None else value * count


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _over(part: Reading, whole: Reading) -> Reading:
    def found(at: int) -> float | None:
        above, below = part(at), whole(at)
        return above / below if above is not None and below else None

    return found


def _drop(now: Reading, usual: Reading) -> Reading:
    ratio = _over(now, usual)
    return lambda at: None if (value := ratio(at)) is None else 1 - value


def _last(samples: Samples, first: int, last: int) -> float | None:
    found = [run.last for _, _, run in samples.between(first, last)]
    return found[-1] if found else None


def _starts(born: Reading, first: int, last: int, interval: int) -> int:
    """Different processes seen in the hour; the first of them is news only when it is itself younger."""
    seen = [value for at in range(max(0, first), last + 1) if (value := born(at)) is not None]
    changes = sum(a != b for a, b in zip(seen, seen[1:], strict=False))
    return changes + (bool(seen) and min(seen) > last * interval - _HOUR)


def _state(value: float) -> Callable[[Truth, Place], Reading]:
    return lambda _truth, _place: lambda _at: value


_READINGS: dict[str, Callable[[Truth, Place], Reading]] = {
    "pool:replicas_serving:count": lambda t, p: t.serving(),
    "pool:queue_depth:sum": lambda t, p: t.gauge("queue_depth"),
    "pool:running:sum": lambda t, p: t.gauge("running"),
    "replica:queue_depth:sum": lambda t, p: t.replica("queue_depth", p),
    "replica:running:sum": lambda t, p: t.replica("running", p),
    "replica:kv_cache_usage:ratio": lambda t, p: t.replica("kv_cache_usage", p),
    "replica:preemptions:rate5m": lambda t, p: t.replica_rate("preemptions", p, 300),
    "replica:starts:count1h": lambda t, p: t.starts(p),
    "replica:nvlink_drop:ratio": lambda t, p: _drop(t.links(p), t.baseline(cache(t.links(p)))),
    **{f"pool:{name}:p{share}": lambda t, p, n=name, s=share: t.quantile(s / 100, n, 300)
       for name in ("ttft", "itl", "e2e") for share in (50, 95, 99)},
    "pool:generation_tokens:rate5m": lambda t, p: t.rate("generation_tokens", 300),
    "pool:generation_tokens:baseline": lambda t, p: t.baseline(cache(t.rate("generation_tokens", 300))),
    "pool:throughput_drop:ratio": lambda t, p: _drop(
        t.rate("generation_tokens", 300), t.baseline(cache(t.rate("generation_tokens", 300)))),
    "pool:gpu_utilization:avg5m": lambda t, p: t.utilization(),
    "pool:queue_wait:mean30m": lambda t, p: _over(t.rate("queue_wait_sum", _HALF), t.rate("queue_wait_count", _HALF)),
    "pool:prefix_cache_hit:ratio10m": lambda t, p: _over(t.rate("prefix_cache_hits", 600), t.rate("prefix_cache_queries", 600)),
    "pool:prefix_cache_hit:baseline": lambda t, p: t.baseline(
        cache(_over(t.rate("prefix_cache_hits", 600), t.rate("prefix_cache_queries", 600)))),
    "pool_type:errors:ratio5m{server_error}": lambda t, p: t.errors("server_error"),
    "pool_type:errors:ratio5m{invalid_input}": lambda t, p: t.errors("invalid_input"),
    "pool:output_tokens:ks1h": lambda t, p: t.shift(),
    "pool:output_tokens:mean1h": lambda t, p: _over(t.rate("output_tokens_sum", _HOUR), t.rate("output_tokens_count", _HOUR)),
    "pool:output_tokens:mean1h_baseline": lambda t, p: t.baseline(
        cache(_over(t.rate("output_tokens_sum", _HOUR), t.rate("output_tokens_count", _HOUR)))),
    "pool:finishes_length:ratio1h": lambda t, p: t.cut(),
    "pool:finishes_length:ratio1h_baseline": lambda t, p: t.baseline(cache(t.cut())),
    "gpu:memory_used:ratio": lambda t, p: t.card("gpu_memory_used", p),
    "gpu:temperature:celsius": lambda t, p: t.card("gpu_temperature", p),
    "gpu:utilization:avg1h": lambda t, p: t.mean(t.card("gpu_utilization", p), _HOUR),
    "gpu:rows_correctable:increase1h": lambda t, p: t.grown("gpu_rows_correctable", p),
    "gpu:row_remap_failure:state": lambda t, p: t.card("gpu_row_remap_failure", p),
    "gpu:row_remap_pending:state": lambda t, p: t.card("gpu_row_remap_pending", p),
    "model:usage_accounted:ratio30m": lambda t, p: t.recorded(),
}
"""Every recorded series whose number a sentence shows."""
