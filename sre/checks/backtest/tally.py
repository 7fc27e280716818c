"""What the courses of alerts come to, for each alert and pool: firings, minutes, flaps and pages per week; pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sre.checks.backtest.evaluation import Course
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
    """

    alert: str
    pool: str | None
    firings: int
    minutes: float
    flaps: int
    pages_per_week: float


def tally(plan: Plan, alerts: Collection[str], replay: Replay, mark: str = "") -> tuple[Row, ...]:
    """A row for each alert and pool where it sees, and wherever else it fired; in the catalogue's order.

    ``mark`` picks one variant of a sweep.
    """
    courses = defaultdict[tuple[str, str | None], list[Course]](list)
    for course in replay.courses:
        if course.mark == mark:
            courses[course.rule.alert, course.labels.get("pool") or None].append(course)
    rows = list[Row]()
    for planned in plan.alerts:
        name = planned.alert.name
        if name in alerts:
            pools = dict.fromkeys(_pools(plan, name))
            pools |= dict.fromkeys(pool for alert, pool in courses if alert == name)
            rows += [_row(name, pool, courses.get((name, pool), []), replay) for pool in pools]
    return tuple(rows)


def _pools(plan: Plan, name: str) -> Iterator[str | None]:
    planned = next(p for p in plan.alerts if p.alert.name == name)
    if planned.alert.level == "fleet":
        yield None
    else:
        yield from (pool for pool, word in planned.pools.items() if word == State.LIVE.word)


def _row(name: str, pool: str | None, courses: list[Course], replay: Replay) -> Row:
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
        (span, c.interval) for c, firings in fired if c.rule.labels["severity"] == "page" for span in firings
    )
    covered = len(replay.covered.seen) * replay.covered.interval
    return Row(
        name,
        pool,
        sum(len(firings) for _, firings in fired),
        round(len(moments) * interval / 60_000, 2),
        sum(_flaps(firings, course.interval) for course, firings in fired),
        round(pages * WEEK / covered, 2) if covered else 0.0,
    )


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


def _pages(spans: Iterable[tuple[Span, int]]) -> int:
    """Times at which one began to fire while no other of them did."""
    pages, until = 0, -1
    for span, interval in sorted(spans, key=lambda one: one[0].first):
        pages += span.first > until
        until = max(until, span.last + interval)
    return pages
