"""Which pools are proven: one of each kind, so that proofs do not grow with the fleet."""

from sre.compile.coverage import in_range
from sre.compile.plan import Plan
from sre.fleet import Pool

MOST = 3
"""Kinds that are proven; a fleet of more differs in details that no rule sees."""


def representatives(plan: Plan) -> tuple[Pool, ...]:
    """The smallest pool of each kind, the kind with the most alerts first.

    A kind is what rules can tell apart: the names that the engine's release exposes, who waits for the answers, links between
    cards.
    """
    kinds: dict[tuple[object, ...], list[Pool]] = {}
    for pool in plan.fleet.pools:
        kinds.setdefault(_kind(plan, pool), []).append(pool)
    chosen = [min(pools, key=_size) for pools in kinds.values()]
    return tuple(sorted(chosen, key=lambda pool: -_alerts(plan, pool))[:MOST])


def _kind(plan: Plan, pool: Pool) -> tuple[object, ...]:
    binding = plan.catalogue.engines[pool.engine.kind]
    names = tuple(source.metric for sources in binding.signals.values() for source in sources
                  if in_range(source, pool.engine.version))
    return binding.kind, names, pool.interactive, bool(pool.gpus), bool(pool.gpus and pool.gpus.per_replica > 1)


def _size(pool: Pool) -> tuple[bool, int]:
    # A pool that may shrink to nothing has no outage to prove.
    return pool.replicas_min == 0, pool.replicas_min


def _alerts(plan: Plan, pool: Pool) -> int:
    return sum(planned.pools[pool.name] in ("live", "needs_counter") for planned in plan.alerts)
