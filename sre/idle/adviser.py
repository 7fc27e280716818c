"""What to do about what stands still: each saving is what the recorded load would have cost in another way."""

from collections.abc import Iterator

from sre.compile.counted import count
from sre.fleet import Pool
from sre.idle.advice import Advice
from sre.idle.case import WIDTH, WORTH, Case, hours
from sre.idle.consolidation import consolidate
from sre.idle.quiet import move_to_batch, scale_to_zero
from sre.idle.states import UNKNOWN, WHOLE


def advise(case: Case) -> tuple[Advice, ...]:
    """All of it, the largest first."""
    return tuple(sorted(_all(case), key=lambda one: (-one.gpu_hours, one.kind, one.pool)))


def _all(case: Case) -> Iterator[Advice]:
    """Pool by pool, then cards of no pool."""
    for pool in case.fleet.pools:
        if pool.gpus and pool.name in case.cells:
            smaller = list(consolidate(case, pool))
            yield from smaller
            yield from scale_to_zero(case, pool, bool(smaller))
            yield from move_to_batch(case, pool)
            yield from _fix_telemetry(case, pool)
    yield from _return_cards(case)


def _fix_telemetry(case: Case, pool: Pool) -> Iterator[Advice]:
    unknown = hours(sum(case.cells[pool.name][UNKNOWN::WIDTH]))
    if unknown < WORTH:
        return
    slices = any(card.mig and card.parts[UNKNOWN] for card in case.report.cards if card.pool == pool.name)
    fix = (
        "MIG slices show their work in profiling counters alone: "
        "add DCGM_FI_PROF_GR_ENGINE_ACTIVE to the exporter's list"
        if slices
        else "see which exporter or engine is silent, and whether the declared cards exist"
    )
    yield Advice(
        "fix_telemetry", pool.name,
        f"nothing is known of {unknown} GPU-hours of {pool.name}",
        "they may stand still or not: unknown is neither idle nor busy",
        fix, unknown, None, ("sre doctor FLEET --prometheus URL",),
    )  # fmt: skip


def _return_cards(case: Case) -> Iterator[Advice]:
    period = sum(window.minutes for window in case.windows) * WHOLE
    for kind, parts in sorted(case.free.items()):
        free, saving = case.worth_of_type(kind, parts)
        if free < WORTH:
            continue
        whole = sum(parts) // period
        yield Advice(
            "return_cards", "",
            f"{free} GPU-hours of {kind or 'cards of an unknown type'} were held by nobody"
            + (f": {count(whole, 'card')} all of the time" if whole else ""),
            "they are paid for, and no pod had them",
            "give them back, or give them to a pool that waits for cards",
            free, saving,
        )  # fmt: skip
