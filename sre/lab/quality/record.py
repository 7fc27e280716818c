"""A pool-day as Prometheus would hold it: every sample of its replicas and cards, as promtool's input series."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from sre.compile.plan import Plan
from sre.compile.stand_in import StandIn
from sre.fleet import Pool
from sre.lab.plot import Plot
from sre.lab.quality.course import Tremor, course
from sre.lab.quality.days import LENGTH, STEP, PoolDay, random_of
from sre.lab.quality.week_ago import week_ago
from sre.simulate.card import Card
from sre.simulate.card_metrics import CardMetrics
from sre.simulate.course import Moment, current
from sre.simulate.demand import DAY, Demand, week
from sre.simulate.engine import GAUGES
from sre.simulate.engine_metrics import EngineMetrics, split
from sre.simulate.pool import Shape
from sre.simulate.queueing import QueueingReplica, Workload
from sre.simulate.replica import Key
from sre.simulate.samples import number
from sre.simulate.site import series
from sre.simulate.story import Place

SCRAPES = LENGTH // STEP + 1

Held = dict[str, list[float | None]]
"""Samples by series, one for each scrape, None where there is none."""

_BOUND = re.compile(r'(?<=[{,])le="[^"]*"')

# Seconds of the week at promtool's first midnight in the fleet's own time: a Thursday, or a Saturday in its place.
_THURSDAY, _SATURDAY = 3 * DAY + 3600, 5 * DAY + 3600


class Recording:
    """One pool-day. ``pool`` is the pool of the batch's fleet, ``first`` the number of its first replica there."""

    def __init__(self, plan: Plan, pool: Pool, day: PoolDay, first: int) -> None:
        self._plan, self._pool, self._day = plan, pool, day
        stand_in, fleet = StandIn(plan, pool), plan.fleet
        cards = pool.gpus.per_replica if pool.gpus and fleet.gpu_exporter else 0
        self._shape = Shape(pool.replicas_min, min(2, cards), stand_in.thresholds, stand_in.bounds, STEP)
        self.usual = _usual(self._shape.usual, day.busy)
        honor = bool(fleet.gpu_exporter and fleet.gpu_exporter.honor_labels)
        self.plot = Plot(
            pool.name, pool.model, fleet.pool_label, plan.identity.kind, honor, first=first, engine=pool.engine.kind
        )  # fmt: skip
        self._start = _SATURDAY if day.weekend else _THURSDAY

    def held(self) -> Held:
        """Every series of the day."""
        found = Held()
        shown = self._demand("now", self._day.level)
        for replica in range(self._shape.replicas):
            self._replica(found, replica, shown)
        before = self._demand("before", 1.0)
        counts = week_ago(self.plot, self._shape, self.usual, before, random_of(self._day.seed, "before"))
        return found | counts

    def _demand(self, when: str, level: float) -> Demand:
        usual = week(f"{self._day.seed}/{when}", self._start)
        return lambda second: level * usual(second)

    def _replica(self, found: Held, replica: int, demand: Demand) -> None:
        day, shape = self._day, self._shape
        engine = QueueingReplica(self.usual, shape.bounds, f"{day.seed}/{replica}", Workload(demand))
        seats = [Place(replica, card) for card in range(shape.cards)]
        cards = [
            (Card(), Tremor(random_of(day.seed, place), self.usual), self._course(place, demand))
            for place in seats
        ]
        own, ledger = self._course(Place(replica), demand), _Ledger(self._plan, self._pool, self.plot, found)
        for index in range(SCRAPES):
            now = index * STEP
            moment = current(own, now)
            engine.step(moment.inputs, STEP)
            ledger.engine(index, replica, engine, moment)
            for place, (card, tremor, told) in zip(seats, cards, strict=True):
                mine = current(told, now)
                felt = tremor.felt(mine.inputs, engine.work.load)
                card.step(felt, mine.hidden, engine.work, STEP)
                ledger.card(index, place, card.values, felt)

    def _course(self, place: Place, demand: Demand) -> tuple[Moment, ...]:
        faults = self._plan.catalogue.faults
        return course(place, self._day.struck, faults, self._shape, self.usual, demand)


def _usual(whole: Mapping[str, float], busy: float) -> dict[str, float]:
    """A pool that is busy to such a share: its engine and its cards are those of the whole, its requests are fewer."""
    fewer = {name: whole[name] * busy for name in ("running", "arrivals")}
    return {**whole, **fewer, "kv_fill": whole["kv_fill"] * min(1.0, 3 * busy)}


class _Ledger:
    """Writes what is scraped under the names that Prometheus has for it."""

    def __init__(self, plan: Plan, pool: Pool, plot: Plot, found: Held) -> None:
        self._binding, self._plot, self._found = plan.catalogue.engines[pool.engine.kind], plot, found
        self._engines = EngineMetrics(self._binding, pool.engine.version, plot)
        exporter = plan.fleet.gpu_exporter
        self._cards = (
            CardMetrics(plan.catalogue.gpus[exporter.kind], exporter.version, plot) if exporter else None
        )
        self._lines = dict[tuple[Place, tuple[Key, ...]], list[tuple[str, Key, float]]]()

    def engine(self, index: int, replica: int, engine: QueueingReplica, moment: Moment) -> None:
        """What a replica shows at a scrape."""
        inputs, hidden = moment.inputs, moment.hidden
        if engine.seen or not inputs["gone"]:
            for up, _ in self._engines.names(("up", ()), False, replica):
                self._add(up, index, float(engine.seen))
        if not engine.seen:
            return
        for key, value in zip(engine.keys, engine.values, strict=True):
            if hidden and split(key[0], self._binding)[0] in hidden:
                continue
            for name, twin in self._engines.names(key, bool(inputs["renamed"]), replica):
                self._add(name, index, value)
                if inputs["leaked_pid"] and key[0] in GAUGES:
                    self._add(twin, index, value)

    def card(
        self, index: int, place: Place, values: Mapping[Key, float], inputs: Mapping[str, float]
    ) -> None:
        """What the exporter shows of a card at a scrape."""
        if not self._cards or not values:
            return
        code = values.get(("gpu_xid", ()), 0.0)
        shape = (place, (*values, ("", (("xid", str(code)),))))
        if shape not in self._lines:
            self._lines[shape] = [
                (name, key, factor) for _, name, key, factor in self._cards.lines(place, values, inputs)
            ]
        for name, key, factor in self._lines[shape]:
            self._add(name, index, values[key] * factor)

    def _add(self, name: str, index: int, value: float) -> None:
        self._found.setdefault(name, [None] * SCRAPES)[index] = value


def notation(samples: Iterable[float | None]) -> str:
    """promtool's words for samples; where a series ends, Prometheus marks it."""
    return " ".join(_words(samples)).rstrip(" _")


def _words(samples: Iterable[float | None]) -> Iterator[str]:
    alive = False
    for value, group in groupby(samples):
        count = len(list(group))
        if value is None:
            if alive:
                yield "stale"
                count -= 1
            yield from [f"_x{count}"] if count else []
        else:
            word = number(value)
            yield word if count == 1 else f"{word}x{count - 1}"
        alive = value is not None


def lines(held: Held, read: frozenset[str]) -> Iterator[str]:
    """Input series as YAML, of the metrics that the rules read alone."""
    wanted = {name: samples for name, samples in held.items() if name.partition("{")[0] in read}
    for name, samples in _trimmed(wanted).items():
        if any(value is not None for value in samples):
            yield "  - {series: '" + name.replace("'", "''") + f"', values: '{notation(samples)}'}}\n"


def _trimmed(held: Held) -> Held:
    """Without buckets that stay empty below another empty one, or hold everything above another that does."""
    kept, histograms = Held(), dict[str, list[str]]()
    for name in held:
        if _BOUND.search(name):
            histograms.setdefault(_BOUND.sub("", name), []).append(name)
        else:
            kept[name] = held[name]
    for names in histograms.values():
        empty = [not any(held[name]) for name in names]
        full = [held[name] == held[names[-1]] for name in names]
        kept |= {
            name: held[name]
            for place, name in enumerate(names)
            if not (empty[place] and empty[place + 1 : place + 2] == [True])
            and not (place and full[place - 1] and name != names[-1])
        }
    return kept


def constant(name: str, labels: Mapping[str, str], value: str) -> str:
    """An input series that never changes."""
    text = series(name, labels).replace("'", "''")
    return f"  - {{series: '{text}', values: '{value}x{SCRAPES - 1}'}}\n"
