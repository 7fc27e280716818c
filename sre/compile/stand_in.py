"""The simulated stand-in of a pool: as much of it as its proofs need, under its labels, names and thresholds."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from sre.catalogue.bindings import Binding
from sre.compile.coverage import bounds_of
from sre.compile.plan import Plan
from sre.compile.thresholds import threshold_value
from sre.fleet import Pool
from sre.simulate.exposition import Block, Exposition
from sre.simulate.pool import Shape, Simulated, Simulator
from sre.simulate.samples import Run, Samples
from sre.simulate.site import Site, series
from sre.simulate.truth import Truth

_REPLICAS, _CARDS = 2, 2
"""Replicas that are simulated in full, and cards of each: two make every sum, mean and maximum matter."""


class StandIn:
    """One pool of a fleet. ``whole`` simulates every replica that a fault needs, ``single`` one that is like all."""

    def __init__(self, plan: Plan, pool: Pool) -> None:
        self._plan, self._pool = plan, pool
        self.interval = int(plan.fleet.evaluation_interval)
        self.whole, self.single = Simulator(self._shape), Simulator(replace(self._shape, replicas=1))

    @cached_property
    def site(self) -> Site:
        """The labels of its places."""
        fleet = self._plan.fleet
        return Site(
            self._pool.name,
            self._pool.model,
            fleet.pool_label,
            self._plan.identity.kind,
            bool(fleet.gpu_exporter and fleet.gpu_exporter.honor_labels),
            fleet.usage_exporter.job if fleet.usage_exporter else "",
        )

    def blocks(self, simulated: Simulated, cards: bool) -> Iterator[Block]:
        """What Prometheus holds of it, declared replicas that only answer their scrapes included."""
        dawn, count, first = simulated.timeline.dawn, simulated.timeline.count, simulated.shape.replicas
        up = Samples.joined((Run(dawn, None), Run(count - dawn, 1.0)))
        others = range(first, first + self._silent(simulated))
        yield from self._exposition.blocks(simulated, cards)
        yield tuple((series("up", self.site.replica(n)), up) for n in others)

    def truth(self, simulated: Simulated) -> Truth:
        """Its recorded series, by their definitions."""
        return Truth(simulated, self._silent(simulated))

    def _silent(self, simulated: Simulated) -> int:
        return max(0, self._pool.replicas_min - simulated.shape.replicas)

    @cached_property
    def _binding(self) -> Binding:
        return self._plan.catalogue.engines[self._pool.engine.kind]

    @cached_property
    def _shape(self) -> Shape:
        gpus, exporter = self._pool.gpus, self._plan.fleet.gpu_exporter
        return Shape(
            min(_REPLICAS, max(1, self._pool.replicas_min)),
            min(_CARDS, gpus.per_replica) if gpus and exporter else 0,
            self.thresholds,
            self.bounds,
            self.interval,
            bool(self._plan.fleet.usage_exporter),
        )

    @cached_property
    def bounds(self) -> dict[str, tuple[float, ...]]:
        """Upper bounds of its histograms, without +Inf."""
        return {
            name: tuple(map(float, bounds_of(self._binding, name, self._pool)))
            for name in self._binding.bounds
        }

    @cached_property
    def thresholds(self) -> dict[str, float | None]:
        """Its limits in base units, None where one does not apply."""
        thresholds = self._plan.catalogue.thresholds
        values = {
            name: threshold_value(self._pool, t, self._binding)
            for name, t in thresholds.items()
            if not t.fleet
        }
        found = {name: t.default if t.fleet else values[name] for name, t in thresholds.items()}
        return {name: None if value is None else float(value) for name, value in found.items()}

    @cached_property
    def _exposition(self) -> Exposition:
        exporter, catalogue = self._plan.fleet.gpu_exporter, self._plan.catalogue
        cards = (catalogue.gpus[exporter.kind], exporter.version) if exporter else None
        usage = next(iter(catalogue.usage.values()), None) if self._plan.fleet.usage_exporter else None
        return Exposition(self.site, (self._binding, self._pool.engine.version), cards, usage)
