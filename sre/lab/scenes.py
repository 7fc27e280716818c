"""All faults at once: one pool for each, a copy of the representative of its kind, side by side in one fleet."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sre.catalogue.faults import Fault
from sre.catalogue.model import Catalogue
from sre.compile.cases import Cases, late
from sre.compile.expected import Expectations, Proven
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.compile.representatives import representatives
from sre.compile.stand_in import StandIn
from sre.fleet import WEEK, BusinessHours, Fleet, Pool
from sre.fleet.pool import Replicas
from sre.lab.pages import Page
from sre.lab.targets import Place, Target, places, targets
from sre.simulate.pool import Simulated
from sre.simulate.story import Timeline, mend

_ALWAYS = BusinessHours(days=WEEK, start="00:00", end="24:00")

Chosen = Callable[[Fault], bool]


@dataclass(frozen=True)
class Part:
    """One fault and the pool that it will happen to; ``origin`` is the pool of the fleet that it is a copy of."""

    fault: Fault
    pool: Pool
    origin: str
    seconds: int
    """From the onset to where everything that must fire has fired."""


@dataclass
class Scene:
    """One fault at its pool; times are indices of scrapes that all scenes share."""

    part: Part
    stand_in: StandIn
    rules: tuple[Proven, ...]
    allowed: tuple[str, ...]
    timeline: Timeline
    mended: int | None = None
    """The first scrape that sees the pool healthy again."""
    targets: dict[str, Target] = field(default_factory=dict)
    simulated: Simulated = field(init=False)

    def __post_init__(self) -> None:
        self._play(self.timeline)

    @property
    def name(self) -> str:
        """The fault's name; a fleet of several kinds has scenes of one name."""
        return self.part.fault.name

    @property
    def due(self) -> int:
        """The scrape by which everything that must fire has fired."""
        return self.timeline.onset + -(-self.part.seconds // self.simulated.shape.interval)

    def mend(self, index: int) -> None:
        """Let everything be healthy from a scrape on."""
        self.mended = index
        self._play(mend(self.timeline, index))

    def page(self, path: str, index: int) -> Page:
        """What one of its targets answers to a scrape.

        A target that has left goes on as if nothing had happened, until Prometheus has noticed.
        """
        target = self.targets[path]
        return (self._unharmed[path] if target.gone(index) else target).page(index)

    @cached_property
    def _unharmed(self) -> dict[str, Target]:
        return self._targets(self.stand_in.whole.simulate(mend(self.timeline, self.timeline.start)))

    def _play(self, timeline: Timeline) -> None:
        self.simulated = self.stand_in.whole.simulate(timeline)
        self.targets = self._targets(self.simulated)

    def _targets(self, simulated: Simulated) -> dict[str, Target]:
        series = (named for block in self.stand_in.blocks(simulated, True) for named in block)
        return {target.place.path: target for target in targets(self._places, series)}

    @cached_property
    def _places(self) -> tuple[Place, ...]:
        return tuple(places(self.stand_in.site, self.stand_in.whole.shape.replicas, f"/{self.stand_in.site.ward}"))

    @property
    def breaks(self) -> bool:
        """Whether anything is to fire that was silent before, so that there is something to mend."""
        return bool(self.rules) and any(step.set or step.hide for step in self.part.fault.steps)

    @property
    def leaves(self) -> bool:
        """Whether a target leaves service discovery, which Prometheus sees in its own time."""
        return any("gone" in step.set for step in self.part.fault.steps)

    def tells(self, proven: Proven, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is this rule's, as the fault promises it."""
        named = {"alertname": proven.alert.name, "severity": proven.rule.severity, **proven.rule.fixed}
        promised = self.part.fault.labels.get(proven.alert.name, ({},))
        return named.items() <= labels.items() and any(one.items() <= labels.items() for one in promised)

    def is_told(self, proven: Proven, firing: Iterable[Mapping[str, str]]) -> bool:
        """Whether the rule is among what fires."""
        return any(self.tells(proven, labels) for labels in firing)

    def owns(self, labels: dict[str, str]) -> bool:
        """Whether an alert with these labels is about this scene's pool, its hosts or its cards."""
        if "pool" in labels:
            return labels["pool"] == self.part.pool.name
        site = self.stand_in.site
        return labels.get("model") == site.model or any(
            labels.get("uuid") == site.uuid(place) or labels.get("host") == site.host(place.replica)
            for place in self.timeline.places
        )


def parts(fleet: Fleet, catalogue: Catalogue, listed: frozenset[str] | None, chosen: Chosen) -> Iterator[Part]:
    """Every fault that the fleet can show, as the proofs in virtual time have them, with a pool for each."""
    plan = make_plan(always_open(fleet), catalogue, listed)
    for one in representatives(plan):
        stand_in = StandIn(plan, one.pool)
        expectations = Expectations(plan, one.pool, stand_in.site)
        cases = Cases(plan, expectations, stand_in.whole, stand_in.single)
        for case in cases.all(briefly=not one.whole):
            if case.story is case.fault and chosen(case.fault):
                pool = _copy(one.pool, case.fault.name, stand_in.whole.shape.replicas)
                yield Part(case.fault, pool, one.pool.name, case.seconds + late(stand_in.interval))


def always_open(fleet: Fleet) -> Fleet:
    """The fleet with business hours that never end: a scaled day would be over in minutes."""
    return fleet.model_copy(update={"business_hours": _ALWAYS})


def _copy(pool: Pool, fault: str, replicas: int) -> Pool:
    """A pool of as many replicas as are simulated, with the same limits and a model of its own."""
    more: dict[str, object] = {"name": f"{pool.name}/{fault}", "model": f"{pool.model}/{fault}"}
    if pool.gpus:
        least, most = pool.replicas_min, pool.replicas_max
        count = Replicas(min=min(least, replicas), max=max(1, min(least, replicas)) + (most - least))
        more["gpus"] = pool.gpus.model_copy(update={"replicas": count, "match": {}})
    elif pool.min_replicas is not None:
        more["min_replicas"] = min(pool.min_replicas, replicas)
    return pool.model_copy(update=more)


def stage(plan: Plan, parts: Iterable[Part], warm: int, length: int) -> tuple[Scene, ...]:
    """The scenes of a plan that was made of the parts' pools: all faults start at the same scrape.

    ``warm`` is the least number of healthy scrapes before it, ``length`` how many the longest lasts after it.
    """
    interval = int(plan.fleet.evaluation_interval)
    warmed = [(part, _with_history(part.fault, warm * interval)) for part in parts]
    start = max((fault.history + fault.quiet) // interval for _, fault in warmed)
    found = []
    for ward, (part, fault) in enumerate(warmed, 1):
        stand_in = StandIn(plan, part.pool, ward)
        expectations = Expectations(plan, part.pool, stand_in.site)
        dawn = start - (fault.history + fault.quiet) // interval
        timeline = stand_in.whole.lay_out(fault, fault, part.seconds, dawn, start + length)
        found.append(
            Scene(part, stand_in, expectations.firing(fault), expectations.allowed(fault), timeline)
        )
    return tuple(found)


def _with_history(fault: Fault, seconds: int) -> Fault:
    return fault.model_copy(update={"history": max(fault.history, seconds)})


def live_fleet(fleet: Fleet, parts: Iterable[Part]) -> Fleet:
    """The fleet that is scraped: nothing but the parts' pools."""
    return always_open(fleet).model_copy(update={"pools": tuple(part.pool for part in parts)})
