"""A story happens to one pool: replicas, their cards, and the gateway's records of what they generated."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sre.catalogue.faults import FLEET, Fault, Story
from sre.simulate import gateway, gpu, replica
from sre.simulate.engine import Engine, run_engine
from sre.simulate.gateway import run_gateway
from sre.simulate.gpu import run_card
from sre.simulate.replica import Flows, Key
from sre.simulate.samples import Samples
from sre.simulate.service import Bounds
from sre.simulate.story import Place, Stretch, Timeline, lay_out


@dataclass(frozen=True)
class Shape:
    """What is simulated of a pool: ``thresholds`` in base units, None where one does not apply."""

    replicas: int
    cards: int
    thresholds: Mapping[str, float | None]
    bounds: Bounds
    interval: int
    gateway: bool = False

    @cached_property
    def usual(self) -> dict[str, float]:
        """Healthy inputs, by name."""
        return {
            **dict.fromkeys(FLEET, 0.0),
            **gateway.USUAL,
            "recorded": 1 - (1 - (self.thresholds.get("usage_accounted") or 0.95)) / 5,
            **gpu.healthy(self.thresholds, self.cards),
            **replica.healthy(self.thresholds, self.bounds, self.replicas, self.cards),
        }


@dataclass(frozen=True)
class Simulated:
    """The pool while the story happens to it, as samples by signal."""

    shape: Shape
    timeline: Timeline
    engines: tuple[Engine, ...]
    cards: dict[Place, dict[Key, Samples]]
    gateway: dict[Key, Samples]

    def inputs(self, place: Place, index: int) -> dict[str, float]:
        """Inputs of a place at a scrape."""
        for stretch in self.timeline.places[place]:
            if index < stretch.count:
                return stretch.inputs
            index -= stretch.count
        raise IndexError(index)


class Simulator:
    """Simulates stories of one pool; replicas and cards to which the same happens are computed once."""

    def __init__(self, shape: Shape) -> None:
        self.shape, self._flows = shape, Flows(shape.usual, shape.bounds, shape.interval)
        self._engines: dict[tuple[object, ...], Engine] = {}
        self._cards: dict[tuple[object, ...], dict[Key, Samples]] = {}

    def lay_out(
        self, story: Story, fault: Fault, seconds: int, dawn: int = 0, until: int = 0, heals: int = 0
    ) -> Timeline:
        """``story`` is the fault itself or a silent neighbour of it; it runs ``seconds`` beyond its last change,
        and is then mended for ``heals`` seconds.
        """
        shape = self.shape
        return lay_out(
            story,
            fault,
            shape.usual,
            shape.thresholds,
            (shape.replicas, shape.cards),
            shape.interval,
            seconds,
            dawn,
            until,
            heals,
        )

    def simulate(self, timeline: Timeline) -> Simulated:
        """Let the timeline happen."""
        shape = self.shape
        engines = tuple(self._engine(timeline.places[Place(r)]) for r in range(shape.replicas))
        cards = {
            place: self._card(stretches, engines[place.replica])
            for place, stretches in timeline.places.items()
            if place.card is not None
        }
        recorded = run_gateway(timeline.places[Place(0)], engines, shape.interval) if shape.gateway else {}
        return Simulated(shape, timeline, engines, cards, recorded)

    def _engine(self, stretches: tuple[Stretch, ...]) -> Engine:
        key = _identity(stretches)
        if key not in self._engines:
            self._engines[key] = run_engine(stretches, self._flows, self.shape.interval)
        return self._engines[key]

    def _card(self, stretches: tuple[Stretch, ...], engine: Engine) -> dict[Key, Samples]:
        key = (*_identity(stretches), id(engine))
        if key not in self._cards:
            self._cards[key] = run_card(stretches, engine.work, self.shape.interval)
        return self._cards[key]


def _identity(stretches: tuple[Stretch, ...]) -> tuple[object, ...]:
    return tuple((s.count, tuple(s.inputs.values()), s.hidden) for s in stretches)
