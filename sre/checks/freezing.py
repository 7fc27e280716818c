"""A calm stretch of a live server's recorded histograms into a frozen baseline, and what cannot be frozen of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sre.answers import Series
from sre.catalogue import references
from sre.compile.counted import count, few
from sre.compile.frozen import Freezer, Frozen, Owner, levels, replies_needed
from sre.compile.plan import Plan
from sre.compile.thresholds import values
from sre.findings import Finding
from sre.prometheus import Server
from sre.promql import one_of

_HOUR = 3600
_SHOWN = 8
_LIMIT = "output_shift"
"""The threshold of the distance that the frozen distribution is compared by."""


@dataclass(frozen=True)
class Freezing:
    """``missing`` are pools of the fleet that stay as they were: their baseline is last week's."""

    frozen: tuple[Frozen, ...]
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]


def freeze(plan: Plan, server: Server, start: datetime, end: datetime) -> Freezing:
    """Read whole hours between two moments. Raises ``Unreachable``, also where the answer is partial."""
    times = _times(start.timestamp(), end.timestamp())
    recorded = {
        name: server.query_range(name, *times, _HOUR) for name in plan.catalogue.frozen if name in plan.series
    }
    fired = server.query(_fired(plan, end.timestamp() - start.timestamp()), end.timestamp())
    found = sorted(sample.labels.get("pool", "") for sample in fired)
    read = _read(plan, recorded)
    return Freezing(read.frozen, (*read.findings, *_disturbed(found)), read.missing)


def _times(start: float, end: float) -> tuple[float, float]:
    """The ends of the first and the last hour: hours of the clock where they fit."""
    last = end // _HOUR * _HOUR
    last = last if last - _HOUR >= start else end
    whole = max(1, int((last - start) // _HOUR))
    return last - (whole - 1) * _HOUR, last


def _fired(plan: Plan, seconds: float) -> str:
    """Pools of which an alert that compares with these baselines fired in between."""
    usual = {plan.catalogue.baselines[name] for name in plan.catalogue.frozen}
    names = [
        alert.name
        for alert in plan.catalogue.alerts.values()
        if any(usual & references.series(branch) for rule in alert.rules for branch in rule.branches)
    ]
    fired = f'ALERTS{{{one_of("alertname", names)},alertstate="firing"}}'
    return f"group by (pool) (max_over_time({fired}[{max(1, round(seconds))}s]))"


def _read(plan: Plan, recorded: Mapping[str, tuple[Series, ...]]) -> Freezing:
    limits = values(plan.fleet, plan.catalogue, plan.catalogue.thresholds[_LIMIT])
    frozen, scarce, foreign = list[Frozen](), dict[Owner, float](), set[str]()
    for level in levels(plan.catalogue):
        freezer = Freezer(plan.catalogue, level, recorded)
        for owner in freezer.owners:
            pool = dict(owner).get("pool", "")
            if pool not in limits:
                foreign.add(pool)
            elif freezer.replies(owner) < replies_needed(float(limits[pool])):
                scarce[owner] = freezer.replies(owner)
            else:
                frozen.append(freezer.freeze(owner, float(limits[pool])))
    done = {dict(one.owner)["pool"] for one in frozen if "consumer" not in dict(one.owner)}
    missing = tuple(pool for pool in limits if pool not in done)
    needed = {pool: replies_needed(float(limit)) for pool, limit in limits.items()}
    findings = [*_missing(plan, missing, scarce), *_scarce(plan, scarce, needed), *_foreign(foreign)]
    return Freezing(tuple(frozen), tuple(findings), missing)


def _missing(plan: Plan, missing: tuple[str, ...], scarce: Mapping[Owner, float]) -> Iterator[Finding]:
    names = [pool.name for pool in plan.fleet.pools]
    for pool in missing:
        if (("pool", pool),) not in scarce:
            yield Finding(
                f"pools/{names.index(pool)}",
                f"nothing of {pool}'s replies is recorded in this stretch",
                "its baseline stays the same hour last week, which follows every shift after a week",
                "see with `sre doctor` whether the rules are loaded and the pool is scraped, or name a later stretch",
                "warning",
            )


def _scarce(plan: Plan, scarce: Mapping[Owner, float], needed: Mapping[str, int]) -> Iterator[Finding]:
    names = [pool.name for pool in plan.fleet.pools]
    for owner, replies in scarce.items():
        labels = dict(owner)
        team = f"team {labels['consumer']} on " if "consumer" in labels else ""
        pool = labels["pool"]
        said = count(round(replies), "reply", "replies")
        yield Finding(
            f"pools/{names.index(pool)}",
            f"{team}{pool} has {said} in this stretch, {needed[pool]} are needed",
            "of fewer, chance alone moves the distribution by more than half of the alert's limit",
            "name a longer stretch with --since; until then its baseline is the same hour last week",
            "info" if team else "warning",
        )


def _foreign(pools: set[str]) -> Iterator[Finding]:
    if pools:
        named = few([f"`{pool}`" for pool in sorted(pools)], _SHOWN, "pool")
        what = f"replies of {count(len(pools), 'pool')} are recorded here that the fleet does not declare: {named}"
        why, fix = "they are left out", "freeze them with the fleet file that declares them"
        yield Finding("pools", what, why, fix, "info")


def _disturbed(pools: list[str]) -> Iterator[Finding]:
    for pool in pools:
        yield Finding(
            pool or "ALERTS",
            "the alert on the lengths of replies fired in this stretch",
            "what is frozen is what is usual from then on, an incident too",
            "name a calm stretch with --at and --since, unless this is how it is meant to be",
            "warning",
        )
