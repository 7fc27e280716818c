"""Coverage again, this time from what was seen: the same alerts, planned over what is really there."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from sre.catalogue import references
from sre.catalogue.bindings import MetricSource
from sre.catalogue.model import Catalogue
from sre.checks.eras import Era, at, era_of
from sre.checks.needs import Read, needs
from sre.checks.observation import CardId, Observation, selector
from sre.checks.places import Places
from sre.compile.counters import line
from sre.compile.coverage import Coverage, Sight, State, best, worst
from sre.fleet import Fleet, Pool
from sre.source import show


@dataclass(frozen=True)
class Reading:
    """On whose behalf something is read: ``own`` where only this pool's cards count, ``lately`` where an hour does."""

    own: bool = False
    lately: bool = False


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
        self._declared = Coverage(fleet, catalogue)
        self._answers: dict[tuple[str, str, Reading], Sight] = {}
        # Pools of one shape are no longer alike: one of them can be without targets.
        self._shapes = {pool.name: (pool.name, "", True, frozenset[str](), 0) for pool in fleet.pools}
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

    def branch(self, expr: str, pool: Pool) -> Sight:
        """One alternative, read by itself."""
        return self._expression(expr, pool, Reading())

    def signal(self, name: str, pool: Pool) -> Sight:
        """A raw signal: an engine's in this pool, a GPU exporter's on this pool's own cards."""
        return self._signal(name, pool, Reading(own=True))

    def _expression(self, expr: str, pool: Pool, reading: Reading) -> Sight:
        key = (expr, pool.name, reading)
        if key not in self._answers:
            self._answers[key] = self._asked(expr, pool, reading)
        return self._answers[key]

    def _asked(self, expr: str, pool: Pool, reading: Reading) -> Sight:
        declared = self._declared.branch(expr, pool)
        if not self._emitted(expr):
            return declared
        found = needs(expr)
        if found is None:
            return super().branch(expr, pool)
        return best(self._together(reads, pool, reading) for reads in found)

    def _emitted(self, expr: str) -> bool:
        """What is blind in every pool by the fleet file alone is not compiled, and cannot see whatever is there."""
        return any(
            self._declared.branch(expr, one).state > State.BLIND for one in self._declared.representatives
        )

    def _together(self, reads: Collection[Read], pool: Pool, reading: Reading) -> Sight:
        """Everything that is needed at once; a number that only pools have leaves out the cards of nobody."""
        own = reading.own or any(self._of_pools(read.name) for read in reads if not read.raw)
        return worst(
            self._read(read, pool, Reading(own, reading.lately or read.lately)) for read in sorted(reads)
        )

    def _read(self, read: Read, pool: Pool, reading: Reading) -> Sight:
        if read.raw:
            return self._signal(read.name, pool, reading)
        name = self._baselines.get(read.name, read.name)
        if references.static(name):
            return self._threshold(name, pool)
        return best(self._expression(one, pool, reading) for one in self._catalogue.records[name].branches)

    def _of_pools(self, name: str) -> bool:
        """Whether a series exists for pools and their replicas only; a threshold may hold for free cards, too."""
        if not name.startswith(("pool", "replica")):
            return False
        threshold = self._catalogue.thresholds.get(name.split(":")[1])
        return not (threshold.unowned if threshold else references.static(name))

    def _signal(self, name: str, pool: Pool, reading: Reading) -> Sight:
        name = references.signal_of(name, self._catalogue.signals)
        on_cards = any(name in binding.signals for binding in self._catalogue.gpus.values())
        if not on_cards or self._fleet.gpu_exporter is None:
            return super().signal(name, pool)
        if too_few := self._too_few(name, pool):
            return too_few
        if not self._observed.cards:
            return Sight() if reading.lately and self._observed.cards_lately else self._no_cards()
        cards, everywhere = self.places.cards_of(pool), frozenset(one.id for one in self._observed.cards)
        if cards:
            return self._card_signal(name, cards, f" on the cards of {pool.name}")
        if not (self._observed.live and reading.own):
            return self._card_signal(name, everywhere, "")
        return self._no_card(pool)

    def _no_card(self, pool: Pool) -> Sight:
        if pool.name not in (self._observed.targets or {}):
            return self._targets(pool)
        if pool.gpus:
            return self._blind(f"no card joins pool {pool.name}", self.places.advice(pool))
        reason = f"no card joins pool {pool.name}, which declares no gpus"
        self.rightly.add(reason)
        return self._blind(
            reason, "nothing, where it has none; else write its `gpus`, with `match` if need be"
        )

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
