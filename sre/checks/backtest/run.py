"""A backtest from end to end."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sre.checks.backtest import recordings
from sre.checks.backtest.evaluation import Course, Evaluation
from sre.checks.backtest.history import Coverage
from sre.checks.backtest.program import needed, ordered, placed_rules
from sre.checks.backtest.recordings import Period
from sre.checks.backtest.scratch import scratch
from sre.checks.backtest.sweep import Sweep
from sre.compile.plan import Plan
from sre.findings import Finding
from sre.prometheus import Server


@dataclass(frozen=True)
class Replay:
    """What became of every alert in the period, and how much of the period the server could tell of.

    ``recorded`` says whether records of the server were read, or everything came from raw series.
    """

    period: Period
    covered: Coverage
    recorded: bool
    courses: tuple[Course, ...]
    findings: tuple[Finding, ...]


def replay(
    plan: Plan,
    server: Server,
    period: Period,
    alerts: Collection[str],
    *,
    sweep: Sweep | None = None,
    raw: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Replay:
    """Evaluate these alerts over a period, and with a sweep the variants of one.

    Raises ``Unreachable`` where an answer is missing or partial, ``Refused`` where nothing can be evaluated here.
    """
    moving = frozenset({sweep.series}) if sweep else frozenset[str]()
    found = recordings.find(plan, server, period, raw=raw, moving=moving)
    every = placed_rules(plan)
    varied = sweep.vary(needed(every, [sweep.alert], found.names)) if sweep else ()
    steps = ordered((*needed(every, alerts, found.names), *varied))
    lead = max((step.lead for step in steps), default=0)
    covered = found.cover(server, period.start - lead, period.end)
    with scratch() as own:
        courses = Evaluation(server, own, period, found, covered).run(steps, tell)
    inside = found.cover(server, period.start, period.end)
    findings = (*recordings.gaps(inside, period), *recordings.short(covered, period, lead))
    return Replay(period, inside, bool(found.names), tuple(courses), findings)
