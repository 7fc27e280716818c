"""All faults at once, side by side in one fleet: what happens to each pool, and what must fire."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil

from sre.catalogue.faults import Fault, Story
from sre.compile.cases import Case
from sre.compile.expected import Expectations, Proven, places_of
from sre.compile.plan import Plan
from sre.compile.stand_in import StandIn
from sre.lab.pages import Page
from sre.lab.parts import Part
from sre.lab.targets import Place, Target, places, targets
from sre.simulate.pool import Simulated
from sre.simulate.story import Timeline

_LONG_ENOUGH = 1200
"""Seconds after which a fault whose alerts all fire can be mended, where `within` is longer."""

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Promise:
    """Alerts that a fault must fire: ``mark`` tells them from others of their name, ``places`` are their labels."""

    proven: Proven
    mark: Labels
    places: tuple[Labels, ...]

    def tells(self, labels: Labels) -> bool:
        """Whether an alert with these labels is one of them."""
        return labels["alertname"] == self.proven.alert.name and any(
            place.items() <= labels.items() for place in self.places
        )

    def kept(self, firing: Iterable[Labels]) -> bool:
        """Whether all of them are among what fires."""
        told = [labels for labels in firing if labels["alertname"] == self.proven.alert.name]
        return all(any(place.items() <= labels.items() for labels in told) for place in self.places)


@dataclass
class Scene:
    """One fault at its pool; times are indices of scrapes that all scenes share."""

    part: Part
    case: Case
    """The fault with as much history as is scraped."""
    stand_in: StandIn
    promises: tuple[Promise, ...]
    mended: int | None = None
    """The first scrape that sees the pool healthy again."""
    targets: dict[str, Target] = field(default_factory=dict)
    simulated: Simulated = field(init=False)

    def __post_init__(self) -> None:
        self._play(self.timeline)

    @property
    def timeline(self) -> Timeline:
        """What happens if nothing is mended."""
        return self.case.timeline

    @property
    def interval(self) -> int:
        """Seconds between two scrapes."""
        return self.stand_in.interval

    @property
    def due(self) -> int:
        """The scrape by which everything that must fire has fired."""
        return self.timeline.onset + ceil(self.part.seconds / self.interval)

    @property
    def shown(self) -> int:
        """The first scrape at which nothing new happens, and alerts that all fire have done so for long enough."""
        last = max(ceil(step.at / self.interval) for step in self.part.fault.steps) + self.timeline.start
        return max(last, self.timeline.onset + min(self.part.seconds, _LONG_ENOUGH) // self.interval)

    @property
    def resolving(self) -> int:
        """Scrapes in which its alerts resolve once it is mended."""
        kept = max((promise.proven.alert.keep_firing_for for promise in self.promises), default=0)
        return ceil((self.part.fault.heals + kept) / self.interval)

    @property
    def happens(self) -> bool:
        """Whether the fault changes anything."""
        return any(step.set or step.hide for step in self.part.fault.steps)

    @property
    def mendable(self) -> bool:
        """Whether anything is to fire that was silent before and can resolve."""
        return bool(self.promises) and self.happens and bool(self.part.fault.heals)

    @property
    def leaves(self) -> bool:
        """Whether a target leaves service discovery, which Prometheus sees in its own time."""
        return any("gone" in step.set for step in self.part.fault.steps)

    def mend(self, index: int) -> None:
        """Let everything be healthy from a scrape on."""
        self.mended = index
        self._play(self._laid_out(self.part.fault, self.timeline.onset, index))

    def page(self, path: str, index: int) -> Page:
        """What one of its targets answers to a scrape.

        A target that has left goes on as if nothing had happened, until Prometheus has noticed.
        """
        target = self.targets[path]
        return (self._unharmed[path] if target.gone(index) else target).page(index)

    @cached_property
    def _unharmed(self) -> dict[str, Target]:
        nothing = Story.model_validate({"before": self.part.fault.before})
        return self._targets(self.stand_in.whole.simulate(self._laid_out(nothing, self.timeline.start)))

    def _laid_out(self, story: Story, onset: int, mended: int | None = None) -> Timeline:
        line = self.timeline
        seconds, heals = ((mended - onset) * self.interval, self.interval) if mended else (0, 0)
        return self.stand_in.whole.lay_out(story, self.case.fault, seconds, line.dawn, line.count - 1, heals)

    def _play(self, timeline: Timeline) -> None:
        self.simulated = self.stand_in.whole.simulate(timeline)
        self.targets = self._targets(self.simulated)

    def _targets(self, simulated: Simulated) -> dict[str, Target]:
        series = (named for block in self.stand_in.blocks(simulated, True) for named in block)
        return {target.place.path: target for target in targets(self._places, series)}

    @cached_property
    def _places(self) -> tuple[Place, ...]:
        site = self.stand_in.site
        return tuple(places(site, self.stand_in.whole.shape.replicas, f"/{site.ward}"))

    def owns(self, labels: Labels) -> bool:
        """Whether an alert with these labels is about this scene's pool, its hosts or its cards."""
        if "pool" in labels:
            return labels["pool"] == self.part.pool.name
        site = self.stand_in.site
        return labels.get("model") == site.model or any(
            labels.get("uuid") == site.uuid(place) or labels.get("host") == site.host(place.replica)
            for place in self.timeline.places
        )


def stage(plan: Plan, parts: Iterable[Part], warm: int, spare: int) -> tuple[Scene, ...]:
    """The scenes of a plan that was made of the parts' pools: all faults start at the same scrape.

    ``warm`` is the least number of healthy scrapes before it, ``spare`` how many there are after the last has
    resolved.
    """
    interval = int(plan.fleet.evaluation_interval)
    warmed = [(part, _with_history(part.fault, warm * interval)) for part in parts]
    start = max((fault.history + fault.quiet) // interval for _, fault in warmed)
    cases = [_case(plan, ward, part, fault, start, 0) for ward, (part, fault) in enumerate(warmed, 1)]
    end = max(scene.due + scene.resolving for scene in cases) + spare
    return tuple(_case(plan, ward, *one, start, end) for ward, one in enumerate(warmed, 1))


def _case(plan: Plan, ward: int, part: Part, fault: Fault, start: int, end: int) -> Scene:
    stand_in = StandIn(plan, part.pool, ward)
    expectations = Expectations(plan, part.pool, stand_in.site)
    dawn = start - (fault.history + fault.quiet) // stand_in.interval
    timeline = stand_in.whole.lay_out(fault, fault, part.seconds, dawn, end)
    rules = expectations.firing(fault)
    case = Case(fault.name, fault, fault, rules, rules, stand_in.whole, timeline, part.seconds)
    return Scene(part, case, stand_in, tuple(_promises(expectations, case)))


def _promises(expectations: Expectations, case: Case) -> Iterator[Promise]:
    for proven in case.rules:
        found: dict[tuple[tuple[str, str], ...], list[Labels]] = {}
        for place in places_of(proven.alert, case.places):
            for mark, labels in expectations.labels(proven, case.fault, place):
                found.setdefault(tuple(sorted(mark.items())), []).append(labels)
        for mark_, labels_ in found.items():
            yield Promise(proven, dict(mark_), tuple(labels_))


def _with_history(fault: Fault, seconds: int) -> Fault:
    return fault.model_copy(update={"history": max(fault.history, seconds)})
