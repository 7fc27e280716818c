"""Measure the alerts: simulate pool-days with seeded faults, run the compiled rules over them, write the table.

    python tools/quality/measure.py                 # writes docs/quality.md and docs/quality.json, resumes where it was
    python tools/quality/measure.py --check         # reruns a few of the days: 1 where one of them looks worse

Needs promtool. What is done of a run is kept in --scratch, under names that follow from the rules and the days; remove
that folder after a change of the simulator.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import astuple
from pathlib import Path

from sre.catalogue.model import Catalogue
from sre.cli.inputs import read_inputs
from sre.compile.planning import make_plan
from sre.compile.stand_in import StandIn
from sre.fleet import Fleet
from sre.lab.programs import find
from sre.lab.quality import results
from sre.lab.quality.days import PoolDay, days, faults_of, fleet_of
from sre.lab.quality.judge import Episode, judge, write
from sre.lab.quality.page import page
from sre.lab.quality.rules import judged
from sre.lab.quality.score import Scorer, onset, rows

ROOT = Path(__file__).parents[2]
FLEET, JSON, PAGE = (
    ROOT / "examples" / "fleet.yaml",
    ROOT / "docs" / "quality.json",
    ROOT / "docs" / "quality.md",
)
BATCH = 12
"""Pool-days in one promtool: what a rule costs beside its pools is then paid once for all."""
CHECKED = (0, 1, 2, 3, 6, 7)
"""Days that are run again by --check: working days, two of them without a fault."""

Fired = dict[int, tuple[Episode, ...]]


def main() -> int:
    """0: measured, or nothing worse; 1: something is worse."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=208)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--scratch", type=Path, default=ROOT / "out" / "quality")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--baseline", type=Path, default=JSON)
    asked = parser.parse_args()
    inputs = read_inputs(FLEET)
    return (
        check(inputs.fleet, inputs.catalogue, asked.baseline)
        if asked.check
        else measure(inputs.fleet, inputs.catalogue, asked)
    )


def measure(fleet: Fleet, catalogue: Catalogue, asked: argparse.Namespace) -> int:
    """Run every batch that is not done yet, then write the table."""
    asked.scratch.mkdir(parents=True, exist_ok=True)
    drawn = days(make_plan(fleet, catalogue), asked.days, asked.seed)
    # In the order of their days: a run that is ended early has weekends and working days alike.
    todo = sorted(batches(drawn), key=lambda batch: batch[0].number)
    fired, began = Fired(), time.monotonic()
    with ProcessPoolExecutor(asked.at_once) as pool:
        tasks = [pool.submit(run, batch, fleet, catalogue, asked.scratch) for batch in todo]
        for number, task in enumerate(as_completed(tasks), 1):
            fired |= task.result()
            say(f"{number} of {len(todo)} batches, {len(fired)} pool-days, {time.monotonic() - began:.0f} s")
            publish(fleet, catalogue, [day for day in drawn if day.number in fired], fired)
    return 0


def publish(fleet: Fleet, catalogue: Catalogue, drawn: Iterable[PoolDay], fired: Fired) -> None:
    """Write the table and the file that --check compares with."""
    found = tuple((day, fired[day.number]) for day in drawn)
    scored = rows(scorer(fleet, catalogue), [day for day, _ in found], fired)
    PAGE.write_text(page(found, scored, catalogue.faults), encoding="utf-8")
    JSON.write_text(results.text(found), encoding="utf-8")


def check(fleet: Fleet, catalogue: Catalogue, baseline: Path) -> int:
    """Rerun a few days of the file, and say what is worse; 2 where there is nothing to compare with."""
    known = results.read(baseline) if baseline.exists() else ()
    known = tuple(pair for pair in known if pair[0].number in CHECKED)
    if not known:
        say(f"{baseline.name} holds none of the days that are compared: run `make quality` first")
        return 2
    batch = tuple(day for day, _ in known)
    with tempfile.TemporaryDirectory() as folder:
        file = write(batch, fleet, catalogue, Path(folder))
        fired = judge(find("promtool")["promtool"], batch, file)
    worse = list(results.worse(scorer(fleet, catalogue), known, fired))
    for sentence in worse:
        say(sentence)
    say(f"{len(batch)} pool-days as in {baseline.name}: {len(worse) or 'nothing'} worse")
    return 1 if worse else 0


def batches(drawn: tuple[PoolDay, ...]) -> Iterable[tuple[PoolDay, ...]]:
    """Days that can share a fleet: all of them working days, or none."""
    for weekend in (True, False):
        same = [day for day in drawn if day.weekend == weekend]
        yield from (tuple(same[at : at + BATCH]) for at in range(0, len(same), BATCH))


def run(batch: tuple[PoolDay, ...], fleet: Fleet, catalogue: Catalogue, scratch: Path) -> Fired:
    """Episodes of a batch, from the file of an earlier run where there is one."""
    rules = judged(make_plan(fleet_of(fleet, batch), catalogue))
    told = "\n".join([rules.groups, *rules.given, repr(batch)])
    kept = scratch / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            found = judge(find("promtool")["promtool"], batch, write(batch, fleet, catalogue, Path(folder)))
        text = json.dumps({number: [astuple(one) for one in fired] for number, fired in found.items()})
        half = kept.with_suffix(f".{os.getpid()}")
        half.write_text(text, encoding="utf-8")
        half.replace(kept)
    data = json.loads(kept.read_text(encoding="utf-8"))
    return {int(number): tuple(Episode(*one) for one in fired) for number, fired in data.items()}


def scorer(fleet: Fleet, catalogue: Catalogue) -> Scorer:
    """What each fault must fire in each pool of the fleet, and when it has happened."""
    plan = make_plan(fleet, catalogue)
    pairs = {(pool.name, fault.name): rules for pool in fleet.pools for fault, rules in faults_of(plan, pool)}
    onsets = {
        (pool.name, name): onset(catalogue.faults[name], stand_in.whole.shape.usual, stand_in.thresholds)
        for pool in fleet.pools
        for stand_in in [StandIn(plan, pool)]
        for like, name in pairs
        if like == pool.name
    }
    return Scorer(pairs, catalogue.faults, onsets)


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
