"""One plateau: an idle server is given Poisson arrivals for a while and looked at every second until it is idle."""

import asyncio
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import machine
from server import Reply, Server
from traffic import Request

PROC = Path("/proc")
GAUGES = {
    "waiting": "vllm:num_requests_waiting",
    "running": "vllm:num_requests_running",
    "kv_usage": "vllm:kv_cache_usage_perc",
}
COUNTERS = {
    "steps": "vllm:iteration_tokens_total_count",
    "preemptions": "vllm:num_preemptions_total",
    "prompt_tokens": "vllm:prompt_tokens_total",
    "reply_tokens": "vllm:generation_tokens_total",
}
HISTOGRAMS = {
    "token_gap": "vllm:inter_token_latency_seconds",
    "ttft": "vllm:time_to_first_token_seconds",
    "queued": "vllm:request_queue_time_seconds",
    "prefill": "vllm:request_prefill_time_seconds",
    "decode": "vllm:request_decode_time_seconds",
}
"""Their means as the server tells them: from its own clocks, without the way to the client."""
Sample = dict[str, float]


@dataclass(frozen=True)
class Watched:
    """The server's process, and the file that says how late its steps were (see paced_worker.py)."""

    pid: int
    late: Path | None

    def spent(self) -> float:
        return machine.spent(PROC, self.pid) + machine.spent(PROC, os.getpid())

    def lateness(self) -> float:
        return float(self.late.read_text()) if self.late and self.late.exists() else 0.0


@dataclass(frozen=True)
class State:
    """What has been counted up to some moment: by the server, by the machine, by its processes, by the pace."""

    counted: Sample
    busy: float
    spent: float
    late: float


async def measure(
    server: Server, watched: Watched, requests: Sequence[Request], seconds: int, seed: int
) -> dict[str, object]:
    """Drive the server with these requests; means are over ``seconds``, latencies over all of the requests."""
    before = await _state(server, watched)
    begin = time.monotonic()
    chance = random.Random(seed)  # noqa: S311 - chance that can be repeated, no secret
    sending = [asyncio.create_task(_send(server, request, begin, chance)) for request in requests]
    looks, slips = await _watch(server, begin, seconds)
    replies = await asyncio.gather(*sending)
    drained = time.monotonic() - begin
    after = await _state(server, watched)
    return {
        "seconds": seconds,
        "requests": {
            "at": [round(reply.sent - begin, 3) for reply in replies],
            "prompt": [request.prompt for request in requests],
            "reply": [request.reply for request in requests],
        },
        "mean": {name: round(fmean(look[name] for look in looks), 4) for name in GAUGES},
        "ttft": quantiles([reply.first - reply.sent for reply in replies]),
        "e2e": quantiles([reply.done - reply.sent for reply in replies]),
        "server_mean": {name: round(_mean(before, after, series), 5) for name, series in HISTOGRAMS.items()},
        "drained_after": round(drained, 1),
        **{name: round(_growth(before, after, series)) for name, series in COUNTERS.items()},
        "each_second": {name: [round(look[name], 3) for look in looks] for name in GAUGES},
        "machine": _disturbances(before, after, drained) | {"late_looks_seconds": round(fmean(slips), 3)},
    }


def _disturbances(before: State, after: State, seconds: float) -> dict[str, float]:
    others = (after.busy - before.busy) - (after.spent - before.spent)
    return {
        "load_average": round(os.getloadavg()[0], 1),
        "cores_used_by_others": round(others / seconds, 2),
        "late_steps_seconds": round(after.late - before.late, 2),
    }


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """Mean and quantiles by nearest rank, in milliseconds' grain."""
    ranked = sorted(values)
    picked = {f"p{q}": ranked[min(len(ranked) - 1, len(ranked) * q // 100)] for q in (50, 95, 99)}
    return {name: round(value, 3) for name, value in ({"mean": fmean(values)} | picked).items()}


async def _send(server: Server, request: Request, begin: float, chance: random.Random) -> Reply:
    await asyncio.sleep(max(0.0, begin + request.at - time.monotonic()))
    return await server.complete(request, chance)


async def _watch(server: Server, begin: float, seconds: int) -> tuple[list[Sample], list[float]]:
    """The gauges at every second, and by how much each look came late."""
    looks, slips = [], []
    for second in range(1, seconds + 1):
        await asyncio.sleep(max(0.0, begin + second - time.monotonic()))
        found = await server.metrics()
        slips.append(time.monotonic() - begin - second)
        looks.append({name: found[series] for name, series in GAUGES.items()})
    return looks, slips


async def _state(server: Server, watched: Watched) -> State:
    """As soon as nothing runs and nothing waits."""
    while True:
        found = await server.metrics()
        if not found[GAUGES["waiting"]] and not found[GAUGES["running"]]:
            return State(found, machine.busy(PROC), watched.spent(), watched.lateness())
        await asyncio.sleep(0.5)


def _growth(before: State, after: State, series: str) -> float:
    return after.counted[series] - before.counted.get(series, 0.0)


def _mean(before: State, after: State, series: str) -> float:
    return _growth(before, after, f"{series}_sum") / _growth(before, after, f"{series}_count")
