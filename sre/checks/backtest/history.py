"""What a server holds of the past: asked in pages, on the grids of its rule groups, and where it has holes.

Times are integers in milliseconds; a grid is a ``range`` of them.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sre.answers import Series
from sre.findings import Finding, Unreachable
from sre.prometheus import Server
from sre.promql import quote

# Prometheus answers at most 11,000 points of a series; this many in all keep an answer near 20 MB.
_LONGEST, _POINTS = 10_000, 400_000
_FIRST = 120

# Far from the time that a server gives a question: what is slow is asked for in shorter pages.
_SECONDS = 5.0


def grid(begin: int, end: int, interval: int, phase: int = 0) -> range:
    """The evaluations of a group from ``begin`` to ``end``, both included."""
    first = begin + (phase - begin) % interval
    return range(first, end + 1, interval)


def pages(
    server: Server, expr: str, slots: range, clock: Callable[[], float] = time.monotonic
) -> Iterator[tuple[range, tuple[Series, ...]]]:
    """The answers of a range query, page by page: each as long as size and time of the last one allow.

    Raises ``Unreachable``.
    """
    at, length = 0, _FIRST
    while at < len(slots):
        page, began = slots[at : at + length], clock()
        found = server.query_range(expr, page[0] / 1000, page[-1] / 1000, page.step / 1000)
        _refuse_other_times(server, page, found)
        points, seconds = sum(len(one.points) for one in found), max(clock() - began, 0.001)
        yield page, found
        at += len(page)
        fits = min(_POINTS / max(points, 1), _SECONDS / seconds, 16.0)
        length = max(1, min(_LONGEST, int(len(page) * fits)))


def _refuse_other_times(server: Server, page: range, found: tuple[Series, ...]) -> None:
    """An answer for other moments than those of the rules would look like silence."""
    times = (round(at * 1000) for one in found for at, _ in (one.points[:1] + one.points[-1:]))
    if any(at not in page for at in times):
        raise Unreachable([Finding(server.url, "answered a range query for other times than it was asked for",
                                   "an alert has its state at the evaluations of its group, and not in between",
                                   "switch off what aligns queries, such as a caching front end")])  # fmt: skip


@dataclass(frozen=True)
class Coverage:
    """Which evaluations of a grid had a server that was there. ``seen`` are their numbers, from ``first`` on."""

    first: int
    interval: int
    total: int
    seen: frozenset[int]

    @property
    def whole(self) -> bool:
        return len(self.seen) == self.total

    @property
    def begin(self) -> int:
        """Nothing was evaluated before this time."""
        return self.first + min(self.seen, default=0) * self.interval - self.interval // 2

    def has(self, at: int) -> bool:
        """Whether the server was there at a time, by the nearest evaluation of the grid."""
        number = (at - self.first + self.interval // 2) // self.interval
        return min(max(number, 0), self.total - 1) in self.seen

    def within(self, slots: range) -> list[int]:
        """Those of the slots at which it was there."""
        return list(slots) if self.whole else [at for at in slots if self.has(at)]


def coverage(server: Server, expr: str, slots: range) -> Coverage:
    """Where an expression that is there whenever the server is has a value."""
    seen = {
        (round(at * 1000) - slots[0]) // slots.step
        for _, found in pages(server, expr, slots)
        for one in found
        for at, _ in one.points
    }
    return Coverage(slots[0], slots.step, len(slots), frozenset(seen))


def phase(server: Server, selector: str, interval: int, moments: list[int]) -> int | None:
    """When within its interval a group is evaluated, by the times of what it wrote; None where it wrote nothing."""
    for at in moments:
        for one in server.query(f"group by (__name__) ({selector})", at / 1000):
            written = server.query(f"timestamp({_named(selector, one.labels['__name__'])})", at / 1000)
            counts = Counter(round(sample.value * 1000) % interval for sample in written)
            return counts.most_common(1)[0][0]
    return None


def _named(selector: str, name: str) -> str:
    """Of one name alone: times of several would be series that nothing tells apart."""
    return f"{selector[:-1]},__name__={quote(name)}}}"
