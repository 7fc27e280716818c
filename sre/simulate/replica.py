"""An engine replica as a fluid: requests arrive, wait for a place in the batch, take KV blocks, leave tokens.

A step is one scrape interval. Within a step rates are constant; the batch is in balance with what arrives
(Little's law), and only the queue remembers. Everything follows from the inputs
(``sre.catalogue.faults.REPLICA``), without clock or chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log2

from sre.simulate.service import Bounds, Inputs, Service, service
from sre.simulate.spread import Share, Skewed

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A signal, with its suffix where it is a histogram's, and its labels."""

WAIT_SIGMA = 0.5
"""Width of the distribution of waits."""

GRAIN = 16
"""Counters grow by sixteenths: exact in binary, for a counter that loses its last bit looks like a restart."""


@dataclass(frozen=True)
class Flow:
    """One replica in one step.

    Gauges as they are, counters as growth over the step. The queue grows by ``queue_growth`` requests, and
    until it holds ``same_until`` nothing else changes; ``load`` is the batch against the usual one.
    """

    gauges: dict[str, float]
    growth: dict[Key, float]
    queue_growth: float
    same_until: float
    load: float


class Flows:
    """The steps of replicas with the same healthy inputs (``usual``) and histograms; each is computed once."""

    def __init__(self, usual: Inputs, bounds: Bounds, interval: float) -> None:
        self._usual, self._bounds, self._interval = usual, bounds, interval
        self._known: dict[tuple[float, ...], Flow] = {}

    def at(self, inputs: Inputs, waiting: float) -> Flow:
        """The step that these inputs make of a queue of so many requests."""
        key = (waiting, *inputs.values())
        if key not in self._known:
            self._known[key] = flow(inputs, self._usual, waiting, self._bounds, self._interval)
        return self._known[key]


def flow(inputs: Inputs, usual: Inputs, waiting: float, bounds: Bounds, interval: float) -> Flow:
    """The step that these inputs make. ``usual`` are the healthy inputs, ``waiting`` the queue at the step's start."""
    cost, running_usual = service(inputs, bounds), usual["running"]
    batch = inputs["batch_limit"]
    if inputs["kv_fill"] > 1:
        batch = min(batch, running_usual / inputs["kv_fill"])
    capacity = batch / cost.seconds
    arrivals = running_usual / cost.seconds if inputs["closed"] else inputs["arrivals"]
    queued = waiting > 0 or arrivals > capacity * (1 + 1e-9)
    served = capacity if queued else arrivals
    running = batch if queued else arrivals * cost.seconds
    growth = arrivals - capacity if queued else 0.0
    full = inputs["kv_fill"] * running / running_usual >= 1
    delay = _coarse(waiting / capacity) if queued else 0.0
    gauges = {
        "running": float(round(running)),
        "kv_cache_usage": round(min(1.0, inputs["kv_fill"] * running / running_usual), 4),
    }
    rates = _counters(inputs, cost, served, running, full) | _histograms(inputs, cost, served, delay, bounds)
    until = (
        _coarse_until(waiting / capacity) * capacity if growth > 0 and waiting > 0 else _SHORTEST * capacity
    )
    return Flow(
        gauges,
        {key: grain(rate * interval) for key, rate in rates.items()},
        growth * interval,
        until,
        running / running_usual,
    )


def grain(count: float) -> float:
    """The nearest multiple of the grain."""
    return round(count * GRAIN) / GRAIN


_SHORTEST = 0.05


def _coarse(seconds: float) -> float:
    """A delay on a grid of halves of an octave: histograms then change seldom, and their series stay short."""
    return float(f"{2 ** (round(2 * log2(seconds)) / 2):.3g}") if seconds > _SHORTEST else 0.0


def _coarse_until(seconds: float) -> float:
    """The delay up to which a growing one is felt as this one."""
    return max(_SHORTEST, 2 ** ((round(2 * log2(seconds)) + 0.5) / 2)) if seconds > _SHORTEST else _SHORTEST


def _counters(inputs: Inputs, cost: Service, served: float, running: float, full: bool) -> dict[Key, float]:
    prompt, replied = served * inputs["prompt"], served * cost.tokens
    # A client that gives up before its reply leaves nothing behind; these do get an answer.
    cut = inputs["cut"] * (1 - inputs["runaway"]) + inputs["runaway"]
    done = served * (1 - inputs["server_errors"] - inputs["client_errors"])
    return {
        ("prompt_tokens", ()): prompt,
        ("generation_tokens", ()): replied,
        ("steps", ()): min(1.0, running) / cost.itl.mean,
        ("prefix_cache_queries", ()): prompt,
        ("prefix_cache_hits", ()): prompt * inputs["cached"],
        ("preemptions", ()): inputs["thrown_out"] if full else 0.0,
        ("finishes", (("reason", "stop"),)): done * (1 - cut),
        ("finishes", (("reason", "length"),)): done * cut,
        ("finishes", (("reason", "abort"),)): 0.0,
        ("responses", (("status", "2xx"),)): done,
        ("responses", (("status", "4xx"),)): served * inputs["client_errors"],
        ("responses", (("status", "5xx"),)): served * inputs["server_errors"],
    }


def _histograms(
    inputs: Inputs, cost: Service, served: float, delay: float, bounds: Bounds
) -> dict[Key, float]:
    waited = Skewed((inputs["wait"] + delay) / exp(WAIT_SIGMA**2 / 2), WAIT_SIGMA)
    done = served * (1 - inputs["server_errors"] - inputs["client_errors"])
    first = delay + cost.ttft.mean
    return {
        **_histogram("ttft", served, lambda x: cost.ttft.share(x - delay), first, bounds),
        **_histogram("itl", served * max(cost.tokens - 1, 0), cost.itl.share, cost.itl.mean, bounds),
        **_histogram(
            "e2e", done, lambda x: cost.reply_share((x - first) / cost.itl.mean), delay + cost.seconds, bounds
        ),
        **_histogram("queue_wait", served, waited.share, waited.mean, bounds),
        **_histogram("output_tokens", done, cost.reply_share, cost.tokens, bounds),
    }


def _histogram(name: str, rate: float, share: Share, mean: float, bounds: Bounds) -> dict[Key, float]:
    buckets = {_bucket(name, b): rate * share(b) for b in bounds.get(name, ())}
    buckets[f"{name}_bucket", (("le", "+Inf"),)] = rate
    return {**buckets, (f"{name}_sum", ()): rate * mean, (f"{name}_count", ()): rate}


@lru_cache(maxsize=1024)
def _bucket(name: str, bound: float) -> Key:
    # As Python's client prints it: 1.0, 0.5, 2560.0.
    return f"{name}_bucket", (("le", repr(float(bound))),)


def healthy(
    thresholds: Mapping[str, float | None], bounds: Bounds, simulated: int, cards: int
) -> dict[str, float]:
    """Inputs of a replica that keeps every promise of its pool with room to spare.

    ``thresholds`` in base units, None where one does not apply. Enough requests pass for every guard on their
    number.
    """

    def limit(name: str, default: float) -> float:
        value = thresholds.get(name)
        return default if value is None else value

    e2e = 0.5 * limit("e2e_p99", 10)
    inputs = {
        "prompt": 480.0,
        "cached": 0.42,
        "wait": 0.02,
        "cut": 0.004,
        "runaway": 0.0,
        "runaway_tokens": 0.0,
        "ttft_p95": min(0.4 * limit("ttft_p95", 0.5), 0.3 * e2e),
        "itl_p95": min(0.4 * limit("itl_p95", 0.08), e2e / 40),
        "e2e_p99": e2e,
        "reply": 0.0,
        "burst": 0.0,
        "closed": 0.0,
        "thrown_out": 0.0,
        "kv_fill": min(0.35, 0.4 * limit("kv_cache_usage", 0.95)),
        "server_errors": 0.05 * limit("error_rate", 0.01),
        "client_errors": 0.05 * limit("client_error_rate", 0.1),
        "stalled": 0.0,
        "unreachable": 0.0,
        "gone": 0.0,
        "restarted": 0.0,
        "skew": 0.0,
        "renamed": 0.0,
        "leaked_pid": 0.0,
    }
    cost = service(inputs, bounds)
    # The length that was found stays, whatever else changes: a slower engine does not shorten replies.
    inputs |= {"reply": cost.reply.median, "e2e_p99": 0.0}
    asked = max(
        24.0, limit("minimum_events", 10) / 100 / simulated, limit("output_events", 100) / 1200 / simulated
    )
    running = max(4, round(asked * cost.seconds + 0.5))
    inputs |= {
        "running": float(running),
        "arrivals": running / cost.seconds,
        "batch_limit": 8.0 * running,
        "capacity": 8 * running / cost.seconds,
        "reply_mean": cost.tokens,
        "simulated": float(simulated),
        "cards": float(cards),
    }
    return inputs
