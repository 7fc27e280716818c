"""What a live run showed: when each alert fired and resolved, who was told, and what fired beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sre.compile.expected import Proven
from sre.lab.clock import Clock
from sre.lab.deliveries import Delivery, pages, telling
from sre.lab.scenes import Scene
from sre.lab.verdicts import Verdict
from sre.prometheus import Server

Spell = tuple[float, float]
"""First and last scrape of an uninterrupted time, as fractions."""

_WARM_UP = 4
"""Scrapes in which a pool that has just appeared may look like one that is down."""


@dataclass
class Judge:
    """Reads a run off its Prometheus and its webhook; ``late`` scrapes are allowed beyond `within`."""

    scenes: tuple[Scene, ...]
    clock: Clock
    server: Server
    deliveries: tuple[Delivery, ...]
    late: int

    def verdicts(self) -> Iterator[Verdict]:
        """In the order of the fault catalogue."""
        for scene in self.scenes:
            wrong = self._wrong(scene)
            for proven in scene.rules:
                yield self._verdict(scene, proven, wrong)

    def pages(self, scene: Scene) -> tuple[str, ...]:
        """The alerts for which somebody was paged while a fault lasted: one for an incident is what it should be."""
        return pages(self.deliveries, {"pool": scene.part.pool.name})

    def _verdict(self, scene: Scene, proven: Proven, wrong: tuple[str, ...]) -> Verdict:
        interval = scene.simulated.shape.interval
        struck, mended = self._moments(scene)
        spells = [s for labels, found in self._spells(scene) if scene.tells(proven, labels) for s in found]
        fired = min((max(first, struck) for first, last in spells if last >= struck), default=None)
        last = max((last for _, last in spells), default=None)
        over = last is not None and last < self.clock.index - 2
        named = {"alertname": proven.alert.name, "severity": proven.rule.severity, **proven.rule.fixed}
        return Verdict(
            proven.alert.name,
            {**proven.rule.fixed, "severity": proven.rule.severity, "pool": scene.part.origin},
            scene.name,
            proven.alert.within + self.late * interval,
            None if fired is None else round((fired - struck) * interval),
            round(max(0.0, last + 1 - mended) * interval) if over and mended is not None and last is not None else None,
            telling(self.deliveries, {**named, **self._whose(scene, proven)}),
            wrong,
            healed=scene.mended is not None,
        )

    def _whose(self, scene: Scene, proven: Proven) -> Mapping[str, str]:
        return {} if proven.alert.level == "fleet" else {"pool": scene.part.pool.name}

    def _wrong(self, scene: Scene) -> tuple[str, ...]:
        """Names of alerts that fired at this scene's pool and belong neither to its fault nor beside it."""
        known = {proven.alert.name for proven in scene.rules} | set(scene.allowed)
        begin = self.clock.rest + _WARM_UP
        return tuple(
            sorted(
                {
                    labels["alertname"]
                    for labels, spells in self._spells(scene)
                    if labels["alertname"] not in known and any(last > begin for _, last in spells)
                }
            )
        )

    def _moments(self, scene: Scene) -> tuple[float, float | None]:
        """The scrapes at which the fault struck and was mended: just after the last that saw the other.

        A target that left is gone when Prometheus knows it.
        """
        gap = self._away(scene) if scene.leaves else None
        if gap:
            return gap[0], gap[1] if scene.mended is not None else None
        return scene.timeline.onset - 1.0, None if scene.mended is None else scene.mended - 1.0

    def _away(self, scene: Scene) -> Spell | None:
        """The longest time without a scrape of one of the scene's targets."""
        pool = next(iter(scene.targets.values())).place.labels
        found = [
            (right - left, left, right)
            for one in self._asked(f'timestamp(up{{job="{pool["job"]}"}})')
            for left, right in _pairs(sorted({self.clock.at(value) for _, value in one[1]}))
        ]
        longest = max(found, default=None)
        return longest[1:] if longest and longest[0] > 3 else None

    def _spells(self, scene: Scene) -> Iterator[tuple[dict[str, str], list[Spell]]]:
        for labels, spells in self._all:
            if scene.owns(labels) or ("pool" not in labels and any(scene.tells(p, labels) for p in scene.rules)):
                yield labels, spells

    @cached_property
    def _all(self) -> list[tuple[dict[str, str], list[Spell]]]:
        return [
            (labels, _joined([self.clock.at(at) for at, _ in points]))
            for labels, points in self._asked('ALERTS{alertstate="firing"}')
        ]

    def _asked(self, expr: str) -> list[tuple[dict[str, str], tuple[tuple[float, float], ...]]]:
        origin, step = float(self.clock.origin or 0), float(self.clock.step)
        start, end = origin + self.clock.rest * step, self.clock.now()
        return [(dict(s.labels), s.points) for s in self.server.query_range(expr, start, end, step / 4)]


def _joined(moments: list[float]) -> list[Spell]:
    """Spells of moments that follow each other within one and a half scrapes."""
    spells = list[Spell]()
    for moment in moments:
        if spells and moment - spells[-1][1] <= 1.5:
            spells[-1] = (spells[-1][0], moment)
        else:
            spells.append((moment, moment))
    return spells


def _pairs(values: list[float]) -> Iterator[Spell]:
    yield from zip(values, values[1:], strict=False)
