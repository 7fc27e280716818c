"""What the values of a fleet say about each other, and about the names that the catalogue knows."""

from collections.abc import Iterable, Iterator

from sre.fleet.hours import BusinessHours
from sre.fleet.models import Fleet, file_name
from sre.fleet.pool import Pool
from sre.fleet.pool_checks import check_kind, check_pool
from sre.fleet.problem import Known, Problem
from sre.source import show
from sre.units import format_duration

LOOKBACK = 300
"""Seconds for which Prometheus takes a sample as current (--query.lookback-delta)."""


def check(fleet: Fleet, known: Known | None = None) -> Iterator[Problem]:
    """All that is contradictory, unreachable or unknown in a fleet whose single values are sound."""
    known = known or Known()
    yield from _hours(fleet.business_hours)
    yield from _intervals(fleet)
    yield from _capacity(fleet)
    yield from _twice("pools", [pool.name for pool in fleet.pools], "their series could not be told apart")
    yield from _twice("teams", [team.name for team in fleet.teams], "a bill could not tell them apart")
    yield from _files(fleet.pools)
    yield from _teams(fleet)
    if fleet.gpu_exporter:
        yield from check_kind(("gpu_exporter", "kind"), fleet.gpu_exporter.kind, known.gpu_exporters)
    for index, pool in enumerate(fleet.pools):
        yield from check_pool(("pools", index), pool, known)


def _hours(hours: BusinessHours) -> Iterator[Problem]:
    loc = ("business_hours",)
    if hours.start_minute >= hours.end_minute:
        yield Problem(
            (*loc, "end"),
            f"`business_hours` end at {hours.end}, not after their start at {hours.start}",
            "no minute would count, and hours over midnight would belong to two days",
            'write an end after the start, "24:00" at the latest',
            reads=((*loc, "start"),),
        )
    for name, values in (("days", hours.days), ("holidays", hours.holidays)):
        for index, value in _repeated(map(str, values)):
            what = f"`business_hours.{name}` has {value} twice"
            yield Problem((*loc, name, index), what, "one of them was meant to be another day", "correct one")


def _intervals(fleet: Fleet) -> Iterator[Problem]:
    evaluation, scrape = fleet.evaluation_interval, fleet.scrape_interval
    for name, interval in (("evaluation_interval", evaluation), ("scrape_interval", scrape)):
        if interval > LOOKBACK:
            yield Problem(
                (name,),
                f"`{name}` is {format_duration(interval)}, longer than {format_duration(LOOKBACK)}",
                "a query looks back five minutes: between two samples, every alert would resolve",
                "write 30s or 1m",
            )
    if evaluation < scrape:
        yield Problem(
            ("evaluation_interval",),
            f"`evaluation_interval` ({format_duration(evaluation)}) is shorter than `scrape_interval` "
            f"({format_duration(scrape)})",
            "rules would look at the same samples again: more work, no earlier alert",
            f"write {format_duration(scrape)} or more",
            "warning",
            reads=(("scrape_interval",),),
        )


def _capacity(fleet: Fleet) -> Iterator[Problem]:
    declared: dict[str, int] = {}
    for gpus in [pool.gpus for pool in fleet.pools if pool.gpus]:
        declared[gpus.type] = declared.get(gpus.type, 0) + gpus.per_replica * gpus.replicas.min
    for card, cards in fleet.capacity.items():
        if cards < declared.get(card, 0):
            yield Problem(
                ("capacity", card),
                f"`capacity` has {cards} cards of type {show(card)}, but the pools declare {declared[card]}",
                "more cards than exist cannot be in use: idle hours would come out negative",
                f"write at least {declared[card]}, or correct `replicas` or `per_replica`",
            )


def _twice(key: str, names: list[str], why: str) -> Iterator[Problem]:
    for index, name in _repeated(names):
        what = f"`{key}` has {show(name)} twice, as entries {names.index(name) + 1} and {index + 1}"
        yield Problem((key, index, "name"), what, why, "rename one or leave it out")


def _repeated(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    seen = set[str]()
    for index, name in enumerate(names):
        if name in seen:
            yield index, name
        seen.add(name)


def _files(pools: tuple[Pool, ...]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for index, pool in enumerate(pools):
        file = file_name(pool.name)
        other = first.setdefault(file, pool.name)
        if other != pool.name:
            yield Problem(
                ("pools", index, "name"),
                f"the pools {show(other)} and {show(pool.name)} would share the file name {show(file)}",
                "one would overwrite what is written for the other",
                "rename one so that more than case or punctuation differs",
            )


def _teams(fleet: Fleet) -> Iterator[Problem]:
    for index, team in enumerate(fleet.teams):
        if team.name.startswith("__"):
            yield Problem(
                ("teams", index, "name"),
                f"the team name {show(team.name)} begins with two underscores",
                "bills use such names for what is nobody's: `__idle__`, `__untagged__`",
                "leave the underscores out",
            )
