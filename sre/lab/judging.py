"""What a live run showed: when each alert fired and resolved, who was told, and what fired beside it."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf

from sre.compile.cases import late
from sre.lab.clock import Clock
from sre.lab.deliveries import Delivery, pages
from sre.lab.exam import allowed
from sre.lab.scenes import Labels, Promise, Scene
from sre.lab.verdicts import Incident, Proof, Silence, Verdict
from sre.prometheus import Server
from sre.promql import one_of

Spell = tuple[float, float]
"""First and last scrape of an uninterrupted time, as fractions."""

_WARM_UP = 4
"""Scrapes in which a pool that has just appeared may look like one that is down."""


@dataclass
class Judge:
    """Reads a run off its Prometheus and its webhook.

    ``always`` are alerts that fire in health too; ``late`` scrapes are allowed beyond `within`.
    """

    scenes: tuple[Scene, ...]
    always: frozenset[str]
    clock: Clock
    server: Server
    deliveries: tuple[Delivery, ...]
    late: int

    def proof(self) -> Proof:
        """Everything, in the order of the fault catalogue."""
        verdicts, silences = list[Verdict](), list[Silence]()
        for scene in self.scenes:
            wrong = self._wrong(scene)
            verdicts += [self._verdict(scene, promise, wrong) for promise in scene.promises]
            if not scene.promises:
                silences.append(Silence(scene.part.fault.name, scene.part.origin, wrong))
        return Proof(tuple(verdicts), tuple(silences), tuple(map(self._incident, self.scenes)))

    def _incident(self, scene: Scene) -> Incident:
        paged = pages(self.deliveries, {"pool": scene.part.pool.name})
        return Incident(scene.part.fault.name, scene.part.origin, tuple(dict.fromkeys(paged)))

    def _verdict(self, scene: Scene, promise: Promise, wrong: tuple[str, ...]) -> Verdict:
        """The slowest of an alert's places counts."""
        struck, mended = self._moments(scene)
        name = promise.proven.alert.name
        spells = [self._of(name, labels) for labels in promise.places]
        fired = [min((max(a, struck) for a, b in one if b >= struck), default=None) for one in spells]
        ended = [max((b for _, b in one), default=None) for one in spells]
        to_fire = None if None in fired else max(one for one in fired if one is not None) - struck
        to_resolve = None
        if mended is not None and None not in ended:
            last = max(one for one in ended if one is not None)
            to_resolve = max(0.0, last + 1 - mended) if last < self.clock.index - 2 else None
        return Verdict(
            name,
            {**promise.mark, "pool": scene.part.origin},
            scene.part.fault.name,
            promise.proven.alert.within + late(scene.interval) + self.late * scene.interval,
            None if to_fire is None else round(to_fire * scene.interval),
            None if to_resolve is None else round(to_resolve * scene.interval),
            sum(any(map(promise.tells, one.alerts)) for one in self.deliveries),
            wrong,
            healed=scene.mended is not None,
        )

    def _of(self, name: str, labels: Labels) -> list[Spell]:
        return [
            spell
            for one, spells in self._all
            if one["alertname"] == name and labels.items() <= one.items()
            for spell in spells
        ]

    def _wrong(self, scene: Scene) -> tuple[str, ...]:
        """Names of alerts that fired at this scene's pool and belong neither to its fault nor beside it.

        A fault that fires nothing is not mended: what fires when it has lasted for longer than it must is no news.
        """
        begin = self.clock.rest + _WARM_UP
        end = inf if scene.promises else scene.due + self.late
        return tuple(
            sorted(
                {
                    labels["alertname"]
                    for labels, spells in self._all
                    if scene.owns(labels)
                    and labels["alertname"] not in self.always
                    and not allowed(labels, scene.part.fault)
                    and not any(promise.tells(labels) for promise in scene.promises)
                    and any(last > begin and first < end for first, last in spells)
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
        where = one_of("instance", (target.place.labels["instance"] for target in scene.targets.values()))
        found = [
            (right - left, left, right)
            for one in self._asked(f"timestamp(up{{{where}}})")
            for left, right in pairwise(sorted({self.clock.at(value) for _, value in one[1]}))
        ]
        longest = max(found, default=None)
        return longest[1:] if longest and longest[0] > 3 else None

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
