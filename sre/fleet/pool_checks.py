"""What the values of one pool say about each other, and about the names that the catalogue knows."""

from collections.abc import Collection, Iterator
from decimal import Decimal
from itertools import pairwise

from sre.fleet.pool import HISTOGRAMS, OBJECTIVES, Engine, Pool
from sre.fleet.problem import Known, Problem
from sre.source import Loc, show, suggest
from sre.units import format_number

MEMORY_THRESHOLD = "gpu_memory_used"
"""The threshold that an engine's memory budget bounds from below."""


def check_pool(loc: Loc, pool: Pool, known: Known) -> Iterator[Problem]:
    """Problems of the pool at ``loc``."""
    yield from check_kind((*loc, "engine", "kind"), pool.engine.kind, known.engines)
    yield from _buckets((*loc, "engine", "histogram_buckets"), pool.engine)
    yield from _replicas(loc, pool)
    yield from _memory((*loc, "thresholds", MEMORY_THRESHOLD), pool)
    yield from _names((*loc, "thresholds"), pool, known.thresholds)


def check_kind(loc: Loc, kind: str, known: Collection[str] | None) -> Iterator[Problem]:
    """A problem where the catalogue does not describe what exposes the metrics."""
    if known is not None and kind not in known:
        yield Problem(
            loc,
            f"`{loc[-2]}.kind` is {show(kind)}, which the catalogue does not describe",
            "nothing is known of its metrics, so no alert could see it",
            suggest(kind, known) or "describe it in a catalogue folder of your own",
        )


def _buckets(loc: Loc, engine: Engine) -> Iterator[Problem]:
    for name, bounds in engine.histogram_buckets.items():
        if engine.kind == "vllm" and name not in HISTOGRAMS:
            what, why = f"vLLM's bucket flag has no key {show(name)}", "the engine would not start with it"
            yield Problem((*loc, name), what, why, suggest(name, HISTOGRAMS), key=True)
        if not bounds or any(low >= high for low, high in pairwise((Decimal(0), *bounds))):
            yield Problem(
                (*loc, name),
                f"the bounds of {show(name)} are not growing positive numbers",
                "quantiles are read off between neighbouring bounds",
                "write them as the engine was given them, smallest first",
            )


def _replicas(loc: Loc, pool: Pool) -> Iterator[Problem]:
    if not pool.gpus:
        return
    least, most = pool.gpus.replicas.min, pool.gpus.replicas.max
    if least > most:
        yield Problem(
            (*loc, "gpus", "replicas", "min"),
            f"`replicas` has a min of {least} above its max of {most}",
            "the pool would count as down at every size that it can have",
            f"write {{min: {most}, max: {least}}}",
        )
    if pool.min_replicas is not None and pool.min_replicas > most:
        yield Problem(
            (*loc, "min_replicas"),
            f"`min_replicas` is {pool.min_replicas}, but the pool has {most} replicas at most",
            "what does not exist cannot be kept for availability",
            f"write {most} or less",
        )


def _memory(loc: Loc, pool: Pool) -> Iterator[Problem]:
    limit, budget = pool.thresholds.get(MEMORY_THRESHOLD), pool.memory_budget
    if limit is not None and budget is not None and limit < budget:
        yield Problem(
            loc,
            f"`{MEMORY_THRESHOLD}` ({format_number(limit)}) is below the engine's own `memory_budget` "
            f"({format_number(budget)})",
            "the engine reserves its budget when it starts, so the alert would always fire",
            f"write more than {format_number(budget)}, or leave it out: the default follows the budget",
        )


def _names(loc: Loc, pool: Pool, known: Collection[str] | None) -> Iterator[Problem]:
    for name in pool.thresholds:
        if name in OBJECTIVES:
            what, why = (
                f"`{name}` is a promise to users, not an operational limit",
                "it is read from elsewhere",
            )
            yield Problem((*loc, name), what, why, "write it under `objectives`", key=True)
        elif known is not None and name not in known:
            yield Problem(
                (*loc, name),
                f"unknown threshold {show(name)} in the pool {show(pool.name)}",
                "no alert reads it, so the limit would silently not hold",
                suggest(name, set(known) - set(OBJECTIVES)),
                key=True,
            )
