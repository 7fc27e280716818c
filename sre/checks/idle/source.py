"""Who holds the states of a period: the fleet's server, or one of ours that evaluates its rules over raw series."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sre.checks.backtest import recordings
from sre.checks.backtest.evaluation import Evaluation
from sre.checks.backtest.history import phase
from sre.checks.backtest.program import needed, ordered, placed_rules
from sre.checks.backtest.recordings import Period
from sre.checks.backtest.scratch import scratch
from sre.compile.plan import Plan, RecordRule
from sre.findings import Finding
from sre.idle.windows import Window
from sre.prometheus import Server
from sre.promql import same

STATE, MINUTE_STATE = "gpu:state:info", "fleet:minute:state"
WANTED = (
    STATE, MINUTE_STATE, "pool:gpu_utilization:avg5m", "pool:requests_done:rate5m",
    "replica:up:state",
)  # fmt: skip
"""Series that the report is made of."""
UNKNOWN_THEN = "these minutes are unknown, in every number of this report"
"""Why it matters that a part of the period is not there."""

# A server that ran the rules ran them nearly always; one that was taught them later holds only the end.
_NEARLY = 0.95


@dataclass(frozen=True)
class Source:
    """``phase`` is when in its minute a sample of the states lies, in milliseconds."""

    server: Server
    phase: int
    recorded: bool
    findings: tuple[Finding, ...] = ()


@contextmanager
def source(
    plan: Plan,
    server: Server,
    windows: tuple[Window, ...],
    raw: bool,
    tell: Callable[[int, int, str], None],
    wanted: tuple[str, ...] = WANTED,
) -> Iterator[Source]:
    """For the block; ``raw`` lets nothing count as recorded. Raises ``Unreachable``, ``Refused``."""
    period = Period(windows[0].start * 1000, windows[-1].end * 1000)
    if not raw and _recorded(server, period, int(plan.fleet.scrape_interval)):
        moments = [period.end - 60_000, (period.start + period.end) // 2, period.start + 60_000]
        at = phase(server, f'{{__name__="{MINUTE_STATE}"}}', 60_000, moments)
        yield Source(server, at or 0, recorded=True, findings=tuple(_other(plan, server)))
        return
    found = recordings.find(plan, server, period, raw=True)
    steps = ordered(needed(placed_rules(plan), wanted, found.names))
    lead = max((step.lead for step in steps), default=0)
    covered = found.cover(server, period.start - lead, period.end)
    inside = found.cover(server, period.start, period.end)
    with scratch() as own:
        Evaluation(server, own, period, found, covered).run(
            steps, lambda n, of: tell(n, of, "evaluating rules")
        )
        own.flush()
        yield Source(
            own.server,
            found.phases.get("llm-minute", 0),
            recorded=False,
            findings=tuple(replace(one, why=UNKNOWN_THEN) for one in recordings.gaps(inside, period)),
        )


def _recorded(server: Server, period: Period, scrape: int) -> bool:
    """Whether the server holds states of nearly all of the time in which it scraped, every ``scrape`` seconds."""
    end, hours = period.end / 1000, max(1, (period.end - period.start) // 3_600_000)
    ran = _covered(server, f"max(count_over_time({MINUTE_STATE}[1h])) * 60", end, hours)
    return bool(ran) and ran >= _NEARLY * _covered(
        server, f"max(count_over_time(up[1h])) * {scrape}", end, hours
    )


def _covered(server: Server, seconds: str, end: float, hours: int) -> float:
    """Hours of the period, by the seconds of each that an expression tells."""
    found = server.query_range(seconds, end - 3600 * (hours - 1), end, 3600)
    return sum(min(1.0, value / 3600) for one in found for _, value in one.points)


def _other(plan: Plan, server: Server) -> Iterator[Finding]:
    """Where the server's own rule is not the compiled one, its states follow another definition."""
    own = next(
        (r.expr for g in plan.groups for r in g.rules if isinstance(r, RecordRule) and r.record == STATE), ""
    )
    for group in server.rules() or ():
        for rule in group.rules:
            if rule.kind == "recording" and rule.name == STATE and not same(rule.query, own):
                yield Finding(
                    server.url, f"it records {STATE} by another definition than this release and fleet file",
                    "the states are those of the rules that were loaded then",
                    "run `sre generate` and load its rules, or give --raw to evaluate this definition over raw series",
                    "warning",
                )  # fmt: skip
