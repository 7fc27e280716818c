"""Hours in which nobody asks: a pool that may be scaled to nothing, and one for which nobody waits by day."""

from collections.abc import Iterator
from fractions import Fraction

from sre.compile.counted import count
from sre.fleet import Pool
from sre.idle.advice import Advice
from sre.idle.case import WORTH, Case
from sre.idle.declared import least
from sre.idle.states import EXCLUDED, LOADED_IDLE, WHOLE

ASSUMED_START = 600
"""Seconds of a cold start where none was seen: reading 140 GB of weights at a quarter of a gigabyte a second."""
_ELSEWHEN = Fraction(8, 10)
"""So much of a pool's requests come outside business hours that nobody waits for them."""


def scale_to_zero(case: Case, pool: Pool, smaller: bool) -> Iterator[Advice]:
    """At most one; ``smaller`` where the pool is also told to be made smaller."""
    if pool.min_replicas or not pool.interactive:
        return
    load, quiet = case.load(pool), _quiet(case, pool)
    runs, start = list(_runs(quiet)), load.cold_start or ASSUMED_START
    saved, waiting = [0] * len(quiet), 0.0
    for first, last in runs:
        for window in range(first, last + 1):
            saved[window] = case.at(pool, window)[LOADED_IDLE]
        if last + 1 < len(quiet):
            # Cards are started anew for the first request after the quiet, and loaded for so long.
            saved[last] -= min(saved[last], int(start / 60 * WHOLE) * least(pool))
            waiting += _waiting(case, load.requests, last + 1, start)
    hours, saving = case.worth(pool, saved)
    if hours < WORTH:
        return
    cold = (
        f"a cold start took {load.cold_start / 60:.0f} min in this period"
        if load.cold_start
        else f"no replica was started in this period: a cold start of {ASSUMED_START // 60} min is assumed"
    )
    yield Advice(
        "scale_to_zero", pool.name,
        f"no request came to {pool.name} for whole hours outside business hours, {count(len(runs), 'time')}",
        f"{cold}; about {waiting:.0f} requests would have waited for one",
        "scale it to nothing outside business hours, and back before they begin"
        + ("; count it after the pool is smaller, not on top" if smaller else ""),
        hours, saving, tuple(case.scale(pool, 0)),
    )  # fmt: skip


def _waiting(case: Case, requests: tuple[float | None, ...], window: int, start: float) -> float:
    """Requests that come while cards are started in a window: one at least, for which they are."""
    asked = requests[window] if window < len(requests) else None
    return max(1.0, (asked or 0) * start / (case.windows[window].minutes * 60))


def _quiet(case: Case, pool: Pool) -> list[bool]:
    """Whole windows outside business hours in which every card of the pool is known to have held its model idle."""
    found = []
    for number, is_open in enumerate(case.is_open(pool)):
        cells = case.at(pool, number)
        rest = sum(cells) - cells[LOADED_IDLE] - cells[EXCLUDED]
        found.append(cells[LOADED_IDLE] > 0 and rest == 0 and not is_open)
    return found


def _runs(flags: list[bool]) -> Iterator[tuple[int, int]]:
    """First and last of each stretch."""
    first = None
    for place, flag in enumerate([*flags, False]):
        if flag and first is None:
            first = place
        if not flag and first is not None:
            yield first, place - 1
            first = None


def move_to_batch(case: Case, pool: Pool) -> Iterator[Advice]:
    """At most one."""
    asked = [value or 0.0 for value in case.load(pool).requests]
    if not pool.interactive or not sum(asked) or len(asked) != len(case.windows):
        return
    is_open = case.is_open(pool)
    outside = sum(value for value, by_day in zip(asked, is_open, strict=True) if not by_day)
    if outside < _ELSEWHEN * Fraction(sum(asked)):
        return
    idle = [case.at(pool, number)[LOADED_IDLE] if by_day else 0 for number, by_day in enumerate(is_open)]
    hours, saving = case.worth(pool, idle)
    if hours >= WORTH:
        yield Advice(
            "move_to_batch", pool.name,
            f"{outside / sum(asked):.0%} of the requests to {pool.name} came outside business hours",
            "nobody seems to wait for them, and its cards stand loaded through the day",
            "ask its owner whether it is batch work: then write `interactive: false`, and let it share cards",
            hours, saving,
        )  # fmt: skip
