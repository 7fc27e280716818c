"""The queueing model under the arrivals that a real server was given, with costs taken while nobody waited."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from statistics import fmean
from typing import Any

from fit import line

from sre.simulate.batching import Batch, Pace
from sre.simulate.draws import Request

QUANTILES = ("p50", "p95", "p99")


@dataclass
class Figures:
    """What the model says of one plateau: gauges at every second of it, seconds to the first token of every request."""

    each_second: dict[str, list[float]] = field(
        default_factory=lambda: {"waiting": [], "running": [], "kv_usage": []}
    )
    ttft: list[float] = field(default_factory=list)
    preemptions: int = 0

    @property
    def mean(self) -> dict[str, float]:
        return {name: fmean(values) for name, values in self.each_second.items()}

    @property
    def quantiles(self) -> dict[str, float]:
        """Of the time to the first token, by nearest rank, as they were measured."""
        ranked = sorted(self.ttft)
        return {name: ranked[min(len(ranked) - 1, len(ranked) * int(name[1:]) // 100)] for name in QUANTILES}


def replay(case: Mapping[str, Any], plateau: Mapping[str, Any]) -> Figures:
    """Let the requests of a measured plateau happen to the model. ``case`` is a case of the fixture."""
    figures, (pace, way) = Figures(), derive(case)

    def first(_now: float, waited: float, read: float) -> None:
        figures.ttft.append(waited + read + way)

    batch = Batch(pace, inf, first, lambda _request, _now: None)
    for at, request in _events(plateau):
        batch.advance(at)
        if request:
            batch.arrive(request)
        else:
            _look(batch, figures)
    while batch.running or batch.waiting:
        batch.advance(batch.now + 1)
    figures.preemptions = batch.counted.preempted
    return figures


def derive(case: Mapping[str, Any]) -> tuple[Pace, float]:
    """The model's costs, and seconds that a token is on its way to the client: both from an unhurried server.

    vLLM reads a prompt of this size within one step, which that makes longer for everyone in the batch.
    """
    low, engine, prompt = case["low_load_seconds"], case["engine"], case["lengths"]["prompt"]
    base, slope = line([(float(batch), seconds) for batch, seconds in low["step"].items()])
    lone, prompt_token = line([(float(tokens), seconds) for tokens, seconds in low["first_token"].items()])
    step = base + slope
    pace = Pace(
        base=base,
        slope=slope,
        plain=step,
        usual=step,
        read=step / prompt,
        held_up=prompt_token,
        cached=0.0,
        limit=engine["max_num_seqs"],
        blocks=engine["kv_blocks"],
        block=engine["block_tokens"],
    )
    return pace, lone + prompt_token * prompt - step


def _events(plateau: Mapping[str, Any]) -> list[tuple[float, Request | None]]:
    """Arrivals, and the seconds at which the server was looked at."""
    asked = plateau["requests"]
    columns = zip(asked["at"], asked["prompt"], asked["reply"], strict=True)
    arrivals = [(at, Request(at, prompt, reply)) for at, prompt, reply in columns]
    looks = [(float(second), None) for second in range(1, plateau["seconds"] + 1)]
    return sorted([*arrivals, *looks], key=lambda event: event[0])


def _look(batch: Batch, figures: Figures) -> None:
    seen = figures.each_second
    seen["waiting"].append(len(batch.waiting))
    seen["running"].append(len(batch.running))
    seen["kv_usage"].append(batch.census().blocks / batch.pace.blocks)
