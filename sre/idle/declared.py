"""How many cards there are, by the fleet file alone: what every total is held against."""

from collections import Counter

from sre.fleet import Fleet, Pool


def declared_cards(fleet: Fleet) -> dict[str, int]:
    """Cards by type: `capacity`, or the most that the pools declare."""
    found = Counter[str]()
    for pool in fleet.pools:
        if pool.gpus:
            found[pool.gpus.type] += most(pool)
    return {**found, **fleet.capacity}


def most(pool: Pool) -> int:
    """The most cards that a pool scales to."""
    return pool.gpus.per_replica * pool.gpus.replicas.max if pool.gpus else 0


def least(pool: Pool) -> int:
    """Cards that a pool always has."""
    return pool.gpus.per_replica * pool.gpus.replicas.min if pool.gpus else 0
