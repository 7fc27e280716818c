"""What a fleet's Prometheus holds of a simulated pool after its scrapes: every series by name, with its samples."""

from collections.abc import Iterator
from itertools import chain

from sre.catalogue.bindings import Binding
from sre.simulate.card_metrics import CardMetrics
from sre.simulate.engine import Engine
from sre.simulate.engine_metrics import EngineMetrics
from sre.simulate.pool import Simulated
from sre.simulate.samples import Samples
from sre.simulate.site import Named, Site, series
from sre.simulate.story import Place
from sre.simulate.trimming import trimmed

_REPLIES = "output_tokens"

Block = tuple[Named, ...]
"""Series of one place; the same object wherever the same happens to it."""


class Exposition:
    """Exposes one pool: engine and cards at their releases, and the gateway's exporter where there is one."""

    def __init__(
        self,
        site: Site,
        engine: tuple[Binding, str],
        cards: tuple[Binding, str] | None,
        usage: Binding | None,
    ) -> None:
        self._site, self._usage = site, usage
        self._engines = EngineMetrics(*engine, site)
        self._cards = CardMetrics(*cards, site) if cards else None
        self._known: dict[tuple[object, int], tuple[object, Block]] = {}

    def blocks(self, simulated: Simulated, cards: bool = True) -> Iterator[Block]:
        """Every series that has a sample; ``cards`` says whether the GPU exporter's are wanted."""
        places = simulated.timeline.places
        for number, engine in enumerate(simulated.engines):
            own = self._engines.series(number, engine, places[Place(number)])
            yield self._once((number, id(engine)), engine, chain(own, self._replies(number, engine)))
        yield tuple(self._engines.bystanders(simulated.timeline.count))
        if self._cards and cards:
            for place, signals in simulated.cards.items():
                yield self._once(
                    (place, id(signals)), signals, self._cards.series(place, signals, places[place])
                )
        yield _with_samples(self._gateway(simulated))

    def _once(self, key: tuple[object, int], origin: object, named: Iterator[Named]) -> Block:
        """The block of an engine or a card, made when it is first asked for; ``origin`` is kept for its id's sake."""
        if key not in self._known:
            self._known[key] = (origin, _with_samples(named))
        return self._known[key][1]

    def _gateway(self, simulated: Simulated) -> Iterator[Named]:
        for (signal, labels), samples in simulated.gateway.items():
            yield from self._recorded(0, signal, "", labels, samples)

    def _replies(self, number: int, engine: Engine) -> Iterator[Named]:
        """Lengths of a replica's replies as its own instance of the gateway records them: one team sent them all."""
        for (name, labels), samples in trimmed(engine.signals).items() if self._usage else ():
            if name.startswith(_REPLIES):
                yield from self._recorded(
                    number, "usage_output_tokens", name.removeprefix(_REPLIES), labels, samples
                )

    def _recorded(
        self, number: int, signal: str, suffix: str, labels: tuple[tuple[str, str], ...], samples: Samples
    ) -> Iterator[Named]:
        target = {**self._site.gateway(number), "model": self._site.model}
        for source in self._usage.signals.get(signal, ()) if self._usage else ():
            own = {source.labels.get(label, label): value for label, value in labels}
            team = {"team": self._site.team} if "team" in source.labels.values() else {}
            yield series(source.metric + suffix, {**target, **team, **own}), samples


def _with_samples(named: Iterator[Named]) -> Block:
    return tuple(one for one in named if any(run.first is not None for run in one[1].runs))
