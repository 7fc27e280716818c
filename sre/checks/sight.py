"""Coverage again, this time from what was seen: the same alerts, planned over what is really there."""

from functools import cached_property

from sre.catalogue import references
from sre.catalogue.model import Catalogue, MetricSource
from sre.checks.eras import Era, at, era_of
from sre.checks.observation import CardId, Observation, selector
from sre.checks.places import Places
from sre.compile.counters import line
from sre.compile.coverage import Coverage, Sight, State
from sre.fleet import Fleet, Pool
from sre.source import show


class Seeing(Coverage):
    """What each signal of each pool is, going by an observation. ``fixes`` tells for each reason what helps."""

    def __init__(self, fleet: Fleet, catalogue: Catalogue, observation: Observation) -> None:
        super().__init__(fleet, catalogue)
        self._observed = observation
        self.fixes: dict[str, str] = {}
        self.places = Places(fleet, catalogue, observation)
        # Pools of one engine and version are no longer alike: one of them can be without targets.
        self._flags = {pool.name: (pool.name, "") for pool in fleet.pools}

    def era(self, pool: Pool) -> Era | None:
        """Which releases the pool's metrics can come from; None where it shows none."""
        names = self._observed.engine.get(pool.name)
        return era_of(self._catalogue.engines[pool.engine.kind], names) if names else None

    @cached_property
    def exporter_era(self) -> Era | None:
        """The same for the GPU exporter."""
        exporter, seen = self._fleet.gpu_exporter, self._observed
        if exporter is None or not seen.cards:
            return None
        return era_of(self._catalogue.gpus[exporter.kind], seen.exporter_names, seen.exporter_labels)

    def sources(self, name: str, pool: Pool) -> tuple[MetricSource, ...]:
        """All raw metrics behind an engine's signal, whichever release they belong to."""
        return self._catalogue.engines[pool.engine.kind].signals.get(name, ())

    def _engine(self, name: str, pool: Pool) -> Sight:
        seen, sources = self._observed.engine.get(pool.name, frozenset()), self.sources(name, pool)
        signal = self._catalogue.signals[name]
        if not sources:
            return super()._engine(name, pool)
        if name == "up":
            return self._up(pool)
        if any(selector(source, signal) in seen for source in sources) or (seen and signal.lazy):
            return Sight()
        if not seen:
            return (
                self._up(pool) if self._observed.live else self._blind(f"no file shows pool {pool.name}", "")
            )
        return self._blind(*self._absent(name, pool, sources))

    def _up(self, pool: Pool) -> Sight:
        targets = self._observed.targets
        if targets is None or (pool.name in targets and self._observed.engine.get(pool.name)):
            return Sight()
        if pool.name not in targets:
            return self._blind(
                f"no target has {self._fleet.pool_label}={show(pool.name)}", self._renamed(pool)
            )
        identify = self._catalogue.engines[pool.engine.kind].identify
        down = "; all of them are down" if not targets[pool.name].up else ""
        return self._blind(
            f"the targets of {pool.name} expose no metric of {pool.engine.kind}, such as {identify}{down}",
            targets[pool.name].errors[0] if targets[pool.name].errors else "scrape the engine's own /metrics",
        )

    def _renamed(self, pool: Pool) -> str:
        """The engines that answer under names which no pool has: most likely it is one of those."""
        declared = {one.name for one in self._fleet.pools}
        others = [
            job
            for job, kind in self._observed.engine_jobs.items()
            if kind == pool.engine.kind and job not in declared
        ]
        fix = f"correct the pool's name or `pool_label`; {pool.engine.kind} answers here under "
        return (
            fix + ", ".join(map(show, sorted(others)[:10]))
            if others
            else "scrape its engines, with that label"
        )

    def _absent(self, name: str, pool: Pool, sources: tuple[MetricSource, ...]) -> tuple[str, str]:
        metrics, era = " or ".join(source.metric for source in sources), self.era(pool)
        kind, later = (
            pool.engine.kind,
            [source for source in sources if era and at(source.since) > at(era.low)],
        )
        first = min((source.since for source in later), key=at, default=None)
        if first and len(later) == len(sources) and era and era.high and at(era.high) <= at(first):
            return (
                f"{era} runs in {pool.name}, and {name} ({metrics}) comes with {kind} {first}",
                f"upgrade to {kind} {first}",
            )
        return (
            f"{pool.name} exposes no {metrics}",
            "look into the engine's own /metrics: if it is there, the scrape job's metric_relabel_configs drop it",
        )

    def _gpu(self, name: str) -> Sight:
        """For cards of any pool; ``signal`` looks at those of one."""
        return self._card_signal(name, frozenset(card.id for card in self._observed.cards), "")

    def signal(self, name: str, pool: Pool) -> Sight:
        """A raw signal: of a GPU exporter, on this pool's own cards."""
        name = references.signal_of(name, self._catalogue.signals)
        if not self._is_gpu(name) or self._fleet.gpu_exporter is None or not self._observed.cards:
            return super().signal(name, pool)
        if not self._observed.live:
            return self._gpu(name)
        cards = self.places.cards_of(pool)
        if cards:
            return self._card_signal(name, cards, f" on the cards of {pool.name}")
        if pool.gpus is None:
            return Sight(State.OFF, (f"{pool.name} declares no gpus, and no card joins it",))
        return self._blind(f"no card joins pool {pool.name}", self.places.advice(pool))

    def _is_gpu(self, name: str) -> bool:
        return any(name in binding.signals for binding in self._catalogue.gpus.values())

    def _card_signal(self, name: str, cards: frozenset[CardId], where: str) -> Sight:
        exporter = self._fleet.gpu_exporter
        if exporter is None:
            return super()._gpu(name)
        binding, signal = self._catalogue.gpus[exporter.kind], self._catalogue.signals[name]
        if not cards:
            return self._blind(f"no {binding.kind} series is there, such as {binding.identify}",
                               "scrape the exporter, or correct `gpu_exporter`")  # fmt: skip
        sources = binding.signals.get(name, ())
        if signal.lazy or any(
            self._observed.cards_with.get(selector(s, signal), frozenset()) & cards for s in sources
        ):
            return Sight()
        switch = next((source for source in sources if source.csv), None)
        if switch is None:
            return self._blind(
                f"{binding.kind} exposes no {' or '.join(s.metric for s in sources)}{where}", ""
            )
        reason = f"{switch.metric} is off{where}"
        self.fixes[reason] = f"add to the exporter's counters: {line(switch)}"
        return Sight(State.NEEDS_COUNTER, (reason,), (switch.metric,))

    def _usage(self) -> Sight:
        exporter = self._fleet.usage_exporter
        if exporter is None:
            return super()._usage()
        if self._observed.usage:
            return Sight()
        return self._blind(
            f"no usage metric comes from job {exporter.job!r}", "scrape `sre exporter` under that job"
        )

    def _blind(self, reason: str, fix: str) -> Sight:
        self.fixes[reason] = fix
        return Sight(State.BLIND, (reason,))
