"""A served fleet from the files that say what is to happen to it: all of them are read before anything is served."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from sre.compile.plan import Plan
from sre.findings import Finding, Refused, tried
from sre.lab.faults_file import read_happenings
from sre.lab.pool import Work
from sre.lab.trace_file import load_trace, replayed
from sre.lab.world import World
from sre.simulate.demand import Demand, flat, week
from sre.simulate.queueing import Workload


def open_world(
    plan: Plan,
    faults: Path | None = None,
    trace: Path | None = None,
    monday: float | None = None,
    seed: int = 0,
    epoch: float = 0.0,
    speed: float = 1.0,
) -> tuple[World, list[Finding]]:
    """The fleet at its second 0, and warnings. ``monday`` is how long ago the week began, where demand follows it.

    Raises ``Refused`` with everything that is wrong in either file.
    """
    findings = list[Finding]()
    told = tried(lambda: read_happenings(faults, plan.fleet, plan.catalogue) if faults else None, findings)
    asked = tried(lambda: load_trace(trace) if trace else None, findings)
    if findings:
        raise Refused(findings)
    demand: Demand = flat if monday is None else week(str(seed), monday)
    work: Work = partial(replayed, asked, demand) if asked else partial(_by_chance, demand)
    happenings, warnings = told or ({}, [])
    return World(plan, happenings, work, seed, epoch, speed), warnings


def _by_chance(demand: Demand, _number: int, _count: int, _usual: Mapping[str, float]) -> Workload:
    return Workload(demand)
