"""What the courses of alerts come to, for each alert and pool: firings, minutes, flaps and pages per week; pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sre.checks.backtest.evaluation import Course
from sre.checks.backtest.inhibition import Alertmanager, Firing, Inhibition
from sre.checks.backtest.run import Replay
from sre.checks.backtest.states import Span
from sre.compile.coverage import State
from sre.compile.plan import Plan

FLAP_MINUTES = 15
"""An alert that fires again so soon after it ended has flapped. Alertmanager's own group_interval for a page is five
minutes, and what ended and came back within three of them reaches someone who has not closed the first one yet:
a longer `keep_firing_for`, not a second page, is what it needed."""

WEEK = 7 * 86_400_000


@dataclass(frozen=True)
class Row:
    """One alert in one pool; ``pool`` is None for what belongs to none.

    ``firings`` counts its alerts (each replica's or card's own) that fired in the period, ``minutes`` are those
    in which at least one of them did, and ``flaps`` the firings that came back within ``FLAP_MINUTES``. One page
    is what Alertmanager sends as one: all alerts of that name and pool with severity `page` that fire together.
    ``pages_per_week`` are those that it sends, ``uninhibited_per_week`` those that it would send if none kept
    another back.
    """

    alert: str
    pool: str | None
    firings: int
    minutes: float
    flaps: int
    pages_per_week: float
    uninhibited_per_week: float


def tally(plan: Plan, alerts: Collection[str], replay: Replay, mark: str = "") -> tuple[Row, ...]:
    """A row for each alert and pool where it sees, and wherever else it fired; in the catalogue's order.

    ``mark`` picks one variant of a sweep; what may keep its pages back is as it is.
    """
    heard = [one for one in replay.courses if one.mark == (mark if one.rule.alert in alerts else "")]
    manager = Alertmanager(Inhibition.of(plan), heard)
    courses = defaultdict[tuple[str, str | None], list[Course]](list)
    for course in heard:
        courses[course.rule.alert, course.labels.get("pool") or None].append(course)
    rows = list[Row]()
    for planned in plan.alerts:
        name = planned.alert.name
        if name in alerts:
            pools = dict.fromkeys(_pools(plan, name))
            pools |= dict.fromkeys(pool for alert, pool in courses if alert == name)
            rows += [_row(name, pool, courses.get((name, pool), []), replay, manager) for pool in pools]
    return tuple(rows)


def _pools(plan: Plan, name: str) -> Iterator[str | None]:
    planned = next(p for p in plan.alerts if p.alert.name == name)
    if planned.alert.level == "fleet":
        yield None
    else:
        yield from (pool for pool, word in planned.pools.items() if word == State.LIVE.word)


def _row(name: str, pool: str | None, courses: list[Course], replay: Replay, manager: Alertmanager) -> Row:
    fired = [(course, _firings(course, replay)) for course in courses]
    moments = {
        at
        for course, firings in fired
        for span in firings
        for at in range(max(span.first, _from(course, replay)), span.last + 1, course.interval)
        if replay.covered.has(at)
    }
    interval = courses[0].interval if courses else 0
    pages = _pages(
        Firing(c, span) for c, firings in fired if c.rule.labels["severity"] == "page" for span in firings
    )
    return Row(
        name,
        pool,
        sum(len(firings) for _, firings in fired),
        round(len(moments) * interval / 60_000, 2),
        sum(_flaps(firings, course.interval) for course, firings in fired),
        _per_week(sum(map(manager.tells, pages)), replay),
        _per_week(len(pages), replay),
    )


def _per_week(count: int, replay: Replay) -> float:
    covered = len(replay.covered.seen) * replay.covered.interval
    return round(count * WEEK / covered, 2) if covered else 0.0


def _firings(course: Course, replay: Replay) -> list[Span]:
    """Those that reach into the period."""
    return [span for span in course.spans if span.state == "firing" and span.last >= replay.period.start]


def _from(course: Course, replay: Replay) -> int:
    """The first evaluation of an alert's group within the period."""
    start, first = replay.period.start, course.spans[0].first
    return start + (first - start) % course.interval


def _flaps(firings: list[Span], interval: int) -> int:
    return sum(
        after.first - before.last - interval <= FLAP_MINUTES * 60_000 for before, after in pairwise(firings)
    )


def _pages(firings: Iterable[Firing]) -> list[list[Firing]]:
    """What fires together: one begins where one begins to fire while no other of them does."""
    pages, until = list[list[Firing]](), -1
    for one in sorted(firings, key=lambda one: one.span.first):
        if one.span.first > until:
            pages.append([])
        pages[-1].append(one)
        until = max(until, one.end)
    return pages
