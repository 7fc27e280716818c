"""What a fleet's owner should know before deploying: numbers that cannot work, and what will not be seen."""

from collections.abc import Iterator
from decimal import Decimal

from sre.catalogue.bindings import Binding
from sre.catalogue.model import Alert, Catalogue, Threshold
from sre.compile.alerts import patience
from sre.compile.coverage import bounds_of, in_range
from sre.compile.plan import Plan
from sre.compile.thresholds import threshold_value
from sre.findings import Finding
from sre.fleet import Fleet, Pool
from sre.fleet.values import release
from sre.units import format_duration, format_number, humanize_duration


def advise(plan: Plan) -> list[Finding]:
    """Errors and warnings; ``where`` is a path into the fleet file, such as `pools/0/objectives/itl_p95`."""
    fleet, catalogue = plan.fleet, plan.catalogue
    return [
        *_durations(fleet, catalogue),
        *(f for i, pool in enumerate(fleet.pools) for f in _pool(plan, catalogue, i, pool)),
        *_exporter(plan),
        *_blind(plan),
        *_counters(plan),
    ]


def _durations(fleet: Fleet, catalogue: Catalogue) -> Iterator[Finding]:
    """A wait is stretched to two evaluations; where that eats half of the promised time, the interval is too long."""
    every = format_duration(fleet.evaluation_interval)
    for alert in catalogue.alerts.values():
        stretched = patience(alert, fleet)
        if stretched * 2 > alert.within > 0 and stretched > alert.for_:
            yield Finding(
                "evaluation_interval",
                f"{alert.name} would wait {format_duration(stretched)}, two evaluations of {every}",
                f"it promises to fire within {format_duration(alert.within)} of its fault and could not",
                "evaluate at least once a minute",
            )
        elif stretched > alert.for_:
            yield Finding(
                "evaluation_interval",
                f"{alert.name} waits {format_duration(stretched)} instead of {format_duration(alert.for_)}",
                f"a wait shorter than two evaluations of {every} would let a single sample fire it",
                "evaluate every 30 s to have it sooner",
                "warning",
            )


def _pool(plan: Plan, catalogue: Catalogue, index: int, pool: Pool) -> Iterator[Finding]:
    binding = catalogue.engines[pool.engine.kind]
    yield from _release(f"pools/{index}/engine/version", binding, pool.engine.version)
    emitted = [p.alert for p in plan.alerts if p.rules]
    for alert in emitted:
        for name in dict.fromkeys(r.threshold for r in alert.rules if r.threshold):
            yield from _number(index, pool, alert, catalogue.thresholds[name], binding)
    for name in sorted(
        {p.alert.histogram for p in plan.alerts if p.alert.histogram and p.rules} & set(binding.bounds)
    ):
        if not bounds_of(binding, name, pool):
            yield Finding(
                f"pools/{index}/engine/version",
                f"bucket bounds of {binding.kind} {pool.engine.version} are not known",
                f"nothing can be said about how exact the {name} quantiles are",
                "declare `histogram_buckets`",
                "warning",
            )


def _release(where: str, binding: Binding, version: str) -> Iterator[Finding]:
    oldest, newest = binding.versions.oldest, binding.versions.newest
    at = release(version) or (0, 0, 0)
    if not (release(oldest) or at) <= at <= (release(newest) or at):
        yield Finding(
            where,
            f"{binding.kind} {version} lies outside the releases that were looked at, {oldest} to {newest}",
            "metrics may be named otherwise there, and an alert on a name that is gone never fires",
            "ask `sre doctor` against the live server",
            "warning",
        )


def _number(
    index: int, pool: Pool, alert: Alert, threshold: Threshold, binding: Binding
) -> Iterator[Finding]:
    value = threshold_value(pool, threshold, binding)
    if value is None:
        return
    where = f"pools/{index}/{'objectives' if threshold.objective else 'thresholds'}/{threshold.name}"
    if threshold.unit == "ratio" and not alert.below and value >= 1:
        yield Finding(
            where,
            f"{threshold.name} of {format_number(value * 100)} % can never be exceeded",
            f"{alert.name} would never fire in pool {pool.name}",
            "write a share below 100 %",
        )
    bounds = [Decimal(b) for b in bounds_of(binding, alert.histogram, pool)] if alert.histogram else []
    if bounds and value >= bounds[-1]:
        yield Finding(
            where,
            f"{threshold.name} of {_spell(value)} lies at or above the last bucket bound of "
            f"{binding.kind} {pool.engine.version}, {_spell(bounds[-1])}",
            f"a quantile cannot be seen beyond it, so {alert.name} would never fire",
            f"write less than {_spell(bounds[-1])}",
        )
    elif bounds and value not in bounds:
        yield _between(where, pool, alert, threshold, binding, bounds, value)


def _between(
    where: str,
    pool: Pool,
    alert: Alert,
    threshold: Threshold,
    binding: Binding,
    bounds: list[Decimal],
    value: Decimal,
) -> Finding:
    low = max((b for b in bounds if b < value), default=Decimal(0))
    high = min(b for b in bounds if b > value)
    inside = f"({_spell(low)}, {_spell(high)}]"
    return Finding(
        where,
        f"{threshold.name} of {_spell(value)} lies inside the bucket {inside} of {binding.kind} {pool.engine.version}",
        f"within a bucket the quantile is interpolated: {alert.name} may fire, or not, for true values anywhere in it",
        f"write {_spell(low) + ' or ' if low else ''}{_spell(high)}"
        + _move(binding, alert, pool, bounds, value),
        "warning",
    )


def _move(binding: Binding, alert: Alert, pool: Pool, bounds: list[Decimal], value: Decimal) -> str:
    """How this engine version moves a bound onto the objective, where it can."""
    key = binding.bound_keys.get(alert.histogram or "")
    way = next(
        (n for n in binding.move_bound if pool.engine.release >= (release(n.since) or (0, 0, 0))), None
    )
    if key is None or way is None:
        return ""
    listed = ", ".join(format_number(b) for b in sorted([*bounds, value]))
    told = way.text.replace("{key}", key).replace("{bounds}", listed)
    return f"; or move a bound there with {told}, and declare it as `engine.histogram_buckets`"


def _exporter(plan: Plan) -> Iterator[Finding]:
    exporter = plan.fleet.gpu_exporter
    if exporter:
        yield from _release("gpu_exporter/version", plan.catalogue.gpus[exporter.kind], exporter.version)


def _blind(plan: Plan) -> Iterator[Finding]:
    """One finding for each reason, however many alerts it blinds."""
    blinded: dict[tuple[str, ...], list[str]] = {}
    for planned in plan.alerts:
        if planned.state == "blind":
            blinded.setdefault(planned.reasons, []).append(planned.alert.name)
    for reasons, names in blinded.items():
        one = len(names) == 1
        yield Finding(
            _section(reasons),
            f"{', '.join(names)} {'is' if one else 'are'} blind: {'; '.join(reasons)}",
            f"{'it is' if one else 'they are'} not written, because {'it' if one else 'they'} could never fire",
            _remedy(reasons),
            "warning",
        )


def _section(reasons: tuple[str, ...]) -> str:
    """The part of the fleet file that would have to say more."""
    named = (word for word in ("usage_exporter", "gpu_exporter") if word in " ".join(reasons))
    return next(named, "pools")


def _remedy(reasons: tuple[str, ...]) -> str:
    if "declared in the fleet file" in " ".join(reasons):
        return f"declare `{_section(reasons)}`"
    return "run a release that exposes it"


def _counters(plan: Plan) -> Iterator[Finding]:
    waiting: dict[str, list[str]] = {}
    for planned in plan.alerts:
        for counter in planned.counters:
            waiting.setdefault(counter, []).append(planned.alert.name)
    only = {p.alert.name for p in plan.alerts if p.state == "needs_counter"}
    for counter, alerts in sorted(waiting.items()):
        names = ", ".join(f"{name}{' (blind without it)' if name in only else ''}" for name in alerts)
        yield Finding(
            "gpu_exporter/counters",
            f"{counter} is off in the exporter's list",
            f"with it these see more: {names}",
            "add its line of dcgm/counters.csv to the list",
            "warning",
        )


def notes(plan: Plan) -> Iterator[Finding]:
    """What a release changed about a metric that keeps its name."""
    for index, pool in enumerate(plan.fleet.pools):
        for sources in plan.catalogue.engines[pool.engine.kind].signals.values():
            for source in sources:
                if (
                    source.note
                    and in_range(source, pool.engine.version)
                    and pool.engine.release >= (release(source.note.since) or (0, 0, 0))
                ):
                    yield Finding(
                        f"pools/{index}/engine/version",
                        f"{source.metric}: {source.note.text}",
                        severity="info",
                    )


def _spell(seconds: Decimal) -> str:
    """As a fleet file may write it, too: `75ms`, `2.5s`."""
    if seconds < 60:
        return humanize_duration(float(seconds))
    return format_duration(seconds) if seconds % 1 == 0 else f"{format_number(seconds)}s"
