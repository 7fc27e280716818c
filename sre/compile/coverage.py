"""What can be seen in this fleet: for every expression and pool, live, one counter away, or blind, and why.

A series sees as well as the best of its alternatives, an alternative as well as the worst thing it reads.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from sre.catalogue import references
from sre.catalogue.bindings import Binding, MetricSource
from sre.catalogue.model import Catalogue, Threshold
from sre.compile.thresholds import threshold_value
from sre.fleet import Fleet, Pool
from sre.fleet.values import covers, release


class State(IntEnum):
    """Ordered from worst to best; off is what the fleet file does not ask for."""

    OFF = -1
    BLIND = 0
    NEEDS_COUNTER = 1
    LIVE = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Sight:
    """How well something sees; ``reasons`` say why not better, ``counters`` are metrics to switch on."""

    state: State = State.LIVE
    reasons: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()


Shape = tuple[str, str, bool, frozenset[str], int]
"""All of a pool that what it sees depends on: engine, version, interactive, the numbers it writes down, and the cards
of a replica, as far as a signal asks for several."""


class Coverage:
    """Answers for one fleet. Pools of one shape see alike, so each shape is asked once, whatever the fleet's size."""

    def __init__(self, fleet: Fleet, catalogue: Catalogue, listed: frozenset[str] | None = None) -> None:
        """``listed``: metrics named in the fleet's own counters file, where it names one."""
        self._fleet, self._catalogue, self._listed = fleet, catalogue, listed
        self._baselines = {to: name for name, to in catalogue.baselines.items()}
        self._seen: dict[tuple[str, Shape], Sight] = {}
        most = max((signal.cards for signal in catalogue.signals.values()), default=1)
        self._shapes = {pool.name: _shape(pool, most) for pool in fleet.pools}
        self.representatives = tuple(
            {self._shapes[pool.name]: pool for pool in reversed(fleet.pools)}.values()
        )
        """One pool of every shape, the fleet's first of it."""

    def branch(self, expr: str, pool: Pool) -> Sight:
        """One alternative: the worst of what it reads."""
        key = (expr, self._shapes[pool.name])
        if key not in self._seen:
            signals, series = references.signals(expr), references.series(expr)
            self._seen[key] = worst(
                [
                    *(self.signal(n, pool) for n in sorted(signals)),
                    *(self.series(n, pool) for n in sorted(series)),
                ]
            )
        return self._seen[key]

    def branches(self, exprs: Iterable[str], pool: Pool) -> Sight:
        return best(self.branch(expr, pool) for expr in exprs)

    def series(self, name: str, pool: Pool) -> Sight:
        """A recorded series. Static ones are written from the fleet file and always there where they apply."""
        name = self._baselines.get(name, name)
        if references.static(name):
            return self._threshold(name, pool)
        return self.branches(self._catalogue.records[name].branches, pool)

    def by_pool(self, ask: Callable[[Pool], Sight]) -> dict[str, Sight]:
        """The answer for every pool of the fleet, asked once for each shape."""
        answers = {self._shapes[pool.name]: ask(pool) for pool in self.representatives}
        return {name: answers[shape] for name, shape in self._shapes.items()}

    def signal(self, name: str, pool: Pool) -> Sight:
        """A raw signal, by the binding that this pool's engine or the fleet's exporters give it."""
        name = references.signal_of(name, self._catalogue.signals)
        if any(name in binding.signals for binding in self._catalogue.usage.values()):
            return self._usage()
        if any(name in binding.signals for binding in self._catalogue.gpus.values()):
            return self._too_few(name, pool) or self._gpu(name)
        return self._engine(name, pool)

    def _threshold(self, name: str, pool: Pool) -> Sight:
        parts = name.split(":")
        threshold = self._catalogue.thresholds.get(parts[1]) if parts[-1] == "threshold" else None
        if (
            threshold
            and not threshold.fleet
            and threshold_value(pool, threshold, self._catalogue.engines[pool.engine.kind]) is None
        ):
            return Sight(State.OFF, (_unpromised(threshold),))
        return Sight()

    def _engine(self, name: str, pool: Pool) -> Sight:
        binding = self._catalogue.engines[pool.engine.kind]
        sources = binding.signals.get(name, ())
        if any(in_range(source, pool.engine.version) for source in sources):
            return Sight()
        if not sources:
            return Sight(State.BLIND, (f"{binding.kind} exposes no {name}",))
        first = min((s.since for s in sources), key=lambda v: release(v) or (0, 0, 0))
        return Sight(
            State.BLIND,
            (
                f"{binding.kind} {pool.engine.version} has no {name} yet: it comes with {binding.kind} {first}",
            ),
        )

    def _usage(self) -> Sight:
        if self._fleet.usage_exporter:
            return Sight()
        return Sight(State.BLIND, ("no `usage_exporter` is declared in the fleet file",))

    def _too_few(self, name: str, pool: Pool) -> Sight | None:
        """Off where a replica declares fewer cards than it takes to have the signal at all."""
        least, cards = self._catalogue.signals[name].cards, pool.gpus.per_replica if pool.gpus else None
        if cards is None or cards >= least:
            return None
        counted = "one card" if cards == 1 else f"{cards} cards"
        return Sight(State.OFF, (f"a replica of {counted} has no {name}: it takes {least}",))

    def _gpu(self, name: str) -> Sight:
        exporter = self._fleet.gpu_exporter
        if exporter is None:
            return Sight(State.BLIND, ("no `gpu_exporter` is declared in the fleet file",))
        sources = self._catalogue.gpus[exporter.kind].signals.get(name, ())
        if any(self.switched_on(source) for source in sources):
            return Sight()
        switch = next((s for s in sources if s.csv), None)
        if switch is None:
            return Sight(State.BLIND, (f"{exporter.kind} {exporter.version} has no {name}",))
        return Sight(
            State.NEEDS_COUNTER, (f"{switch.metric} is not in the exporter's list",), (switch.metric,)
        )

    def switched_on(self, source: MetricSource) -> bool:
        """Whether the GPU exporter's list in use has this metric."""
        exporter = self._fleet.gpu_exporter
        assert exporter is not None
        if self._listed is not None:
            return source.metric in self._listed
        since = source.chart if exporter.counters == "chart" else source.image
        return since is not None and (release(exporter.version) or (0, 0, 0)) >= (release(since) or (0, 0, 0))


def _shape(pool: Pool, most: int) -> Shape:
    """``most``: cards beyond which no signal asks for more."""
    return (
        pool.engine.kind,
        pool.engine.version,
        pool.interactive,
        frozenset((*pool.objectives, *pool.thresholds)),
        min(pool.gpus.per_replica, most) if pool.gpus else most,
    )


def in_range(source: MetricSource, version: str) -> bool:
    """Whether a release has the metric."""
    return covers(source.since, source.until, version)


def worst(sights: Iterable[Sight]) -> Sight:
    return _join(list(sights), min)


def best(sights: Iterable[Sight]) -> Sight:
    """The best of alternatives. One counter is enough where several would do; of blind ones every reason counts."""
    found = list(sights)
    one_away = [s for s in found if s.state is State.NEEDS_COUNTER]
    if one_away and max(s.state for s in found) is State.NEEDS_COUNTER:
        return one_away[0]
    return _join(found, max)


def _join(sights: list[Sight], choose: Callable[[list[State]], State]) -> Sight:
    if not sights:
        return Sight()
    state = choose([s.state for s in sights])
    if state is State.LIVE:
        return Sight()
    these = [s for s in sights if s.state is state]
    return Sight(
        state, _unique(r for s in these for r in s.reasons), _unique(c for s in these for c in s.counters)
    )


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _unpromised(threshold: Threshold) -> str:
    kind = f"`objectives.{threshold.name}`" if threshold.objective else f"`thresholds.{threshold.name}`"
    return f"a batch pool without {kind}: the default is for interactive pools"


def bounds_of(binding: Binding, histogram: str, pool: Pool) -> tuple[str, ...]:
    """Upper bounds of a histogram as this pool's engine has them, as plain numbers in text; empty where unknown."""
    custom = pool.engine.histogram_buckets.get(binding.bound_keys.get(histogram, ""))
    if custom:
        return tuple(str(b) for b in custom)
    for era in binding.bounds.get(histogram, ()):
        if pool.engine.release >= (release(era.since) or (0, 0, 0)):
            return tuple(str(b) for b in era.le)
    return ()
