"""Which of our records a server holds for a period, when it evaluated them, and when it was there at all.

Times are in milliseconds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sre.answers import LoadedGroup
from sre.checks.backtest.expressions import reaches
from sre.checks.backtest.history import Coverage, coverage, grid, phase
from sre.checks.live import Asking
from sre.compile.plan import Group, Plan, RecordRule
from sre.findings import Finding, Unreachable
from sre.prometheus import Server
from sre.promql import one_of, quote, same
from sre.units import format_duration

STATIC = "llm-fleet"
"""The group of what the fleet file says. It has a value at each evaluation, so it tells when there was one; its
numbers are never taken from the server."""

_HEARTBEAT = "pool:fleet:info"

# A server that ran the rules ran them nearly always; the first days of one that was taught them later do not count.
_NEARLY = 0.95
_HOUR, _DAY = 3_600_000, 86_400_000


@dataclass(frozen=True)
class Period:
    """What is asked about, in milliseconds."""

    start: int
    end: int


@dataclass(frozen=True)
class Recordings:
    """Records to be read from the server, and when each group is evaluated within its interval."""

    names: frozenset[str]
    phases: Mapping[str, int]
    heartbeat: str
    """An expression that has a value at each evaluation of a server that was there."""
    interval: int

    def cover(self, server: Server, begin: int, end: int) -> Coverage:
        """Where the server was there. Raises ``Unreachable``."""
        return coverage(server, self.heartbeat, grid(begin, end, self.interval, self.phases[STATIC]))


def find(
    plan: Plan, server: Server, period: Period, *, raw: bool = False, moving: frozenset[str] = frozenset()
) -> Recordings:
    """Look at the server; ``raw`` lets nothing count as recorded, ``moving`` nothing that depends on these series.

    Raises ``Unreachable``, also for the wrong server.
    """
    interval = next(group.interval for group in plan.groups if group.name == STATIC) * 1000
    phases = {group.name: _phase(group, server, period) for group in plan.groups}
    # A window holds the sample at its very beginning until Prometheus 3, and not from then on: none lies there.
    ran = f"group(count_over_time({_HEARTBEAT}[{_ms(interval - 1)}]))"
    # `up` is written at each scrape, whether the target answers or not.
    scraped = f"group(count_over_time(up[{_ms(2000 * int(plan.fleet.scrape_interval) - 1)}]))"
    slots = grid(period.start, period.end, interval, phases[STATIC])
    times = coverage(server, ran, slots), coverage(server, scraped, slots)
    _refuse_nothing(plan, server, period, *times)
    recorded = not raw and len(times[0].seen) >= _NEARLY * len(times[1].seen)
    names = held(plan, server.rules(), moving) if recorded else frozenset[str]()
    return Recordings(names, phases, ran if recorded else scraped, interval)


def held(
    plan: Plan, loaded: tuple[LoadedGroup, ...] | None, moving: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Records that mean on the server what they mean here, with everything behind them.

    ``loaded`` is what the server evaluates. One that evaluates none of it is believed to hold what others have
    evaluated by these definitions, but for what depends on a threshold.
    """
    rules = [rule for group in plan.groups for rule in group.rules if isinstance(rule, RecordRule)]
    exprs = {
        (rule.name, tuple(sorted(rule.labels.items()))): rule.query
        for group in loaded or ()
        for rule in group.rules
        if rule.kind == "recording"
    }
    known = {rule.record for rule in rules}
    if any(name in known for name, _ in exprs):
        other = {r.record for r in rules if not _is_loaded(r, exprs)}
    else:
        other = {r.record for r in rules if r.record.endswith(":threshold")}
    other |= moving
    while more := {r.record for r in rules if r.record not in other and other & reaches(r.expr).keys()}:
        other |= more
    static = {r.record for g in plan.groups if g.name == STATIC for r in g.rules if isinstance(r, RecordRule)}
    return frozenset(known - other - static)


def gaps(covered: Coverage, period: Period) -> Iterator[Finding]:
    """What to say where the server was not there all of the time."""
    if covered.whole:
        return
    share = 1 - len(covered.seen) / covered.total
    first = covered.first + min(covered.seen) * covered.interval
    late = first - period.start
    where = (
        f"its history begins {format_duration(late // 1000)} after the period does"
        if late > 2 * covered.interval
        else "the server did not run, or did not scrape, during that time"
    )
    yield Finding(
        "period", f"{share:.1%} of the period is not covered: {where}",
        "missing is not zero: minutes and pages per week are those of the covered time alone",
        "ask a server that holds all of it (a longer retention, or the long-term store), or a later --since",
        "warning",
    )  # fmt: skip


def short(covered: Coverage, period: Period, lead: int) -> Iterator[Finding]:
    """What to say where a baseline lacks its history. ``covered`` begins ``lead`` before the period."""
    held = max(0, period.start - covered.begin)
    if lead > _DAY and lead - held > _HOUR:
        yield Finding(
            "period",
            f"rules look back {_told(lead)} before the period, and the server's history {_told(held)}",
            "until a baseline has its history, what compares with it neither fires nor is late: it is not there",
            "take a later --since, or a server that holds more, to judge alerts against baselines",
            "info",
        )


def _told(ms: int) -> str:
    return format_duration(ms // _HOUR * 3600) if ms >= _HOUR else "less than an hour"


def _is_loaded(rule: RecordRule, exprs: Mapping[tuple[str, tuple[tuple[str, str], ...]], str]) -> bool:
    found = exprs.get((rule.record, tuple(sorted(rule.labels.items()))))
    return found is not None and same(found, rule.expr)


def _ms(ms: int) -> str:
    """A duration in milliseconds as PromQL writes it."""
    seconds, rest = divmod(ms, 1000)
    return (format_duration(seconds) if seconds else "") + (f"{rest}ms" if rest else "")


def _phase(group: Group, server: Server, period: Period) -> int:
    """By what the group wrote; where it wrote nothing, nobody evaluated it, and any moment is as good."""
    moments = [period.end, (period.start + period.end) // 2, period.start]
    names = [rule.record for rule in group.rules if isinstance(rule, RecordRule)]
    alerts = [rule.alert for rule in group.rules if not isinstance(rule, RecordRule)]
    selectors = [f"{{{one_of('__name__', names)}}}"] if names else []
    if alerts:
        selectors.append(f"{{__name__={quote('ALERTS')},{one_of('alertname', alerts)}}}")
    for selector in selectors:
        found = phase(server, selector, group.interval * 1000, moments)
        if found is not None:
            return found
    return 0


def _refuse_nothing(plan: Plan, server: Server, period: Period, ran: Coverage, scraped: Coverage) -> None:
    """No number is told where nothing of this fleet is there."""
    pools = one_of(plan.fleet.pool_label, [pool.name for pool in plan.fleet.pools])
    times = {"start": period.start / 1000, "end": period.end / 1000}
    ours = server.series(f"up{{{pools}}}", _HEARTBEAT, **times)
    if ours and (ran.seen or scraped.seen):
        return
    wrong = Asking(server, plan.fleet, plan.catalogue).wrong_server()
    raise Unreachable([wrong or Finding(
        server.url, "is this the right server? It holds nothing of this fleet in the period",
        "the pools are there now: it began to scrape them later, or its retention is shorter",
        "ask for a later --since, or the server that holds the past",
    )])  # fmt: skip
