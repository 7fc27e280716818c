"""What can be read off a simulated pool at any scrape, by definition and not by any rule's text."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, partial
from itertools import pairwise

from sre.simulate.pool import Simulated
from sre.simulate.replica import Key
from sre.simulate.samples import Samples
from sre.simulate.story import Place
from sre.simulate.windows import Reading, Windows, quantile

_DAY, _HOUR, _HALF = 86400, 3600, 1800


class Readings:
    """Readings of one simulated pool. ``silent`` are declared replicas that answer and are not simulated further."""

    def __init__(self, simulated: Simulated, silent: int, left_open: bool) -> None:
        self._pool, self._silent = simulated, silent
        self._windows = Windows(simulated.shape.interval, left_open)

    def _counters(self, name: str, **labels: str) -> list[tuple[Samples, int]]:
        """The samples of all replicas: each different series, and how many replicas have it."""
        key: Key = (name, tuple(sorted(labels.items())))
        engines = Counter(map(id, self._pool.engines))
        return [
            (engine.signals[key], engines.pop(id(engine)))
            for engine in self._pool.engines
            if id(engine) in engines
        ]

    def _sum(self, values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    def rate(self, name: str, seconds: int, **labels: str) -> Reading:
        """Growth per second of a counter, summed over the replicas."""
        counters, rate = self._counters(name, **labels), self._windows.rate
        if len(counters) == 1:
            ((counter, count),) = counters
            return lambda at: _times(rate(counter, at, seconds), count)
        return lambda at: self._sum(_times(rate(c, at, seconds), n) for c, n in counters)

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

    # --- what takes more than one line ----------------------------------------------------------------------

    def serving(self) -> Reading:
        ups = self._counters("up")
        return lambda at: (
            self._silent + sum(float(n) for up, n in ups if _last(up, at - 120 // self._windows.interval, at))
        )

    def utilization(self) -> Reading:
        cards = [self.mean(self.card("gpu_utilization", place), 300) for place in self._pool.cards]
        return lambda at: _mean(card(at) for card in cards)

    def unused(self, place: Place) -> Reading:
        """Of the last sixty minutes the share in which the card is known to have worked less than it should."""
        working, low = self.card("gpu_utilization", place), self._pool.shape.thresholds["gpu_utilization_low"]

        def share(at: int) -> float:
            minutes = (working(at - minute * 60 // self._windows.interval) for minute in range(60))
            return sum(value is not None and value < (low or 0) for value in minutes) / 60

        return share

    def starts(self, place: Place) -> Reading:
        born = self.replica("process_start", place)
        return lambda at: float(_starts(born, self._windows.first(at, _HOUR), at, self._windows.interval))

    def errors(self, kind: str) -> Reading:
        status = {"server_error": "5xx", "invalid_input": "4xx"}[kind]
        every = [self.rate("responses", 300, status=s) for s in ("2xx", "4xx", "5xx")]
        return over(
            self.rate("responses", 300, status=status), lambda at: self._sum(one(at) for one in every)
        )

    def cut(self) -> Reading:
        every = [self.rate("finishes", _HOUR, reason=r) for r in ("stop", "length", "abort")]
        return over(
            self.rate("finishes", _HOUR, reason="length"), lambda at: self._sum(one(at) for one in every)
        )

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
            usual = {le: self._windows.mean(partial(_share, shares, le), at, _DAY, _HALF) for le in now}
            gaps = [abs(now[le] - value) for le, value in usual.items() if value is not None]
            return max(gaps) if gaps else None

        return found

    def links(self, place: Place) -> Reading:
        """Megabytes over a replica's links per generated token."""
        cards = [
            self.mean(self.card("gpu_nvlink_bandwidth", p), 600)
            for p in self._pool.cards
            if p.replica == place.replica
        ]
        tokens = self.replica_rate("generation_tokens", place, 600)
        ratio = over(lambda at: self._sum(card(at) for card in cards), tokens)
        # The first ten minutes of a replica say too little of its tokens.
        return lambda at: None if tokens(at - 600 // self._windows.interval) is None else ratio(at)

    def grown(self, name: str, place: Place) -> Reading:
        """Whole steps that a card's lifetime count took within the hour."""
        count = self.card(name, place)

        def found(at: int) -> float | None:
            values = [
                v
                for i in range(max(0, self._windows.first(at, _HOUR)), at + 1)
                if (v := count(i)) is not None
            ]
            return max(values) - min(values) if values else None

        return found

    def recorded(self) -> Reading:
        """Share of the generated tokens that the gateway's records hold."""
        counted = self._pool.gateway["usage_tokens", (("class", "output"),)]
        return over(lambda at: self._windows.rate(counted, at, _HALF), self.rate("generation_tokens", _HALF))

    def lag(self) -> Reading:
        """Age of the newest record that the gateway's exporter has seen."""
        (lag,) = (samples for (name, _), samples in self._pool.gateway.items() if name == "usage_lag")
        return lag.at

    def strangers(self) -> Reading:
        """Share of the gateway's requests whose team is shown as `other`."""
        every = [samples for (name, _), samples in self._pool.gateway.items() if name == "usage_requests"]
        odd = self._pool.gateway["usage_overflow", (("label", "team"),)]
        rate = self._windows.rate
        return over(
            lambda at: rate(odd, at, _HALF), lambda at: self._sum(rate(one, at, _HALF) for one in every)
        )


def _share(shares: Callable[[int], dict[str, float]], le: str, at: int) -> float | None:
    return shares(at).get(le)


def _times(value: float | None, count: int) -> float | None:
    return None if value is None else value * count


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def over(part: Reading, whole: Reading) -> Reading:
    def found(at: int) -> float | None:
        above, below = part(at), whole(at)
        return above / below if above is not None and below else None

    return found


def drop(now: Reading, usual: Reading) -> Reading:
    ratio = over(now, usual)
    return lambda at: None if (value := ratio(at)) is None else 1 - value


def _last(samples: Samples, first: int, last: int) -> float | None:
    found = samples.between(first, last)
    return found[-1][-1] if found else None


def _starts(born: Reading, first: int, last: int, interval: int) -> int:
    """Different processes seen in the hour; the first of them is news only when it is itself younger."""
    seen = [value for at in range(max(0, first), last + 1) if (value := born(at)) is not None]
    changes = sum(a != b for a, b in pairwise(seen))
    return changes + (bool(seen) and min(seen) > last * interval - _HOUR)
