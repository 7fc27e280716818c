"""What one evaluation of all rules costs a real Prometheus, rule by rule, and how it grows with the fleet.

The raw series of a healthy fleet are written into a Prometheus of its own, as far back as any rule looks and a few
minutes ahead; recorded series get their history from their own rules. Then the rules run, and Prometheus says how long.
"""

import argparse
import graphlib
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import exposed
import requests
import yaml
from remote_write import Writer, encode, encode_labels
from windows import Window, instants, windows

from sre.answers import Sample
from sre.cli.inputs import read_inputs
from sre.compile.plan import Plan, RecordRule
from sre.compile.planning import make_plan
from sre.compile.prometheus import group_data
from sre.prometheus import Server
from sre.promql import series_read

STEP = 30
"""Seconds between scrapes, and between evaluations as compiled."""
HURRIED = 10
"""Seconds between evaluations here: what one costs does not depend on it, and the bench is done sooner."""
TARGET = 3.0
"""Seconds: a tenth of the interval."""

_CONFIG = {"global": {"scrape_interval": "1h", "evaluation_interval": "30s"}}
# One head block that holds last week's hour as well as the minutes ahead, and is never compacted while it is measured.
_FLAGS = ("--storage.tsdb.min-block-duration=20d", "--storage.tsdb.retention.time=60d", "--log.level=warn")
_RULE = tuple[str, int]
_NUMBER = re.compile(r"vector\(([0-9.]+)\)")


@dataclass(frozen=True)
class Result:
    """One size: seconds of each rule and group, by (group, place) and name, and what the process used."""

    cards: int
    series: int
    names: dict[_RULE, str]
    rules: dict[_RULE, float]
    groups: dict[str, float]
    cpu: float
    allocated: float
    resident: float
    missed: float

    @property
    def total(self) -> float:
        """Seconds of one evaluation, groups one after the other."""
        return sum(self.groups.values())


class Prometheus:
    """A real one, alone on its port and folder."""

    def __init__(self, folder: Path, url: str, pid: int) -> None:
        self.folder, self.url, self._pid, self.session = folder, url, pid, requests.Session()
        self.session.trust_env = False  # no proxy stands before a server of one's own

    def get(self, path: str) -> requests.Response:
        answer = self.session.get(self.url + path, timeout=120)
        answer.raise_for_status()
        return answer

    def metric(self, name: str) -> float:
        """One of its own, summed over its labels."""
        lines = (line for line in self.get("/metrics").text.splitlines() if line.startswith(name))
        return sum(float(line.rpartition(" ")[2]) for line in lines if line[len(name)] in " {")

    def load(self, rules: Path) -> None:
        """Begin to evaluate."""
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump({**_CONFIG, "rule_files": [str(rules)]}))
        answer = self.session.post(f"{self.url}/-/reload", timeout=120)
        if not answer.ok:
            raise SystemExit(f"Prometheus refused the rules: {answer.text.strip()}")

    @property
    def peak(self) -> float:
        """The most memory that it held, in MB."""
        status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """Run one until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_CONFIG))
    options = (
        "--web.enable-lifecycle",
        "--web.enable-remote-write-receiver",
        f"--web.listen-address={address}",
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", *options, *_FLAGS),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            server = Prometheus(folder, f"http://{address}", process.pid)
            while not _ready(server):
                if process.poll() is not None:
                    raise SystemExit(f"Prometheus ended:\n{(folder / 'log').read_text()}")
                time.sleep(0.1)
            yield server
        finally:
            process.kill()
            process.wait()


def _ready(server: Prometheus) -> bool:
    try:
        return server.session.get(f"{server.url}/-/ready", timeout=5).ok
    except requests.ConnectionError:
        return False


def plan_of(folder: Path, replicas: int) -> Plan:
    """The rules of a fleet of so many replicas."""
    (folder / "counters.csv").write_text(exposed.counters_file())
    (folder / "fleet.yaml").write_text(exposed.fleet(replicas))
    inputs = read_inputs(folder / "fleet.yaml")
    return make_plan(inputs.fleet, inputs.catalogue, inputs.listed)


def write_raw(writer: Writer, replicas: int, read: dict[str, list[Window]], begin: int, ahead: int) -> None:
    """Every series of every target, to ``ahead`` seconds after ``begin``; those that no rule reads are only there."""

    @cache
    def told(one: exposed.Shown) -> bytes:
        windows = [*read[one.name], (0, -ahead)] if one.name in read else [(0, 0)]
        samples = encode((begin + s, one.curve.at(s)) for s in instants(windows, STEP))
        return encode_labels({"__name__": one.name, **dict(one.labels)}) + samples

    for labels, shown in exposed.targets(replicas):
        target = encode_labels(labels)
        for one in shown:
            writer.add(target + told(one))
    writer.flush()


def write_recorded(writer: Writer, plan: Plan, read: dict[str, list[Window]], at: int) -> None:
    """The history of every recorded series, with the value that its rule gives at one moment."""
    server = Server(writer.url, writer.session)
    for rule in ordered([r for group in plan.groups for r in group.rules if isinstance(r, RecordRule)]):
        seconds, known = instants([*read.get(rule.record, ()), (0, 0)], STEP), dict[float, bytes]()
        for sample in answered(server, rule.expr, at):
            if sample.value not in known:
                known[sample.value] = encode((at + s, exposed.Curve(sample.value).at(s)) for s in seconds)
            labels = {**sample.labels, **rule.labels, "__name__": rule.record}
            writer.add(encode_labels(labels) + known[sample.value])
        writer.flush()


def answered(server: Server, expr: str, at: int) -> tuple[Sample, ...]:
    """What an expression gives; most rules are numbers out of the fleet file, which need no server."""
    number = _NUMBER.fullmatch(expr)
    return (Sample({}, at, float(number[1])),) if number else server.query(expr, at)


def ordered(rules: Sequence[RecordRule]) -> list[RecordRule]:
    """Each rule behind those whose series it reads."""
    by_name = defaultdict(list)
    for rule in rules:
        by_name[rule.record].append(rule)
    graph = {
        name: {read for rule in same for read in series_read(rule.expr) if read in by_name}
        for name, same in by_name.items()
    }
    return [rule for name in graphlib.TopologicalSorter(graph).static_order() for rule in by_name[name]]


def measure(cards: int, rounds: int, ahead: int) -> Result:
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
            server.load(rules_file(folder, plan))
            seen = list(watch(server, rounds, begin + ahead))
            series = int(server.metric("prometheus_tsdb_head_series"))
            missed = server.metric("prometheus_rule_group_iterations_missed_total")
            return summary(cards, series, seen, server.peak, missed)


def rules_file(folder: Path, plan: Plan) -> Path:
    """All groups, hurried."""
    path = folder / "rules.yaml"
    groups = [{**group_data(group), "interval": f"{HURRIED}s"} for group in plan.groups]
    path.write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    return path


@dataclass(frozen=True)
class Look:
    """Groups with their rules, by name; and so far: seconds of CPU, MB allocated, rules evaluated."""

    groups: dict[str, dict]
    cpu: float
    allocated: float
    evaluations: float


def watch(server: Prometheus, rounds: int, until: float) -> Iterator[Look]:
    """One look whenever every group has been evaluated anew; not at the first time, which is cold."""
    before = _finished(server, {}, until)
    for _ in range(rounds + 1):
        groups = _finished(server, before, until)
        allocated = server.metric("go_memstats_alloc_bytes_total") / 1e6
        used = server.metric("process_cpu_seconds_total")
        yield Look(groups, used, allocated, server.metric("prometheus_rule_evaluations_total"))
        before = groups


def _finished(server: Prometheus, before: dict[str, dict], until: float) -> dict[str, dict]:
    """All groups by name, as soon as each was evaluated since ``before``."""
    while time.time() < until:
        groups = {g["name"]: g for g in server.get("/api/v1/rules").json()["data"]["groups"]}
        if groups and all(
            g["evaluationTime"] and g["lastEvaluation"] != before.get(name, {}).get("lastEvaluation")
            for name, g in groups.items()
        ):
            return groups
        time.sleep(HURRIED / 2)
    raise SystemExit("Loading and measuring took longer than the samples reach: try a greater --ahead.")


def summary(cards: int, series: int, seen: list[Look], peak: float, missed: float) -> Result:
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
    ran = (seen[-1].evaluations - seen[0].evaluations) / len(names)
    return Result(
        cards,
        series,
        names,
        {key: statistics.median(values) for key, values in rules.items()},
        {key: statistics.median(values) for key, values in groups.items()},
        (seen[-1].cpu - seen[0].cpu) / ran,
        (seen[-1].allocated - seen[0].allocated) / ran,
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

    row("one evaluation, groups one after the other", [r.total for r in results], f"s (target {TARGET:g})")
    row("its longest group", [max(r.groups.values()) for r in results], "s")
    row("CPU of Prometheus, GC and all", [r.cpu for r in results], "s")
    row("allocated by Prometheus", [r.allocated for r in results], "MB", 0)
    row("memory of Prometheus, at most", [r.resident for r in results], "MB", 0)
    row("evaluations missed: CPU is too low", [r.missed for r in results], "", 0)
    row("series in its head", [r.series for r in results], "", 0)
    row("rules", [len(r.names) for r in results], "", 0)
    lines.append("")
    for name in last.groups:
        row(name, [r.groups.get(name, 0.0) for r in results], "s")
    lines.append("")
    costs = [by_name(result) for result in results]
    for name in sorted(costs[-1], key=costs[-1].__getitem__, reverse=True)[:rows]:
        row(name, [cost.get(name, 0.0) for cost in costs], f"s, {costs[-1][name] / last.total:.1%}")
    return "\n".join(line.rstrip() for line in lines)


def by_name(result: Result) -> dict[str, float]:
    """Seconds by what is recorded or alerted; an alert of several rules, or a threshold of many pools, is one line."""
    found = defaultdict[str, float](float)
    for key, seconds in result.rules.items():
        found[result.names[key]] += seconds
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cards", type=int, nargs="+", default=[1000, 10000], help="sizes of the fleet")
    parser.add_argument("--rounds", type=int, default=5, help="evaluations of which the median is shown")
    parser.add_argument("--ahead", type=int, default=420, help="seconds of samples beyond the beginning")
    parser.add_argument("--rows", type=int, default=10, help="rules shown, dearest first")
    asked = parser.parse_args()
    # A plain end leaves neither a process nor a folder behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = [measure(cards, asked.rounds, asked.ahead) for cards in sorted(asked.cards)]
    print(table(results, asked.rows))
    print(
        f"\nMedians of {asked.rounds} evaluations; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    print("Wall times of rules count whatever else ran; CPU and what was allocated do not.")


if __name__ == "__main__":
    main()
