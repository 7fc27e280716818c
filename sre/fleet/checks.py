"""What values of a fleet say about each other, and about the names that the catalogue knows."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from sre.findings import Finding, Severity
from sre.fleet.models import HISTOGRAMS, Fleet, Pool, file_name
from sre.source import Loc, Source, show, suggest
from sre.units import format_duration, format_number


@dataclass(frozen=True)
class Known:
    """Names that the catalogue declares; None where it was not asked."""

    thresholds: Collection[str] | None = None
    engines: Collection[str] | None = None
    gpu_exporters: Collection[str] | None = None


@dataclass(frozen=True)
class Problem:
    """A finding that still knows its place as a path into the data."""

    loc: Loc
    what: str
    why: str
    fix: str
    severity: Severity = "error"
    key: bool = False

    def at(self, source: Source) -> Finding:
        return source.finding(self.loc, self.what, self.why, self.fix, self.severity, key=self.key)


def check(fleet: Fleet, known: Known = Known()) -> Iterator[Problem]:
    """All that is contradictory, unreachable or unknown in a fleet whose single values are sound."""
    yield from _hours(fleet)
    yield from _intervals(fleet)
    yield from _capacity(fleet)
    yield from _twice("pools", [pool.name for pool in fleet.pools], _POOL_NAMES)
    yield from _twice("teams", [team.name for team in fleet.teams], "a bill could not tell them apart")
    yield from _files(fleet.pools)
    yield from _teams(fleet)
    if fleet.gpu_exporter:
        yield from _kind(("gpu_exporter", "kind"), fleet.gpu_exporter.kind, known.gpu_exporters)
    for index, pool in enumerate(fleet.pools):
        for look in (_engine, _replicas, _memory, _names):
            yield from look(("pools", index), pool, known)


_POOL_NAMES = "it is the label value that tells their series apart, so they would be one pool"


def _hours(fleet: Fleet) -> Iterator[Problem]:
    hours, loc = fleet.business_hours, ("business_hours",)
    if hours.start_minute >= hours.end_minute:
        yield Problem(
            (*loc, "end"),
            f"`business_hours` end at {hours.end}, not after their start at {hours.start}",
            "no minute would count as business hours, and hours over midnight belong to two days",
            'write a start before the end, the latest of which is "24:00"',
        )
    for name, values in (("days", hours.days), ("holidays", hours.holidays)):
        for index, value in _repeated([str(value) for value in values]):
            yield Problem(
                (*loc, name, index),
                f"`business_hours.{name}` names {value} twice",
                "it counts once",
                "leave one out",
            )


def _intervals(fleet: Fleet) -> Iterator[Problem]:
    if fleet.evaluation_interval < fleet.scrape_interval:
        yield Problem(
            ("evaluation_interval",),
            f"`evaluation_interval` ({format_duration(fleet.evaluation_interval)}) is shorter than "
            f"`scrape_interval` ({format_duration(fleet.scrape_interval)})",
            "rules would look at the same samples again: more work, no earlier alert",
            "write the scrape interval or a multiple of it",
            "warning",
        )


def _capacity(fleet: Fleet) -> Iterator[Problem]:
    declared: dict[str, int] = {}
    for pool in fleet.pools:
        if pool.gpus:
            cards = pool.gpus.per_replica * pool.gpus.replicas.min
            declared[pool.gpus.type] = declared.get(pool.gpus.type, 0) + cards
    for card, cards in fleet.capacity.items():
        if cards < declared.get(card, 0):
            yield Problem(
                ("capacity", card),
                f"`capacity` has {cards} cards of type {show(card)}, but pools declare {declared[card]}",
                "more cards cannot be in use than exist: idle hours would come out negative",
                f"write at least {declared[card]}, or correct `replicas` or `per_replica`",
            )


def _twice(key: str, names: list[str], why: str) -> Iterator[Problem]:
    for index, name in _repeated(names):
        yield Problem(
            (key, index, "name"),
            f"`{key}` has {show(name)} twice (entries {names.index(name) + 1} and {index + 1})",
            why,
            "rename one or leave it out",
        )


def _repeated(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    seen = set[str]()
    for index, name in enumerate(names):
        if name in seen:
            yield index, name
        seen.add(name)


def _files(pools: tuple[Pool, ...]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for index, pool in enumerate(pools):
        other = first.setdefault(file_name(pool.name), pool.name)
        if other != pool.name:
            yield Problem(
                ("pools", index, "name"),
                f"the pools {show(other)} and {show(pool.name)} would share the file name {file_name(pool.name)!r}",
                "one would overwrite what is written for the other",
                "rename one so that more than case or punctuation differs",
            )


def _teams(fleet: Fleet) -> Iterator[Problem]:
    for index, team in enumerate(fleet.teams):
        if team.name.startswith("__"):
            yield Problem(
                ("teams", index, "name"),
                f"the team name {show(team.name)} begins with two underscores",
                "bills use such names for what belongs to nobody: `__idle__`, `__untagged__`",
                "leave the underscores out",
            )


def _engine(loc: Loc, pool: Pool, known: Known) -> Iterator[Problem]:
    yield from _kind((*loc, "engine", "kind"), pool.engine.kind, known.engines)
    for name, bounds in pool.engine.histogram_buckets.items():
        here = (*loc, "engine", "histogram_buckets", name)
        if pool.engine.kind == "vllm" and name not in HISTOGRAMS:
            yield Problem(
                here, f"vLLM's bucket flag has no key {show(name)}", "the engine ignores it", suggest(name, HISTOGRAMS),
                key=True,
            )  # fmt: skip
        if not bounds or any(low >= high for low, high in zip((Decimal(0), *bounds), bounds, strict=False)):
            yield Problem(
                here, f"the bucket bounds of {show(name)} are not a list of growing positive numbers",
                "quantiles are read off between neighbouring bounds", "write them as the engine was given them",
            )  # fmt: skip


def _kind(loc: Loc, kind: str, known: Collection[str] | None) -> Iterator[Problem]:
    if known is not None and kind not in known:
        yield Problem(
            loc,
            f"`{loc[-2]}.kind` is {show(kind)}, which the catalogue does not describe",
            "nothing is known about its metrics, so no alert could see it",
            suggest(kind, known) or "add it to a catalogue folder of your own",
        )


def _replicas(loc: Loc, pool: Pool, known: Known) -> Iterator[Problem]:  # noqa: ARG001 - one shape for all
    if pool.gpus and pool.gpus.replicas.min > pool.gpus.replicas.max:
        replicas = pool.gpus.replicas
        yield Problem(
            (*loc, "gpus", "replicas", "min"),
            f"`replicas` has a min of {replicas.min} above its max of {replicas.max}",
            "the pool would count as down at every size that it can have",
            f"write {{min: {replicas.max}, max: {replicas.min}}}",
        )
    if pool.gpus and pool.min_replicas is not None and pool.min_replicas > pool.gpus.replicas.max:
        yield Problem(
            (*loc, "min_replicas"),
            f"`min_replicas` is {pool.min_replicas}, but the pool declares {pool.gpus.replicas.max} at most",
            "replicas that do not exist cannot be kept for availability",
            f"write {pool.gpus.replicas.max} or less",
        )


def _memory(loc: Loc, pool: Pool, known: Known) -> Iterator[Problem]:  # noqa: ARG001 - one shape for all
    here, limit = (*loc, "thresholds", MEMORY_THRESHOLD), pool.thresholds.get(MEMORY_THRESHOLD)
    if limit is None:
        return
    if limit > 1:
        yield Problem(
            here,
            f"`{MEMORY_THRESHOLD}` is {format_number(limit)}, but it is a share of the card's memory",
            "memory use never goes above 1, so the alert would never fire",
            f"did you mean {format_number(limit)}%?" if limit <= 100 else "write a ratio like 0.95",
        )
    elif pool.memory_budget is not None and limit < pool.memory_budget:
        yield Problem(
            here,
            f"`{MEMORY_THRESHOLD}` ({format_number(limit)}) is below the engine's own "
            f"`memory_budget` ({format_number(pool.memory_budget)})",
            "the engine reserves its budget when it starts, so the alert would always fire",
            f"write more than {format_number(pool.memory_budget)}, or leave it out: the default is budget + 0.04",
        )


MEMORY_THRESHOLD = "gpu_memory_used"


def _names(loc: Loc, pool: Pool, known: Known) -> Iterator[Problem]:
    if known.thresholds is None:
        return
    for name in pool.thresholds:
        if name not in known.thresholds:
            yield Problem(
                (*loc, "thresholds", name),
                f"unknown threshold `{name}` of the pool {show(pool.name)}",
                "no alert reads it, so the limit would silently not hold",
                suggest(name, known.thresholds),
                key=True,
            )
