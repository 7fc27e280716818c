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
    """What each signal of each pool is, going by an observation.

    ``unknown`` is the state of what the observation does not cover: files show only what they are of.
    ``fixes`` tells, for each reason found here, what helps against it; ``unseen`` are reasons of the unknown,
    ``rightly`` those of signals that not every card has.
    """

    def __init__(
        self, fleet: Fleet, catalogue: Catalogue, observation: Observation, unknown: State = State.LIVE
    ) -> None:
        super().__init__(fleet, catalogue)
        self._observed, self._unknown = observation, unknown
        self.fixes: dict[str, str] = {}
        self.unseen: set[str] = set()
        self.rightly: set[str] = set()
        self.places = Places(fleet, catalogue, observation)
        # Pools of one shape are no longer alike: one of them can be without targets.
        self._shapes = {pool.name: (pool.name, "", True, frozenset[str]()) for pool in fleet.pools}
        self.representatives = fleet.pools

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

    def signal(self, name: str, pool: Pool) -> Sight:
        """A raw signal: an engine's in this pool, a GPU exporter's on this pool's own cards."""
        name = references.signal_of(name, self._catalogue.signals)
        on_cards = any(name in binding.signals for binding in self._catalogue.gpus.values())
        if not on_cards or self._fleet.gpu_exporter is None:
            return super().signal(name, pool)
        if not self._observed.cards:
            return self._no_cards()
        if not self._observed.live:
            return self._card_signal(name, frozenset(card.id for card in self._observed.cards), "")
        if pool.name not in (self._observed.targets or {}):
            return self._targets(pool)
        if cards := self.places.cards_of(pool):
            return self._card_signal(name, cards, f" on the cards of {pool.name}")
        if pool.gpus is None:
            return Sight(State.OFF, (f"{pool.name} declares no gpus, and no card joins it",))
        return self._blind(f"no card joins pool {pool.name}", self.places.advice(pool))

    def _engine(self, name: str, pool: Pool) -> Sight:
        seen = self._observed.engine.get(pool.name, frozenset())
        sources = self._catalogue.engines[pool.engine.kind].signals.get(name, ())
        if not sources:
            return super()._engine(name, pool)
        if not seen or name == "up":
            return self._targets(pool)
        signal = self._catalogue.signals[name]
        if signal.lazy or any(selector(source, signal) in seen for source in sources):
            return Sight()
        return self._blind(*self._absent(name, pool, sources))

    def _targets(self, pool: Pool) -> Sight:
        """For what every target has, and for pools that show nothing at all."""
        targets, seen = self._observed.targets, self._observed.engine.get(pool.name)
        if targets is None:
            return self._unseen("files say nothing of targets" if seen else f"no file shows pool {pool.name}")
        if pool.name not in targets:
            reason = f"no target has {self._fleet.pool_label}={show(pool.name)}"
            return self._blind(reason, self._renamed(pool))
        if seen:
            return Sight()
        kind, here = pool.engine.kind, targets[pool.name]
        identify, down = (
            self._catalogue.engines[kind].identify,
            "; all of them are down" if not here.up else "",
        )
        fix = f"the last error is: {here.errors[0]}" if here.errors else "scrape the engine's own /metrics"
        return self._blind(
            f"the targets of {pool.name} expose no metric of {kind}, such as {identify}{down}", fix
        )

    def _renamed(self, pool: Pool) -> str:
        """The engines that answer under names which no pool has: most likely it is one of those."""
        kind, declared = pool.engine.kind, {one.name for one in self._fleet.pools}
        others = sorted({job for job, its in self._observed.engine_jobs.items() if its == kind} - declared)
        if not others:
            return f"let the scrape job give its engines that {self._fleet.pool_label}"
        return f"correct its name, or `pool_label`: {kind} answers here under {', '.join(map(show, others[:10]))}"

    def _absent(self, name: str, pool: Pool, sources: tuple[MetricSource, ...]) -> tuple[str, str]:
        """Why a signal is not there though its engine is, and what helps."""
        metrics, era, kind = (
            " or ".join(source.metric for source in sources),
            self.era(pool),
            pool.engine.kind,
        )
        first = min((source.since for source in sources), key=at)
        if era and era.high and at(era.high) <= at(first):
            reason = f"{pool.name} runs {era}, and {name} ({metrics}) comes with {kind} {first}"
            return reason, f"upgrade to {kind} {first} or later"
        fix = "look into the engine's own /metrics: if it is there, the scrape job's metric_relabel_configs drop it"
        return f"{pool.name} exposes no {metrics}", fix

    def _no_cards(self) -> Sight:
        exporter = self._fleet.gpu_exporter
        assert exporter is not None
        if not self._observed.live:
            return self._unseen(f"no file shows {exporter.kind}")
        identify = self._catalogue.gpus[exporter.kind].identify
        fix = "let Prometheus scrape the exporter on every node, or correct `gpu_exporter`"
        return self._blind(f"no {exporter.kind} series is there, such as {identify}", fix)

    def _card_signal(self, name: str, cards: frozenset[CardId], where: str) -> Sight:
        exporter, signal = self._fleet.gpu_exporter, self._catalogue.signals[name]
        assert exporter is not None
        binding, cards_with = self._catalogue.gpus[exporter.kind], self._observed.cards_with
        sources = binding.signals.get(name, ())
        if any(cards_with.get(selector(one, signal), frozenset()) & cards for one in sources):
            return Sight()
        where = where if any(cards_with.get(selector(one, signal)) for one in sources) else ""
        switch = next((source for source in sources if source.csv), None)
        if switch is None:
            metrics = " or ".join(source.metric for source in sources)
            return self._blind(f"{binding.kind} exposes no {metrics}{where}", f"upgrade {binding.kind}")
        reason = f"{switch.metric} is off{where}"
        if signal.lazy:
            reason += ", or these cards lack it"
            self.rightly.add(reason)
        self.fixes[reason] = f"add to the exporter's counters: {line(switch)}"
        return Sight(State.NEEDS_COUNTER, (reason,), (switch.metric,))

    def _usage(self) -> Sight:
        exporter = self._fleet.usage_exporter
        if exporter is None:
            return super()._usage()
        if self._observed.usage:
            return Sight()
        if not self._observed.live:
            return self._unseen("no file shows the usage exporter")
        fix = "let Prometheus scrape `sre exporter` under that job"
        return self._blind(f"no usage metric comes from job {show(exporter.job)}", fix)

    def _unseen(self, reason: str) -> Sight:
        self.unseen.add(reason)
        return Sight(self._unknown, (reason,) if self._unknown is not State.LIVE else ())

    def _blind(self, reason: str, fix: str) -> Sight:
        self.fixes[reason] = fix
        return Sight(State.BLIND, (reason,))
