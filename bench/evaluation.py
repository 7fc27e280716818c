"""What the evaluation of all rules costs a real Prometheus, rule by rule, and how it grows with the fleet.

The raw series of a healthy fleet are written into a Prometheus of its own, as far back as any rule looks and a few
minutes ahead; recorded series get their history from their own rules. Then the rules run, and Prometheus says how long.
Groups keep their pace towards one another: what is evaluated every two minutes counts a quarter in each thirty seconds.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import exposed
import yaml
from history import STEP, write_raw, write_recorded
from remote_write import Writer
from server import Prometheus, prometheus
from windows import windows

from sre.cli.inputs import read_inputs
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.compile.prometheus import group_data

TARGET = 3.0
"""Seconds: a tenth of the interval."""

_RULE = tuple[str, int]


@dataclass(frozen=True)
class Result:
    """One size: seconds of each rule and group, by (group, place) and name, and what the process used.

    ``cpu`` and ``allocated`` are those of one interval, with each group as often as it is evaluated in it.
    """

    cards: int
    series: int
    names: dict[_RULE, str]
    rules: dict[_RULE, float]
    groups: dict[str, float]
    shares: dict[str, float]
    cpu: float
    allocated: float
    resident: float
    missed: float

    @property
    def whole(self) -> float:
        """Seconds of all groups, one after the other."""
        return sum(self.groups.values())

    @property
    def total(self) -> float:
        """Seconds of rules in one interval."""
        return sum(seconds * self.shares[name] for name, seconds in self.groups.items())


def plan_of(folder: Path, replicas: int) -> Plan:
    """The rules of a fleet of so many replicas."""
    (folder / "counters.csv").write_text(exposed.counters_file())
    (folder / "fleet.yaml").write_text(exposed.fleet(replicas))
    inputs = read_inputs(folder / "fleet.yaml")
    return make_plan(inputs.fleet, inputs.catalogue, inputs.listed)


def measure(cards: int, rounds: int, ahead: int, hurry: int) -> Result:
    """Load a fleet of so many cards into a fresh Prometheus and watch it evaluate."""
    with tempfile.TemporaryDirectory(prefix="evaluation-") as name:
        folder, replicas = Path(name), cards // exposed.CARDS
        plan = plan_of(folder, replicas)
        read = windows(rule.expr for group in plan.groups for rule in group.rules)
        with prometheus(folder) as server:
            begin = int(time.time()) // STEP * STEP
            writer = Writer(server.url, server.session)
            write_raw(writer, replicas, read, begin, ahead)
            write_recorded(writer, plan, read, begin)
            server.load(rules_file(folder, plan, hurry))
            seen = list(watch(server, rounds, begin + ahead))
            shares = {group.name: STEP / group.interval for group in plan.groups}
            series = int(server.metric("prometheus_tsdb_head_series"))
            missed = server.metric("prometheus_rule_group_iterations_missed_total")
            return summary(cards, series, seen, shares, hurry, server.peak, missed)


def rules_file(folder: Path, plan: Plan, hurry: int) -> Path:
    """All groups, hurried alike."""
    path = folder / "rules.yaml"
    groups = [{**group_data(group), "interval": f"{group.interval // hurry}s"} for group in plan.groups]
    path.write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    return path


@dataclass(frozen=True)
class Look:
    """Groups with their rules, by name; and so far: seconds of CPU, MB allocated, and the time."""

    groups: dict[str, dict]
    cpu: float
    allocated: float
    at: float


def watch(server: Prometheus, rounds: int, until: float) -> Iterator[Look]:
    """One look in each round of the slowest group, the first when all have run twice: they begin cold."""
    pause = None
    for _ in range(rounds + 2):
        groups = _finished(server, until)
        if pause is None:
            pause = max(group["interval"] for group in groups.values())
        else:
            allocated = server.metric("go_memstats_alloc_bytes_total") / 1e6
            yield Look(groups, server.metric("process_cpu_seconds_total"), allocated, time.time())
        time.sleep(pause)


def _finished(server: Prometheus, until: float) -> dict[str, dict]:
    """All groups by name, as soon as each was evaluated."""
    while time.time() < until:
        groups = {g["name"]: g for g in server.get("/api/v1/rules").json()["data"]["groups"]}
        if groups and all(group["evaluationTime"] for group in groups.values()):
            return groups
        time.sleep(STEP / 8)
    raise SystemExit("Loading and measuring took longer than the samples reach: try a greater --ahead.")


def summary(
    cards: int,
    series: int,
    seen: list[Look],
    shares: dict[str, float],
    hurry: int,
    peak: float,
    missed: float,
) -> Result:
    """Medians over the looks."""
    rules, groups, names = defaultdict(list), defaultdict(list), dict[_RULE, str]()
    for look in seen:
        for group in look.groups.values():
            groups[group["name"]].append(group["evaluationTime"])
            for place, rule in enumerate(group["rules"]):
                if rule["health"] == "err":
                    raise SystemExit(f"{rule['name']} fails: {rule.get('lastError')}")
                rules[group["name"], place].append(rule["evaluationTime"])
                names[group["name"], place] = rule["name"]
    intervals = (seen[-1].at - seen[0].at) / STEP * hurry
    return Result(
        cards,
        series,
        names,
        {key: statistics.median(values) for key, values in rules.items()},
        {key: statistics.median(values) for key, values in groups.items()},
        shares,
        (seen[-1].cpu - seen[0].cpu) / intervals,
        (seen[-1].allocated - seen[0].allocated) / intervals,
        peak,
        missed,
    )


def table(results: Sequence[Result], rows: int) -> str:
    """Sizes side by side: the whole, the groups, and the rules that cost most, by name."""
    last = results[-1]
    head = f"{'':46}" + "".join(f"{result.cards:>12,}" for result in results) + f"{'growth':>9}"
    lines = [head + "   cards"]

    def row(what: str, values: Sequence[float], unit: str, digits: int = 3) -> None:
        cells = "".join(f"{value:>12,.{digits}f}" for value in values)
        growth = f"{values[-1] / values[0]:>8.1f}x" if values[0] else ""
        lines.append(f"{what:46}{cells}{growth:>9}   {unit}")

    row("one interval, groups one after the other", [r.total for r in results], f"s (target {TARGET:g})")
    row("all groups at once, one after the other", [r.whole for r in results], "s")
    row("its longest group: groups run side by side", [max(r.groups.values()) for r in results], "s")
    row("CPU of Prometheus in it, GC and all", [r.cpu for r in results], "s")
    row("allocated by Prometheus in it", [r.allocated for r in results], "MB", 0)
    row("memory of Prometheus, at most", [r.resident for r in results], "MB", 0)
    row("evaluations missed: CPU is too low", [r.missed for r in results], "", 0)
    row("series in its head", [r.series for r in results], "", 0)
    row("rules", [len(r.names) for r in results], "", 0)
    lines.append("")
    for name in last.groups:
        often = "" if last.shares[name] == 1 else f", in one interval of {1 / last.shares[name]:.0f}"
        row(name, [r.groups.get(name, 0.0) for r in results], f"s{often}")
    lines.append("")
    costs = [by_name(result) for result in results]
    for name in sorted(costs[-1], key=costs[-1].__getitem__, reverse=True)[:rows]:
        row(name, [cost.get(name, 0.0) for cost in costs], f"s, {costs[-1][name] / last.total:.1%}")
    return "\n".join(line.rstrip() for line in lines)


def by_name(result: Result) -> dict[str, float]:
    """Seconds in one interval by what is recorded or alerted; what several rules make is one line."""
    found = defaultdict[str, float](float)
    for key, seconds in result.rules.items():
        found[result.names[key]] += seconds * result.shares[key[0]]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cards", type=int, nargs="+", default=[1000, 10000], help="sizes of the fleet")
    parser.add_argument("--rounds", type=int, default=3, help="of two minutes' groups: the median is shown")
    parser.add_argument("--ahead", type=int, default=900, help="seconds of samples beyond the beginning")
    parser.add_argument(
        "--hurry", type=int, default=2, help="times as often as compiled: done sooner, costs alike"
    )
    parser.add_argument("--rows", type=int, default=10, help="rules shown, dearest first")
    asked = parser.parse_args()
    # A plain end leaves neither a process nor a folder behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = [measure(cards, asked.rounds, asked.ahead, asked.hurry) for cards in sorted(asked.cards)]
    print(table(results, asked.rows))
    print(
        f"\nMedians of {asked.rounds + 1} looks; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    print("Wall times of rules count whatever else ran; CPU and what was allocated do not.")


if __name__ == "__main__":
    main()
