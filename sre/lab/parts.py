"""What a lab's fleet is made of: one pool for each fault, a copy of the representative of its kind."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sre.catalogue.faults import CARD, Fault
from sre.catalogue.model import Catalogue
from sre.compile.cases import Case, Cases, late
from sre.compile.expected import Expectations
from sre.compile.planning import make_plan
from sre.compile.representatives import representatives
from sre.compile.stand_in import StandIn
from sre.findings import Refused
from sre.fleet import WEEK, BusinessHours, Fleet, Pool
from sre.fleet.pool import Replicas
from sre.lab.wanted import Wanted

_ALWAYS = BusinessHours(days=WEEK, start="00:00", end="24:00")


@dataclass(frozen=True)
class Part:
    """One fault and the pool that it will happen to; ``origin`` is the pool of the fleet that it is a copy of."""

    fault: Fault
    pool: Pool
    origin: str
    seconds: int
    """From the onset to where everything that must fire has fired."""


def parts(
    fleet: Fleet, catalogue: Catalogue, listed: frozenset[str] | None, wanted: Wanted
) -> Iterator[Part]:
    """Every fault that the fleet can show, as the proofs in virtual time have them, with a pool for each.

    Raises ``Refused`` for what is asked for by name and cannot be shown.
    """
    plan, cases = make_plan(always_open(fleet), catalogue, listed), list[Case]()
    for one in representatives(plan):
        stand_in = StandIn(plan, one.pool)
        expectations = Expectations(plan, one.pool, stand_in.site)
        everything = Cases(plan, expectations, stand_in.whole, stand_in.single)
        for case in everything.all(briefly=not one.whole):
            if case.story is case.fault and wanted.case(case):
                cases.append(case)
                pool = _copy(one.pool, case.fault, stand_in.whole.shape.replicas)
                yield Part(case.fault, pool, one.pool.name, case.seconds + late(stand_in.interval))
    if missed := list(wanted.missed(cases)):
        raise Refused(missed)


def always_open(fleet: Fleet) -> Fleet:
    """The fleet with business hours that never end: a scaled day would be over in minutes."""
    return fleet.model_copy(update={"business_hours": _ALWAYS})


def _copy(pool: Pool, fault: Fault, replicas: int) -> Pool:
    """A pool of as many replicas as are simulated, with the same limits and a model of its own.

    Where a fault hits all replicas alike, one with one card shows the same as several, in a fraction of the series.
    """
    alike = any(step.set for step in fault.steps) and all(step.on == "pool" for step in fault.steps)
    own = {"name": f"{pool.name}/{fault.name}", "model": f"{pool.model}/{fault.name}"}
    cards = 1 if alike and not _touches_cards(fault) else None
    return sized(pool, 1 if alike else replicas, cards).model_copy(update=own)


def sized(pool: Pool, replicas: int, cards: int | None = None) -> Pool:
    """The pool with no more replicas than are simulated, and with so many cards in each; None: as many as it has."""
    least, spare = min(pool.replicas_min, replicas), pool.replicas_max - pool.replicas_min
    if pool.gpus:
        count = Replicas(min=least, max=max(1, least) + spare)
        each = pool.gpus.per_replica if cards is None else cards
        gpus = pool.gpus.model_copy(update={"replicas": count, "per_replica": each, "match": {}})
        return pool.model_copy(update={"gpus": gpus})
    return pool if pool.min_replicas is None else pool.model_copy(update={"min_replicas": least})


def _touches_cards(fault: Fault) -> bool:
    return any(name in CARD for step in fault.steps for name in step.set) or any(
        n in CARD for n in fault.before
    )


def live_fleet(fleet: Fleet, parts: Iterable[Part]) -> Fleet:
    """The fleet that is scraped: nothing but the parts' pools."""
    return always_open(fleet).model_copy(update={"pools": tuple(part.pool for part in parts)})
