"""What a queueing replica counts from its start on, and how that reads as signals."""

from functools import lru_cache
from heapq import heappop, heappush

from sre.simulate.batching import Batch, Census
from sre.simulate.draws import Request
from sre.simulate.replica import Key
from sre.simulate.service import ITL_SIGMA, Bounds
from sre.simulate.tally import Spread, Tally

REASONS, STATUSES = ("stop", "length", "abort"), ("2xx", "4xx", "5xx")
_PLAIN = (
    "process_start", "running", "queue_depth", "kv_cache_usage", "steps", "preemptions", "prompt_tokens",
    "generation_tokens", "prefix_cache_queries", "prefix_cache_hits",
)  # fmt: skip
_HISTOGRAMS = ("ttft", "itl", "e2e", "queue_wait", "output_tokens")


class Meter:
    """Counters and histograms of one process."""

    def __init__(self, bounds: Bounds) -> None:
        self.ttft, self.e2e, self.queue_wait, self.output_tokens = (
            Tally(bounds.get(name, ())) for name in _HISTOGRAMS if name != "itl"
        )
        self.itl = Spread(bounds.get("itl", ()), ITL_SIGMA)
        self.finishes, self.responses = dict.fromkeys(REASONS, 0), dict.fromkeys(STATUSES, 0)
        self._due: list[tuple[float, float]] = []

    def first_token(self, due: float, seconds: float) -> None:
        """A first token will be seen at the moment ``due``, so many seconds after its request came."""
        heappush(self._due, (due, seconds))

    def done(self, request: Request, now: float) -> None:
        """A reply is whole."""
        self.finishes["length" if request.cut else "stop"] += 1
        self.responses["2xx"] += 1
        self.e2e.add(now - request.arrived)
        self.output_tokens.add(float(request.reply))

    def catch_up(self, batch: Batch, census: Census) -> None:
        """Count what has happened in the batch since this was last called."""
        while self._due and self._due[0][0] <= batch.now:
            self.ttft.add(heappop(self._due)[1])
        self.itl.add(batch.gaps(), census.tokens - census.begun - self.itl.count)
        self.finishes["abort"] = batch.counted.gave_up

    def values(self, born: float, batch: Batch, census: Census) -> tuple[float, ...]:
        """Every signal, in the order of ``keys``."""
        counted = batch.counted
        plain = (
            born, len(batch.running), len(batch.waiting), min(1.0, census.blocks / batch.pace.blocks),
            int(batch.steps), counted.preempted, counted.prompt_tokens, census.tokens,
            counted.prompt_tokens, int(counted.hit_tokens), *self.finishes.values(), *self.responses.values(),
        )  # fmt: skip
        tallies = (self.ttft, self.itl, self.e2e, self.queue_wait, self.output_tokens)
        return (*map(float, plain), *(value for tally in tallies for value in tally.values()))


def keys(bounds: Bounds) -> tuple[Key, ...]:
    """The signals that a replica with these histograms exposes, in order."""
    return _keys(tuple(tuple(bounds.get(name, ())) for name in _HISTOGRAMS))


@lru_cache(maxsize=64)
def _keys(bounds: tuple[tuple[float, ...], ...]) -> tuple[Key, ...]:
    found: list[Key] = [(name, ()) for name in _PLAIN]
    found += [("finishes", (("reason", reason),)) for reason in REASONS]
    found += [("responses", (("status", status),)) for status in STATUSES]
    for name, upper in zip(_HISTOGRAMS, bounds, strict=True):
        found += [(f"{name}_bucket", (("le", le),)) for le in (*map(repr, upper), "+Inf")]
        found += [(f"{name}_sum", ()), (f"{name}_count", ())]
    return tuple(found)
