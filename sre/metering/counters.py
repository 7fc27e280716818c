"""A month of growth of counters on a Prometheus API: coarse over the month, fine where something happened.

Values are the server's own samples at the steps of a grid, not rates. Between two steps of an unbroken counter
nothing is lost; only where it fell back to 0 or ended is the stretch asked about again, twelve times finer, until
the step is that of a scrape.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sre.finance.usage import Counted, Gap
from sre.metering.growth import Point, Stretch, grow, holes
from sre.metering.pages import MOST_POINTS, Labels, Pages, selector
from sre.metering.survey import NAME, SCRAPE, rounded, survey
from sre.promql import quote

FINEST = 15
"""Seconds: scrapes are hardly more frequent."""
_FINER = 12
_TARGETS = 200
"""Targets whose every silence is looked for."""
_LOOKBACK = 300
"""Seconds for which a server repeats the last sample: a shorter silence does not show, and loses nothing."""
_EXACT = 20
"""Series that are asked for by all of their labels; of more, the metric is asked for as a whole."""


@dataclass
class Grown:
    """What each series of a counter grew by, and how well that was seen."""

    amounts: dict[Labels, int] = field(default_factory=dict)
    counted: Counted = field(default_factory=lambda: Counted(0, 0, 0, 0, 0))


def read_growth(pages: Pages, metric: str, start: int, end: int) -> Grown:
    """All series of a metric over [start, end), in seconds since the epoch. Raises ``Unreachable``."""
    seen = survey(pages, metric, start, end)
    if not seen.points:
        return Grown()
    reading = _Reading(pages, metric, start, end, seen.step, seen.points, seen.asleep)
    reading.walk()
    reading.suspect()
    reading.refine()
    reading.drop_silent()
    return Grown(dict(reading.amounts), reading.counted())


@dataclass
class _Reading:
    """One counter's first pass, and the stretches that have to be looked at more closely."""

    pages: Pages
    metric: str
    start: int
    end: int
    step: int
    points: dict[Labels, list[Point]]
    asleep: Collection[Labels]
    """Series without a value at the month's beginning itself."""
    amounts: dict[Labels, int] = field(default_factory=dict)
    resets: int = 0
    started: int = 0
    open: dict[tuple[int, int], dict[Labels, Stretch]] = field(default_factory=lambda: defaultdict(dict))
    unseen: dict[Labels, int] = field(default_factory=lambda: defaultdict(int))

    def walk(self) -> None:
        """Growth of each series on the grid; what is open about it is kept for later."""
        for labels, points in sorted(self.points.items()):
            growth = grow(points, self.start, self.end, self.step)
            self.amounts[labels] = growth.amount
            self.resets += growth.resets
            self.started += growth.started
            for stretch in (*growth.open, *self._silent(labels, points)):
                self._open(labels, stretch)

    def _silent(self, labels: Labels, points: Sequence[Point]) -> Iterator[Stretch]:
        """Silences at whose ends no fall shows: a counter may have fallen in them, and grown again."""
        for (before, low), (after, high) in pairwise(points):
            asleep = before == self.start and labels in self.asleep
            if high >= low and (asleep or after - before > self.step):
                yield Stretch(before, after, low, high)

    def drop_silent(self) -> None:
        """Leave out series that only had a value before the month, and nothing in it."""
        for labels, points in list(self.points.items()):
            if points[-1][0] <= self.start and not self.amounts[labels]:
                del self.points[labels], self.amounts[labels]
                self.unseen.pop(labels, None)

    def suspect(self) -> None:
        """Steps in which a counter fell and had outgrown its old value by the next one: the server counts its falls.

        Where every target says when it was started, its word is taken instead: `resets()` reads all samples.
        """
        if self._restarts():
            return
        # Further back than the step, for the fall whose two samples lie on its two sides.
        expr = f"resets({self.metric}[{self.step + _LOOKBACK}s]) > 0"
        for labels, found in self.pages.grid(
            expr, self.start + self.step, self.end, self.step, len(self.points)
        ):
            self._fell(((NAME, self.metric), *labels), (at for at, _ in found))

    def refine(self) -> None:
        """Add what grew before each reset and behind each last value."""
        for (begin, until), stretches in sorted(self.open.items()):
            finer = max(FINEST, -(-(until - begin) * len(stretches) // MOST_POINTS))
            self._closer(begin, until, stretches, finer)

    def _open(self, labels: Labels, stretch: Stretch) -> None:
        self.open[stretch.begin, stretch.until][labels] = stretch
        self.unseen[labels] += SCRAPE

    def _fell(self, labels: Labels, moments: Iterable[int]) -> None:
        """Open the stretches of the grid in which these moments lie, where the ends do not show a fall."""
        known = self.points.get(tuple(sorted(labels)), [])
        if known and known[0][0] > self.start:
            # A new series was 0 before its first value, and may have fallen before that.
            known = [(max(self.start, known[0][0] - self.step), 0), *known]
        for at in moments:
            pair = next((p for p in pairwise(known) if p[0][0] < at <= p[1][0]), None)
            if pair and pair[1][1] >= pair[0][1]:
                self._open(tuple(sorted(labels)), Stretch(pair[0][0], pair[1][0], pair[0][1], pair[1][1]))

    def _restarts(self) -> bool:
        """Look around every restart of the targets; False where one of them does not say when it was started."""
        targets = self._targets()
        if not targets or len(targets) > _TARGETS:
            return False
        for target, series in targets.items():
            wanted, moments = {"job": target[0], "instance": target[1]}, list[Point]()
            started = selector("process_start_time_seconds", wanted)
            for _, values in self.pages.grid(started, self.start, self.end - 1, _LOOKBACK, 1):
                moments += [(at, round(value)) for at, value in values]
            if not moments:
                return False
            for (_, old), (after, new) in pairwise(moments):
                for labels in series if new != old else ():
                    self._fell(labels, [after])
        return True

    def _targets(self) -> dict[tuple[str, str], list[Labels]]:
        """(job, instance) -> its series; nothing where a series has no target."""
        found = defaultdict[tuple[str, str], list[Labels]](list)
        for labels in self.points:
            named = dict(labels)
            found[named.get("job", ""), named.get("instance", "")].append(labels)
        return {} if any(not (job and instance) for job, instance in found) else dict(sorted(found.items()))

    def _closer(self, begin: int, until: int, stretches: dict[Labels, Stretch], finer: int) -> None:
        values = defaultdict[Labels, list[Point]](list)
        exact = len(stretches) <= _EXACT
        expr = " or ".join(map(_spoken, sorted(stretches))) if exact else self.metric
        for labels, found in self.pages.grid(
            expr, begin, until, finer, len(stretches) if exact else len(self.points)
        ):
            if labels in stretches:
                values[labels] += rounded(found)
        again = defaultdict[tuple[int, int], dict[Labels, Stretch]](dict)
        for labels, inner in values.items():
            stretch = stretches[labels]
            whole = grow(stretch.around(inner), begin, until, finer)
            self.amounts[labels] += max(0, whole.amount - stretch.counted)
            more = max(0, whole.resets - stretch.fell)
            self.resets += more
            self.unseen[labels] += more * SCRAPE
            for narrower in whole.open:
                again[narrower.begin, narrower.until][labels] = narrower
        if finer > FINEST:
            for (a, b), rest in sorted(again.items()):
                self._closer(a, b, rest, max(FINEST, finer // _FINER))

    def _silences(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """When a target of these series was not scraped, by its own `up`: finer than the grid, and cheap."""
        targets = self._targets()
        for job, instance in targets if len(targets) <= _TARGETS else ():
            up, moments = selector("up", {"job": job, "instance": instance}), list[int]()
            for _, values in self.pages.grid(f"{up} == 1", self.start, self.end - 1, _LOOKBACK, 1):
                moments += [at for at, _ in values]
            yield from ((up, hole) for hole in holes(sorted(moments), _LOOKBACK))

    def counted(self) -> Counted:
        """How well it was seen, over all series: values there and expected, silences, and the bound."""
        there = expected = 0
        gaps = [Gap(name, *hole) for name, hole in self._silences()]
        for labels, values in sorted(self.points.items()):
            moments = [at for at, _ in values]
            there += len(moments)
            expected += max(len(moments), round((moments[-1] - moments[0]) / self.step) + 1)
            gaps += [Gap(_spoken(labels), *hole) for hole in holes(moments, self.step)]
        bound = sum(
            -(-self.amounts[labels] * seconds // (self.end - self.start))
            for labels, seconds in self.unseen.items()
        )
        return Counted(there, expected, len(self.amounts), self.resets, self.started, tuple(gaps), bound)


def _spoken(labels: Labels) -> str:
    name = dict(labels).get(NAME, "")
    return name + "{" + ",".join(f"{key}={quote(value)}" for key, value in labels if key != NAME) + "}"
