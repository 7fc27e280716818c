"""The first look at a counter: which series it had over a month, and their values on a coarse grid."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from sre.metering.growth import Point
from sre.metering.pages import Labels, Pages
from sre.promql import quote

SCRAPE = 60
"""Seconds between two scrapes that the stated bound allows for."""
_ALL_POINTS = 1_500_000
"""Points of the first pass over a month: a coarser step for more series."""
_SAMPLES = 40_000_000
"""Samples that one question may touch: a server gives up at 50 million."""
_STEPS = (3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600)
NAME = "__name__"


@dataclass(frozen=True)
class Survey:
    """Series with their values on a grid of ``step`` seconds; ``asleep`` are those without one at its beginning."""

    step: int
    points: dict[Labels, list[Point]]
    asleep: Collection[Labels]


def survey(pages: Pages, metric: str, start: int, end: int) -> Survey:
    """All series of a metric over [start, end). Raises ``Unreachable``."""
    known = _listed(pages, metric, start, end)
    step = _step(len(known), end - start)
    points = _points(pages, metric, start, end, step, known)
    return Survey(step, points, points.keys() - {labels for labels, _ in pages.at(metric, start)})


def rounded(points: Iterable[tuple[int, float]]) -> list[Point]:
    """Counts are whole; what is no number is no value."""
    return [(at, round(value)) for at, value in points if isfinite(value)]


def _points(
    pages: Pages, metric: str, start: int, end: int, step: int, known: set[Labels]
) -> dict[Labels, list[Point]]:
    """Values on the grid, those before the month and those of series that lived between two steps."""
    points = defaultdict[Labels, list[Point]](list)
    for labels, value in _before(pages, metric, start, len(known)):
        points[labels] += rounded([(start, value)])
    for labels, values in pages.grid(metric, start + step, end - 1, step, len(known)):
        points[labels] += rounded(values)
    for labels, value in pages.at(metric, end):
        points[labels] += rounded([(end, value)])
    for labels in sorted(known - points.keys()):
        # A series that lived between two steps: the most that it showed is what it grew to.
        exact = "{" + ",".join(f"{name}={quote(value)}" for name, value in labels) + "}"
        for _, value in pages.at(f"max_over_time({exact}[{end - start}s])", end):
            points[labels] += rounded([(end, value)])
    # One that ended within the first step has its value before the month alone.
    return {labels: values for labels, values in points.items() if values[-1][0] > start or labels in known}


def _listed(pages: Pages, metric: str, start: int, end: int) -> set[Labels]:
    return {tuple(sorted(one.items())) for one in pages.server.series(metric, start=start, end=end - 1)}


def _before(pages: Pages, metric: str, start: int, series: int) -> Sequence[tuple[Labels, float]]:
    """Values at the month's beginning, over as long a silence as the server's limits allow: up to a week.

    A counter that was silent over midnight is not new, and must not count from 0.
    """
    hours = max(1, min(7 * 24, _SAMPLES // max(1, series * 3600 // SCRAPE * 2)))
    found = pages.at(f"last_over_time({metric}[{hours}h])", start)
    # VictoriaMetrics keeps the name, Prometheus 2 and 3 do as well for this function; others may not.
    return [(tuple(sorted({**dict(labels), NAME: metric}.items())), value) for labels, value in found]


def _step(series: int, length: int) -> int:
    return next((step for step in _STEPS if series * length // step <= _ALL_POINTS), _STEPS[-1])
