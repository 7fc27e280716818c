"""Samples counted by window, in pages that fit a server's limits.

A window is half-open, [start, end). Prometheus 2 counts samples on both ends of a range, 3.x leaves the first out: so the
range begins and ends between two samples, where no server can find one. Samples lie a minute apart, at a phase that the
rule group has for as long as its name.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from sre.answers import Series
from sre.findings import Finding, Unreachable
from sre.idle.windows import MINUTE, Window, runs
from sre.prometheus import Server

_LONGEST, _FIRST = 10_000, 12
_POINTS, _SECONDS = 700_000, 12.0
"""Points of an answer (some 40 MB), and seconds for one: the next page is as long as fits both."""

_TOO_MUCH = re.compile(
    r"too many samples|exceeded maximum resolution|larger than|not answer in full|maximum .*limit|gave up"
)
_SHORTEST = 1


def counted(
    server: Server,
    expr: Callable[[str], str],
    windows: tuple[Window, ...],
    phase: int,
    tell: Callable[[int], None] = lambda _done: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[int, int, tuple[Series, ...]]]:
    """(number of the first window, seconds of a window, answer) page by page.

    ``expr`` makes the question from the range that one window is, such as `[1h]`; ``phase`` is when in its minute a sample
    lies, in milliseconds. A page that the server finds too large is asked for in halves. Raises ``Unreachable``, with
    how far the answers had come.
    """
    done, length = 0, _FIRST
    for run in runs(windows):
        at = 0
        while at < len(run):
            page = run[at : at + length]
            began = clock()
            try:
                found = _asked(server, expr, page, phase)
            except Unreachable as error:
                if len(page) > _SHORTEST and _too_much(error):
                    length = len(page) // 2
                    continue
                raise _so_far(error, done, len(windows)) from None
            yield done, page[0].minutes * MINUTE, found
            at, done = at + len(page), done + len(page)
            tell(done)
            points, seconds = sum(len(one.points) for one in found), max(clock() - began, 0.001)
            fits = min(_POINTS / max(points, 1), _SECONDS / seconds, 8.0)
            length = max(_SHORTEST, min(_LONGEST, int(len(page) * fits)))


def _asked(
    server: Server, expr: Callable[[str], str], page: tuple[Window, ...], phase: int
) -> tuple[Series, ...]:
    step = page[0].minutes * MINUTE
    # As far from the last sample of a window as from the first of the next one.
    back = (60_000 - (phase - page[0].start * 1000) % 60_000) / 2000
    return server.query_range(expr(f"[{step}s]"), page[0].end - back, page[-1].end - back, step)


def place(at: float, first: Window, step: int) -> int:
    """Number, from the page's first on, of the window that a point of its answer is about."""
    return round((at - first.end) / step + 0.25)


def _too_much(error: Unreachable) -> bool:
    return any(_TOO_MUCH.search(finding.what) for finding in error.findings)


def _so_far(error: Unreachable, done: int, of: int) -> Unreachable:
    """What was read before it is no answer: a smaller number without a word would be a wrong one."""
    if not done:
        return error
    more = Finding(
        "period",
        f"the server answered for {done} of {of} hours and then no more",
        "a report of a part would be a smaller number without a word: none is made",
        "run it again when the server is well, or for a shorter --since",
    )
    return Unreachable([*(replace(one) for one in error.findings), more])
