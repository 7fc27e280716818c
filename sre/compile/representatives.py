"""Which pools are proven: one of each kind, so that proofs do not grow with the fleet."""

from dataclasses import dataclass

from sre.compile.coverage import in_range
from sre.compile.plan import Plan
from sre.fleet import Pool

MOST = 3
"""Kinds that are proven; a fleet of more differs in details that no rule sees."""


@dataclass(frozen=True)
class Representative:
    """A pool to be proven; ``whole`` where no other has proven the same rules already."""

    pool: Pool
    whole: bool


def representatives(plan: Plan) -> tuple[Representative, ...]:
    """For each kind the pool that most alerts watch; among those one with links between its cards, the smallest.

    A kind is what rules can tell apart: the names that the engine's release exposes, and whether people wait
    for the answers. Pools of one kind share every rule and differ in recorded numbers only, so one of them
    proves the rules for all.
    """
    kinds: dict[tuple[object, ...], list[Pool]] = {}
    for pool in plan.fleet.pools:
        kinds.setdefault((_names(plan, pool), pool.interactive), []).append(pool)
    chosen = sorted(
        (min(pools, key=lambda pool: _rank(plan, pool)) for pools in kinds.values()),
        key=lambda p: _rank(plan, p),
    )
    proven = set[tuple[str, ...]]()
    found = []
    for pool in chosen[:MOST]:
        found.append(Representative(pool, _names(plan, pool) not in proven))
        proven.add(_names(plan, pool))
    return tuple(found)


def _names(plan: Plan, pool: Pool) -> tuple[str, ...]:
    binding = plan.catalogue.engines[pool.engine.kind]
    return binding.kind, *(
        source.metric
        for sources in binding.signals.values()
        for source in sources
        if in_range(source, pool.engine.version)
    )


def _rank(plan: Plan, pool: Pool) -> tuple[int, bool, bool, int]:
    linked = bool(pool.gpus and pool.gpus.per_replica > 1)
    return (-_alerts(plan, pool), not linked, *_size(pool))


def _size(pool: Pool) -> tuple[bool, int]:
    # A pool that may shrink to nothing has no outage to prove.
    return pool.replicas_min == 0, pool.replicas_min


def _alerts(plan: Plan, pool: Pool) -> int:
    return sum(planned.pools[pool.name] in ("live", "needs_counter") for planned in plan.alerts)
