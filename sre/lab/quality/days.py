"""Which days are simulated: what kind of day, how busy a pool, and which faults strike it when, all drawn by seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import exp, log
from random import Random

from sre.catalogue.faults import Fault
from sre.compile.expected import Expectations, Proven
from sre.compile.plan import Plan
from sre.compile.stand_in import StandIn
from sre.fleet import Fleet, Pool
from sre.fleet.pool import Replicas
from sre.lab.plot import Plot

STEP = 60
"""Seconds between two scrapes, and between two evaluations: Prometheus' own default."""
HOUR, DAY = 3600, 86_400
WARM_UP = HOUR
"""Seconds before the day that is judged: windows of an hour must be full."""
LENGTH = WARM_UP + DAY

_BUSY = (0.01, 0.05)
"""Peak of demand, as a share of what the proofs' stand-in of a pool serves (24 requests a second and replica)."""
_FREE_DAYS = ("fri", "sat", "sun")
_SEVERITY = (1.0, 1.6)
_CROWDS = {"kv_fill": 20, "batch_limit": 5}
"""Requests in a replica's batch at the peak of demand that a fault of such an input needs: one alone feels neither."""
_BUSIEST = 0.25
"""A busier pool than this is not simulated: its faults of that kind strike the other."""
_REST = 5400
"""Seconds between the end of a fault and the next: the longest memory of a rule is an hour."""


@dataclass(frozen=True)
class Struck:
    """A fault of a day. It begins at second ``at`` and ``lasts``; ``severity`` 1 is as bad as the catalogue says."""

    fault: str
    at: int
    lasts: int
    severity: float


@dataclass(frozen=True)
class PoolDay:
    """One pool on one day; ``level`` is this week's demand against last week's."""

    number: int
    like: str
    weekend: bool
    busy: float
    level: float
    struck: tuple[Struck, ...] = ()

    @property
    def pool(self) -> str:
        """The name of the pool in its batch's fleet."""
        return f"{self.like}-{self.number:03}"

    @property
    def seed(self) -> str:
        return f"quality/{self.number}"


Queue = Iterator[tuple[Fault, tuple[Proven, ...]]]


def random_of(*parts: object) -> Random:
    """Chance that can be repeated."""
    return Random("/".join(map(str, parts)))  # noqa: S311 - no secret


def days(plan: Plan, count: int, seed: int) -> tuple[PoolDay, ...]:
    """So many pool-days: two of seven on a weekend, every other one with faults, and each fault about as often."""
    pools = plan.fleet.pools
    drawn = [_day(number, pools[number % len(pools)], seed) for number in range(count)]
    queues = {pool.name: _shuffled(seed, pool.name, faults_of(plan, pool)) for pool in pools}
    return tuple(_faulty(day, plan, queues, seed) if day.number // 2 % 2 else day for day in drawn)


def _faulty(day: PoolDay, plan: Plan, queues: Mapping[str, Queue], seed: int) -> PoolDay:
    struck = tuple(_struck(day, queues[day.like], seed))
    pool = next(pool for pool in plan.fleet.pools if pool.name == day.like)
    least = max((_least(plan, pool, plan.catalogue.faults[one.fault]) for one in struck), default=0.0)
    return replace(day, struck=struck, busy=max(day.busy, least))


def _least(plan: Plan, pool: Pool, fault: Fault) -> float:
    """How busy a pool must be for a fault to be felt."""
    running = StandIn(plan, pool).whole.shape.usual["running"]
    return round(max((_CROWDS[name] / running for name in _CROWDS if _sets(fault, name)), default=0.0), 4)


def _sets(fault: Fault, *names: str) -> bool:
    return any(name in step.set for step in fault.steps for name in names)


def _day(number: int, pool: Pool, seed: int) -> PoolDay:
    random = random_of(seed, number, "day")
    low, high = map(log, _BUSY)
    busy, level = round(exp(random.uniform(low, high)), 4), round(exp(random.gauss(0, 0.08)), 3)
    return PoolDay(number, pool.name, number // 4 % 7 in (2, 5), busy, level)


def faults_of(plan: Plan, pool: Pool) -> tuple[tuple[Fault, tuple[Proven, ...]], ...]:
    """Faults that must fire an alert of a pool, with the rules that they fire."""
    expectations, found = Expectations(plan, pool, Plot(pool.name, pool.model)), []
    cards = pool.gpus.per_replica if pool.gpus and plan.fleet.gpu_exporter else 0
    for fault in plan.catalogue.faults.values():
        rules = tuple(p for p in expectations.firing(fault) if p.alert.name != "Watchdog")
        linked, recorded = _sets(fault, "nvlink"), _sets(fault, "recorded")
        hidden = any(step.hide for step in fault.steps)
        felt = _least(plan, pool, fault) <= _BUSIEST
        if rules and felt and not (recorded or hidden) and (cards > 1 or not linked):
            found.append((fault, rules))
    return tuple(found)


def _shuffled(seed: int, name: str, faults: tuple[tuple[Fault, tuple[Proven, ...]], ...]) -> Queue:
    """All faults in an order of chance, again and again."""
    around = 0
    while True:
        yield from random_of(seed, name, around).sample(faults, len(faults))
        around += 1


def _struck(day: PoolDay, queue: Queue, seed: int) -> Iterator[Struck]:
    random, at = random_of(seed, day.number, "faults"), WARM_UP + 1800
    for _ in range(random.randint(2, 4)):
        fault, rules = next(queue)
        if fault.clock == "business" and day.weekend:
            fault, rules = next(queue)
        within = max(proven.alert.within for proven in rules)
        lasts = fault.onset + within + random.randrange(600, 2400, STEP)
        begin = at + random.randrange(0, 2 * HOUR, STEP)
        first, last = _hours(fault)
        begin = max(begin, first)
        if begin + lasts > last:
            return
        yield Struck(fault.name, begin, lasts, round(random.uniform(*_SEVERITY), 2))
        at = begin + lasts + _REST


def _hours(fault: Fault) -> tuple[int, int]:
    """Between which seconds a fault may strike: some need the hours of business, some the crowd of the afternoon."""
    if fault.clock == "business":
        return 8 * HOUR, 16 * HOUR
    return (10 * HOUR, 19 * HOUR) if _sets(fault, *_CROWDS) else (0, LENGTH - 1800)


def fleet_of(fleet: Fleet, days: tuple[PoolDay, ...]) -> Fleet:
    """A fleet with a pool for each of the days, which are alike in being a working day or not.

    promtool's clock begins on a Thursday: for a weekend, that day is a free one.
    """
    pools = {pool.name: pool for pool in fleet.pools}
    hours = fleet.business_hours
    if days[0].weekend:
        hours = hours.model_copy(update={"days": _FREE_DAYS})
    found = tuple(_pool(pools[day.like], day.pool) for day in days)
    own = {"pools": found, "business_hours": hours, "scrape_interval": STEP, "evaluation_interval": STEP}
    return fleet.model_copy(update=own)


def replicas_of(pool: Pool) -> int:
    """Half of what a pool of the fleet declares: it is chance that is looked for, and fewer have more of it."""
    return max(1, pool.replicas_min // 2)


def _pool(pool: Pool, name: str) -> Pool:
    count = replicas_of(pool)
    gpus = pool.gpus and pool.gpus.model_copy(update={"replicas": Replicas(min=count, max=count)})
    return pool.model_copy(update={"name": name, "gpus": gpus})
