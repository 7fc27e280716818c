"""Measure a real vLLM under rising load; README.md beside this file says how to start one.

    python measure.py CASE --port 8011 --pid PID -o measured.json

Costs are taken while nobody waits; then each plateau offers a share of what the batch limit could serve at these costs.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

import plateau
import probe
from fit import line
from server import Server
from traffic import Lengths, arrivals, mean_lengths


@dataclass(frozen=True)
class Case:
    """What is asked of the server: lengths, shares of its capacity, seconds of each plateau."""

    lengths: Lengths
    shares: tuple[float, ...]
    seconds: int


CASES = {
    "batch": Case(Lengths(64, 32, 0.6, 200), (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.2, 1.5), 90),
    "kv": Case(Lengths(64, 80, 0.6, 300), (0.2, 0.4, 0.6, 0.8, 1.0), 120),
}


def capacity(lengths: Lengths, costs: dict[str, dict[int, float]]) -> float:
    """Requests per second of a full batch with room for its KV blocks.

    In the time of one request the batch takes in as many prompts as it has places.
    """
    batch = max(costs["step"])
    prompt, reply = mean_lengths(lengths)
    _, per_token = line(list(costs["first_token"].items()))
    return batch / (reply * costs["step"][batch] + batch * prompt * per_token)


async def cost(server: Server) -> dict[str, dict[int, float]]:
    chance = random.Random(0)  # noqa: S311 - chance that can be repeated, no secret
    await probe.step(server, 1, 8, chance)  # the first request of a server's life is slower
    steps = await probe.steps(server, 20, chance)
    return {"step": steps, "first_token": await probe.prompts(server, 9, chance)}


async def run(
    case: Case, server: Server, watched: plateau.Watched, shares: tuple[float, ...], seed: int
) -> AsyncIterator[dict[str, object]]:
    """What is known after each plateau."""
    costs = await cost(server)
    full = capacity(case.lengths, costs)
    _tell(f"capacity {full:.3f} requests/s")
    found = {
        "engine": {"max_num_seqs": max(costs["step"])} | await server.cache(),
        "lengths": asdict(case.lengths),
        "low_load_seconds": _rounded(costs),
        "capacity": round(full, 4),
    }
    plateaus: list[dict[str, object]] = []
    for number, share in enumerate(shares):
        requests = arrivals(share * full, case.seconds, case.lengths, seed + number)
        one = await plateau.measure(server, watched, requests, case.seconds, seed)
        brief = {key: one[key] for key in ("mean", "ttft", "preemptions", "machine")}
        _tell(f"{share:.0%}, {len(requests)} requests: {brief}")
        plateaus.append({"share": share, "rate": round(share * full, 4)} | one)
        yield found | {"plateaus": plateaus}
    yield found | {"low_load_seconds_after": _rounded(await cost(server)), "plateaus": plateaus}


def _tell(what: str) -> None:
    sys.stderr.write(f"{time.strftime('%X')} {what}\n")


def _rounded(costs: dict[str, dict[int, float]]) -> dict[str, dict[str, float]]:
    return {name: {str(x): round(y, 5) for x, y in points.items()} for name, points in costs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--port", type=int, default=8011)
    parser.add_argument(
        "--pid", type=int, required=True, help="the server's process: its CPU is not 'others'"
    )
    parser.add_argument("--late", type=Path, help="the server's PACE_LATE file")
    parser.add_argument("--model", default="tiny-llama")
    parser.add_argument("--shares", help="only these plateaus, as 0.2,1.5")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    case = CASES[given.case]
    shares = tuple(map(float, given.shares.split(","))) if given.shares else case.shares
    watched = plateau.Watched(given.pid, given.late)
    asyncio.run(
        _save(
            given.case, given.output, run(case, Server(given.port, given.model), watched, shares, given.seed)
        )
    )


async def _save(name: str, output: Path, states: AsyncIterator[dict[str, object]]) -> None:
    async for state in states:
        await asyncio.to_thread(output.write_text, json.dumps({name: state}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
