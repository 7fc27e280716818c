"""How long `sre backtest` takes over a week of eight replicas at 30 s: prints, judges nothing.

The week is made of what the simulator says of a healthy pool, led on evenly, with a queue that piles up now and
then; a Prometheus of its own holds it, as a fleet's server would.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sre import content
from sre.catalogue.load import load
from sre.checks.backtest.samples import packed
from sre.checks.backtest.scratch import Scratch, scratch
from sre.cli.inputs import read_inputs
from sre.compile.planning import make_plan
from sre.compile.stand_in import StandIn
from sre.fleet import Fleet
from sre.simulate.pool import Simulator
from sre.simulate.samples import Samples

SRE = Path(sys.executable).parent / "sre"
REPLICAS, STEP, DAY = 8, 30_000, 86_400_000
FLEET = f"""\
version: 1
name: bench
gpu_exporter: {{kind: dcgm, version: "4.8.2"}}
pools:
  - name: chat-70b
    engine: {{kind: vllm, version: "0.32.0"}}
    gpus: {{type: h100, per_replica: 1, replicas: {REPLICAS}}}
"""
_PILES = 7
"""Times in a day that a replica's queue piles up, for five to forty minutes."""


def series(folder: Path) -> Iterator[tuple[dict[str, str], Samples]]:
    """Every series of the simulated pool, as its first scrapes show it."""
    (folder / "fleet.yaml").write_text(FLEET, encoding="utf-8")
    catalogue = load(content.root())
    fleet: Fleet = read_inputs(folder / "fleet.yaml").fleet
    plan = make_plan(fleet, catalogue)
    stand_in = StandIn(plan, fleet.pools[0])
    simulator = Simulator(replace(stand_in.whole.shape, replicas=REPLICAS, cards=1))
    healthy = catalogue.faults["healthy"]
    simulated = simulator.simulate(simulator.lay_out(healthy, healthy, 1200))
    for block in stand_in.blocks(simulated, cards=True):
        for text, samples in block:
            name, _, inside = text.partition("{")
            yield {"__name__": name, **dict(re.findall(r'(\w+)="([^"]*)"', inside))}, samples


def fill(server: Scratch, found: list[tuple[dict[str, str], Samples]], start: int, end: int) -> int:
    """Write the period; the number of samples."""
    count = 0
    for number, (labels, samples) in enumerate(found):
        length = sum(run.length for run in samples.runs)
        last, before = samples.at(length - 1), samples.at(length - 21)
        if last is None or before is None:
            continue
        slope = (last - before) / 20
        waits = labels["__name__"].endswith("num_requests_waiting")
        points = [
            (at, packed(last + slope * index + (_pile(at, number) if waits else 0)))
            for index, at in enumerate(range(start, end, STEP))
        ]
        server.write(labels, points)
        count += len(points)
    server.flush()
    return count


def _pile(at: int, number: int) -> float:
    """A queue that builds up at another minute on each replica, now high and now low, and is worked off."""
    day, part = divmod(at + number * 7 * 60_000, DAY // _PILES)
    lasts, high = 5 + day * 13 % 36, 9 + (day * 7 + number * 5) % 11**2
    return float(high) if part < lasts * 60_000 else 0.0


def main() -> None:
    """Fill, ask, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=float, default=7)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name, scratch() as server:
        folder = Path(name)
        end = int(time.time()) * 1000 // STEP * STEP
        found = list(series(folder))
        began = time.perf_counter()
        count = fill(server, found, end - round((chosen.days + 0.1) * DAY), end + 10 * STEP)
        print(
            f"{len(found)} series, {count / 1e6:.1f} million samples, written in {time.perf_counter() - began:.1f} s"
        )
        for what, more in (("all alerts", []), ("a sweep", ["--sweep", "LLMQueueDepthHigh"])):
            began = time.perf_counter()
            rows = _rows(folder, server.server.url, [f"--since={chosen.days * 24:g}h", *more])
            print(f"sre backtest, {what}: {time.perf_counter() - began:.1f} s, {len(rows)} rows")


def _rows(folder: Path, url: str, more: list[str]) -> list[object]:
    command = [
        SRE,
        "backtest",
        folder / "fleet.yaml",
        "--prometheus",
        url,
        "--json",
        folder / "rows.json",
        *more,
    ]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"sre backtest failed:\n{done.stdout}{done.stderr}")
    return list(json.loads((folder / "rows.json").read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
