"""One pool of the fleet that is served: its replicas and cards, and the pages that they show."""

from collections.abc import Callable, Mapping
from functools import partial

from sre.compile.plan import Plan
from sre.compile.stand_in import StandIn
from sre.compile.thresholds import budget
from sre.fleet import Pool, file_name
from sre.fleet.values import covers
from sre.lab.plot import Inside, Plot
from sre.simulate.batching import BLOCK
from sre.simulate.card_metrics import DRIVER, CardMetrics
from sre.simulate.course import Happening, courses
from sre.simulate.engine_metrics import EngineMetrics
from sre.simulate.pool import Shape
from sre.simulate.queueing import QueueingReplica, Workload
from sre.simulate.scrape import EnginePage, NodePage
from sre.simulate.seat import Seat
from sre.units import format_number

Clock = Callable[[float], float]
"""A second of virtual time as an engine would print it: seconds since 1970."""
Work = Callable[[int, int, Mapping[str, float]], Workload]
"""What comes to replica number so, of so many, with these healthy inputs."""


class Served:
    """A pool while it is served. ``step`` lets time pass; pages show what was true after the last step."""

    def __init__(
        self, plan: Plan, pool: Pool, first: int, happenings: tuple[Happening, ...], work: Work, seed: str
    ) -> None:
        self.name, self.plot = file_name(pool.name), _plot(plan, pool, first)
        stand_in, interval = StandIn(plan, pool), int(plan.fleet.scrape_interval)
        self.cards = pool.gpus.per_replica if pool.gpus and plan.fleet.gpu_exporter else 0
        count, limits, bounds = max(1, pool.replicas_min), stand_in.thresholds, stand_in.bounds
        usual = Shape(count, self.cards, limits, bounds, interval).usual
        self._laid_out = partial(
            courses, usual=usual, thresholds=limits, shape=(count, self.cards), interval=interval
        )
        course = self._laid_out(happenings)
        self.seats = [
            Seat(
                number,
                QueueingReplica(usual, bounds, f"{seed}/{self.name}/{number}", work(number, count, usual)),
                course,
                self.cards,
            )
            for number in range(count)
        ]
        self._engine, self._node = self._pages(plan, pool)

    def happen(self, happenings: tuple[Happening, ...]) -> None:
        """Let these faults, and no others, come to pass from now on."""
        course = self._laid_out(happenings)
        for seat in self.seats:
            seat.follow(course)

    def step(self, seconds: float) -> None:
        """Let time pass for every replica and card."""
        for seat in self.seats:
            seat.step(seconds)

    def replica_page(self, number: int, clock: Clock) -> bytes | None:
        """What a replica answers to a scrape; None where nobody answers."""
        shown = self.seats[number].engine
        if shown is None:
            return None
        values, inputs, hidden = shown
        return self._engine.text((clock(values[0]), *values[1:]), inputs, hidden)

    def node_page(self, number: int) -> bytes | None:
        """What the GPU exporter beside a replica answers."""
        cards = self.seats[number].cards
        return self._node.text(number, cards) if self._node and cards else None

    def _pages(self, plan: Plan, pool: Pool) -> tuple[EnginePage, NodePage | None]:
        catalogue, exporter = plan.catalogue, plan.fleet.gpu_exporter
        binding = catalogue.engines[pool.engine.kind]
        replica = self.seats[0].replica
        settings = {"block_size": str(BLOCK), "num_gpu_blocks": str(replica.batch.pace.blocks)}
        if binding.memory_budget_label:
            settings[binding.memory_budget_label] = format_number(budget(pool, binding))
        metrics = EngineMetrics(binding, pool.engine.version, _inside(self.plot))
        engine = EnginePage(metrics, binding, catalogue.signals, replica.keys, settings)
        if not exporter or not self.cards:
            return engine, None
        cards = catalogue.gpus[exporter.kind]
        listed = [
            mark
            for mark in cards.marks
            if mark.list == exporter.counters and covers(mark.since, mark.until, exporter.version)
        ]
        site = _inside(self.plot, tuple((mark.label, DRIVER) for mark in listed if mark.label))
        extra = tuple(mark.metric for mark in listed if mark.metric)
        return engine, NodePage(CardMetrics(cards, exporter.version, site), catalogue.signals, extra)


def _plot(plan: Plan, pool: Pool, first: int) -> Plot:
    fleet = plan.fleet
    honor = bool(fleet.gpu_exporter and fleet.gpu_exporter.honor_labels)
    label, kind, engine = fleet.pool_label, plan.identity.kind, pool.engine.kind
    return Plot(pool.name, pool.model, label, kind, honor, first=first, engine=engine)


def _inside(plot: Plot, card_labels: tuple[tuple[str, str], ...] = ()) -> Inside:
    return Inside(
        plot.pool, plot.model, plot.pool_label, plot.identity, plot.honor_labels,
        first=plot.first, engine=plot.engine, card_labels=card_labels,
    )  # fmt: skip
