"""Fewer replicas: those that would have carried the recorded peak, with the headroom kept."""

import math
from collections.abc import Iterator
from fractions import Fraction

from sre.compile.counted import count, few
from sre.fleet import Pool
from sre.idle.advice import Advice
from sre.idle.case import WORTH, Case
from sre.idle.states import UNKNOWN, WHOLE

TARGET = Fraction(7, 10)
"""A replica is asked to carry this much of what its cards can do: above it queues grow faster than load."""


def consolidate(case: Case, pool: Pool) -> Iterator[Advice]:
    """At most one, with the names of the replicas that were the least busy."""
    assert pool.gpus
    replicas, each = pool.gpus.replicas.min, pool.gpus.per_replica
    needed, why = _needed(case, pool)
    if needed is None or needed >= replicas:
        return
    gone = replicas - needed
    hours, saving = case.worth(
        pool, [_spared(case, pool, window, gone * each) for window in range(len(case.windows))]
    )
    if hours < WORTH:
        return
    names = case.replicas(pool)[:gone]
    named = f"; least busy: {few(names, 4, 'replica')}" if names else ""
    yield Advice(
        "consolidate", pool.name,
        f"{count(needed, 'replica')} of {pool.name} would have carried its peak, {replicas} are declared{named}",
        why,
        f"take {count(gone, 'replica')} away one by one in a quiet hour, "
        f"then write `replicas: {needed}` in the fleet file",
        hours, saving, tuple(case.scale(pool, needed)),
    )  # fmt: skip


def _needed(case: Case, pool: Pool) -> tuple[int | None, str]:
    """Replicas that would have carried the peak, never fewer than are kept, and why; None where it is not known."""
    assert pool.gpus
    work = case.load(pool).work
    known = [(value, -place) for place, value in enumerate(work) if value is not None]
    # Nine tenths of the windows: what is not known may have been the peak.
    if not known or len(known) < 0.9 * len(case.windows):
        return None, ""
    peak, place = max(known)
    kept = f"; {count(pool.min_replicas, 'replica')} kept for availability" if pool.min_replicas else ""
    why = (
        f"at its peak, {case.when(-place)}, the pool did the work of {peak:.1f} cards; "
        f"a replica is asked for {float(TARGET):.0%} of its {count(pool.gpus.per_replica, 'card')}{kept}"
    )
    return max(1, pool.min_replicas or 0, math.ceil(Fraction(peak) / (pool.gpus.per_replica * TARGET))), why


def _spared(case: Case, pool: Pool, window: int, cards: int) -> int:
    """Parts of the window that so many cards fewer would have saved: no more than there was of known time."""
    cells = case.at(pool, window)
    return min(cards * case.windows[window].minutes * WHOLE, sum(cells) - cells[UNKNOWN])
