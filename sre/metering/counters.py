"""A month of growth of counters on a Prometheus API: coarse over the month, fine where something happened.

Values are the server's own samples at the steps of a grid, not rates. Between two steps of an unbroken counter
nothing is lost; only where it fell back to 0 or ended is the stretch asked about again, twelve times finer, until
the step is that of a scrape.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite

from sre.finance.usage import Counted, Gap
from sre.metering.growth import Point, grow, holes
from sre.metering.pages import Labels, Pages, selector
from sre.promql import quote

FINEST = 15
"""Seconds: scrapes are hardly more frequent."""
SCRAPE = 60
"""Seconds between two scrapes that the stated bound allows for."""
_FINER = 12
_ALL_POINTS = 1_500_000
"""Points of the first pass over a month: a coarser step for more series."""
_SAMPLES = 40_000_000
"""Samples that one question may touch: a server gives up at 50 million."""
_STEPS = (3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600)
_TARGETS = 200
"""Targets whose every silence is looked for."""
_LOOKBACK = 300
"""Seconds for which a server repeats the last sample: a shorter silence does not show, and loses nothing."""
_NAME = "__name__"


@dataclass
class Grown:
    """What each series of a counter grew by, and how well that was seen."""

    amounts: dict[Labels, int] = field(default_factory=dict)
    counted: Counted = field(default_factory=lambda: Counted(0, 0, 0, 0, 0))


def read_growth(pages: Pages, metric: str, start: int, end: int) -> Grown:
    """All series of a metric over [start, end), in seconds since the epoch. Raises ``Unreachable``."""
    points = _first_pass(pages, metric, start, end)
    if not points:
        return Grown()
    step = _step(len(points), end - start)
    reading = _Reading(pages, metric, start, end, step)
    amounts = {labels: reading.series(labels, values) for labels, values in sorted(points.items())}
    reading.refine()
    for labels, lost in reading.found.items():
        amounts[labels] += lost
    return Grown(amounts, reading.counted(amounts, points))


def _first_pass(pages: Pages, metric: str, start: int, end: int) -> dict[Labels, list[Point]]:
    """Every series with its values on the grid, those before the month and those that lived between two steps."""
    known = _listed(pages, metric, start, end)
    step, points = _step(len(known), end - start), defaultdict[Labels, list[Point]](list)
    for labels, value in _before(pages, metric, start, len(known)):
        points[labels] += _whole([(start, value)])
    for labels, values in pages.grid(metric, start + step, end - 1, step, len(known)):
        points[labels] += _whole(values)
    for labels, value in pages.at(metric, end):
        points[labels] += _whole([(end, value)])
    for labels in sorted(known - points.keys()):
        # A series that lived between two steps: the most that it showed is what it grew to.
        exact = "{" + ",".join(f"{name}={quote(value)}" for name, value in labels) + "}"
        for _, value in pages.at(f"max_over_time({exact}[{end - start}s])", end):
            points[labels] += _whole([(end, value)])
    return {labels: values for labels, values in points.items() if values[-1][0] > start}


def _listed(pages: Pages, metric: str, start: int, end: int) -> set[Labels]:
    return {tuple(sorted(one.items())) for one in pages.server.series(metric, start=start, end=end - 1)}


def _before(pages: Pages, metric: str, start: int, series: int) -> Sequence[tuple[Labels, float]]:
    """Values at the month's beginning, over as long a silence as the server's limits allow: up to a week.

    A counter that was silent over midnight is not new, and must not count from 0.
    """
    hours = max(1, min(7 * 24, _SAMPLES // max(1, series * 3600 // SCRAPE * 2)))
    found = pages.at(f"last_over_time({metric}[{hours}h])", start)
    # VictoriaMetrics keeps the name, Prometheus 2 and 3 do as well for this function; others may not.
    return [
        (labels if any(name == _NAME for name, _ in labels) else ((_NAME, metric), *labels), value)
        for labels, value in found
    ]


def _whole(points: Iterable[tuple[int, float]]) -> list[Point]:
    """Counts are whole; what is no number is no value."""
    return [(at, round(value)) for at, value in points if isfinite(value)]


def _step(series: int, length: int) -> int:
    return next((step for step in _STEPS if series * length // step <= _ALL_POINTS), _STEPS[-1])


@dataclass
class _Reading:
    """One counter's first pass, and the stretches that have to be looked at more closely."""

    pages: Pages
    metric: str
    start: int
    end: int
    step: int
    found: dict[Labels, int] = field(default_factory=lambda: defaultdict(int))
    resets: int = 0
    started: int = 0
    open: dict[tuple[int, int], set[Labels]] = field(default_factory=lambda: defaultdict(set))
    unseen: dict[Labels, int] = field(default_factory=lambda: defaultdict(int))

    def series(self, labels: Labels, points: list[Point]) -> int:
        """Growth of one series on the grid; what is open about it is kept for later."""
        growth = grow(points, self.start, self.end, self.step)
        self.resets += growth.resets
        self.started += growth.started
        for stretch in growth.open:
            self.open[stretch].add(labels)
            self.unseen[labels] += SCRAPE
        return growth.amount

    def refine(self) -> None:
        """Add what grew before each reset and behind each last value."""
        for (begin, until), wanted in sorted(self.open.items()):
            self._closer(begin, until, wanted, self.step)

    def _closer(self, begin: int, until: int, wanted: set[Labels], step: int) -> None:
        if step <= FINEST:
            return
        finer = max(FINEST, min(step, until - begin) // _FINER)
        values = defaultdict[Labels, list[Point]](list)
        for labels, found in self.pages.grid(self.metric, begin, until, finer, len(wanted)):
            if labels in wanted:
                values[labels] += _whole(found)
        again = defaultdict[tuple[int, int], set[Labels]](set)
        for labels, points in values.items():
            extra, falls, narrower = _between(points, until, finer)
            self.found[labels] += extra
            self.resets += falls
            self.unseen[labels] += falls * SCRAPE
            for stretch in narrower:
                again[stretch].add(labels)
        for stretch, rest in sorted(again.items()):
            self._closer(*stretch, rest, finer)

    def _silences(self, points: Iterable[Labels]) -> Iterator[tuple[str, tuple[int, int]]]:
        """When a target of these series was not scraped, by its own `up`: finer than the grid, and cheap."""
        targets = {tuple(dict(labels).get(name, "") for name in ("job", "instance")) for labels in points}
        if len(targets) > _TARGETS:
            return
        for job, instance in sorted(target for target in targets if all(target)):
            up, moments = selector("up", {"job": job, "instance": instance}), list[int]()
            for _, values in self.pages.grid(f"{up} == 1", self.start, self.end - 1, _LOOKBACK, 1):
                moments += [at for at, _ in values]
            yield from ((up, hole) for hole in holes(sorted(moments), _LOOKBACK))

    def counted(self, amounts: dict[Labels, int], points: dict[Labels, list[Point]]) -> Counted:
        """How well it was seen, over all series: values there and expected, silences, and the bound."""
        there = expected = 0
        gaps = [Gap(name, *hole) for name, hole in self._silences(points)]
        for labels, values in sorted(points.items()):
            moments = [at for at, _ in values]
            there += len(moments)
            expected += max(len(moments), round((moments[-1] - moments[0]) / self.step) + 1)
            gaps += [Gap(_spoken(labels), *hole) for hole in holes(moments, self.step)]
        bound = sum(
            -(-amounts[labels] * seconds // (self.end - self.start))
            for labels, seconds in self.unseen.items()
        )
        return Counted(there, expected, len(amounts), self.resets, self.started, tuple(gaps), bound)


def _between(points: list[Point], until: int, step: int) -> tuple[int, int, tuple[tuple[int, int], ...]]:
    """What a stretch adds to what its two ends say, the falls it adds to theirs, and its parts that are still open.

    The ends were counted as (first, last): after a fall the last value, at an end nothing. So it is the growth up
    to the highest value before the first fall that is missing, and any further falls inside.
    """
    if not points:
        return 0, 0, ()
    whole = grow(points, points[0][0], until, step)
    first, last = points[0][1], points[-1][1]
    reached = points[-1][0] > until - step
    counted = (last - first if last >= first else last) if reached else 0
    known = int(reached and last < first)
    return max(0, whole.amount - counted), max(0, whole.resets - known), whole.open


def _spoken(labels: Labels) -> str:
    name = dict(labels).get(_NAME, "")
    return name + "{" + ",".join(f"{key}={quote(value)}" for key, value in labels if key != _NAME) + "}"
