"""Samples counted by window, in pages that fit a server's limits.

A window is half-open, [start, end). Prometheus 2 counts samples on both ends of a range, 3.x leaves the first out: so
the range begins and ends between two samples, where no server can find one. Samples lie a minute apart, at a phase that
the rule group has for as long as its name.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

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


def counted(
    server: Server,
    expr: Callable[[str], str],
    windows: tuple[Window, ...],
    phase: int,
    tell: Callable[[int], None] = lambda _done: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[int, int, tuple[Series, ...]]]:
    """(number of the first window, seconds of a window, answer) page by page.

    ``expr`` makes the question from the range that one window is, such as `[1h]`; ``phase`` is when in its minute a
    sample lies, in milliseconds. A page that the server finds too large is asked for in halves. Raises ``Unreachable``,
    with how far the answers had come.
    """
    with ThreadPoolExecutor(1) as ahead:
        pages = _Pages(server, expr, windows, phase, clock)
        # The next page is asked for while this one is taken in: server and reader work side by side.
        coming = ahead.submit(pages.next)
        while page := coming.result():
            coming = ahead.submit(pages.next)
            tell(page[0] + len(page[3]))
            yield page[:3]


class _Pages:
    """One page after the other; each as long as the one before it allows."""

    def __init__(
        self, server: Server, expr: Callable[[str], str], windows: tuple[Window, ...], phase: int,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._server, self._expr, self._phase, self._clock = server, expr, phase, clock
        self._runs, self._of = list(runs(windows)), len(windows)
        self._done, self._length = 0, _FIRST

    def next(self) -> tuple[int, int, tuple[Series, ...], tuple[Window, ...]] | None:
        """Number of its first window, seconds of each, the answer, its windows; None behind the last."""
        while self._runs:
            run = self._runs[0]
            page, began = run[: self._length], self._clock()
            try:
                found = _asked(self._server, self._expr, page, self._phase)
            except Unreachable as error:
                if len(page) > 1 and _too_much(error):
                    self._length = len(page) // 2
                    continue
                raise _so_far(error, self._done, self._of) from None
            first, self._done = self._done, self._done + len(page)
            self._runs[:1] = [run[len(page) :]] if len(page) < len(run) else []
            self._length = _fitting(len(page), found, self._clock() - began)
            return first, page[0].minutes * MINUTE, found, page
        return None


def _fitting(length: int, found: tuple[Series, ...], seconds: float) -> int:
    points = sum(len(one.points) for one in found)
    fits = min(_POINTS / max(points, 1), _SECONDS / max(seconds, 0.001), 8.0)
    return max(1, min(_LONGEST, int(length * fits)))


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
    return Unreachable([*error.findings, more])
