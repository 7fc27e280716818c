"""What a fleet's Prometheus holds of a simulated pool after its scrapes: every series by name, with its samples."""

from collections.abc import Iterator

from sre.catalogue.model import Binding
from sre.simulate.card_metrics import CardMetrics
from sre.simulate.engine_metrics import EngineMetrics
from sre.simulate.pool import Simulated
from sre.simulate.samples import Samples
from sre.simulate.site import Named, Site, series
from sre.simulate.story import Place


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

    def series(self, simulated: Simulated) -> dict[str, Samples]:
        """Every series that has a sample."""
        named = (*self._named(simulated), *self._gateway(simulated))
        return {
            name: samples for name, samples in named if any(run.first is not None for run in samples.runs)
        }

    def _named(self, simulated: Simulated) -> Iterator[Named]:
        places = simulated.timeline.places
        for number, engine in enumerate(simulated.engines):
            yield from self._engines.series(number, engine, places[Place(number)])
        yield from self._engines.bystanders(simulated.timeline.count)
        if self._cards:
            for place, signals in simulated.cards.items():
                yield from self._cards.series(place, signals, places[place])

    def _gateway(self, simulated: Simulated) -> Iterator[Named]:
        if not self._usage:
            return
        target = {
            "job": self._site.usage_job,
            "instance": "10.0.2.0:9109",
            "model": self._site.model,
            "team": self._site.team,
        }
        for (signal, labels), samples in simulated.gateway.items():
            for source in self._usage.signals.get(signal, ()):
                own = {source.labels.get(label, label): value for label, value in labels}
                yield series(source.metric, {**target, **own}), samples
