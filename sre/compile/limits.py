"""The numbers of one fleet as people read them: in a sentence, as a bound to compare with, and as a table by pool."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from sre.catalogue import references
from sre.catalogue.model import Alert, Catalogue, Threshold
from sre.compile import markdown
from sre.compile.plan import Plan
from sre.compile.thresholds import series, values
from sre.units import format_duration, format_number

ROWS = 20
"""Pools that a table shows; the rest are counted."""

_SUFFIX = {
    "celsius": " °C",
    "preemptions_per_second": " a second",
    "tokens_per_second": " tokens a second",
}


def spell(value: Decimal, unit: str) -> str:
    """Exact digits with the unit: ``500ms``, ``95%``, ``83 °C``, ``50``."""
    if unit == "seconds":
        return format_duration(value)
    if unit == "ratio":
        return format_number(value * 100) + "%"
    return format_number(value) + _SUFFIX.get(unit, "")


def of_alert(alert: Alert, catalogue: Catalogue) -> list[Threshold]:
    """The thresholds that an alert compares with, its own first, then those that only guard it."""
    own = [alert.threshold, *(rule.threshold for rule in alert.rules)]
    read = [n.split(":")[1] for rule in alert.rules for b in rule.branches for n in sorted(references.series(b))
            if n.endswith(":threshold")]  # fmt: skip
    return [
        catalogue.thresholds[name] for name in dict.fromkeys((*own, *read)) if name in catalogue.thresholds
    ]


def phrase(plan: Plan, threshold: Threshold) -> str:
    """For a sentence: the number where it is one number, else whose it is and how far it spreads."""
    return _spread(plan, threshold, lambda value: spell(value, threshold.unit))


def bound(plan: Plan, threshold: Threshold) -> str:
    """For a comparison with an answer of Prometheus, in the base unit."""
    return _spread(plan, threshold, format_number)


def _spread(plan: Plan, threshold: Threshold, spelled: Callable[[Decimal], str]) -> str:
    found = sorted(set(_all(plan, threshold).values()))
    if not found:
        return "a limit that no pool has"
    if len(found) == 1:
        return spelled(found[0])
    return f"the pool's limit ({spelled(found[0])} to {spelled(found[-1])})"


def _all(plan: Plan, threshold: Threshold) -> Mapping[str, Decimal]:
    if threshold.fleet:
        return {"": threshold.default} if threshold.default is not None else {}
    return values(plan.fleet, plan.catalogue, threshold)


def table(plan: Plan, thresholds: Iterable[Threshold], states: Mapping[str, str]) -> list[str]:
    """One row per pool that has any of the limits, at most ``ROWS``; a limit of the whole fleet is a sentence."""
    listed = list(thresholds)
    lines = [f"`{t.name}`: {phrase(plan, t)} for the whole fleet. {t.why}" for t in listed if t.fleet]
    columns = {t.name: _all(plan, t) for t in listed if not t.fleet}
    if not columns:
        return lines
    pools = [p.name for p in plan.fleet.pools if any(p.name in found for found in columns.values())]
    mixed = len({states.get(p, "live") for p in pools}) > 1
    spelled = [(t, columns[t.name]) for t in listed if not t.fleet]
    rows = [_row(p, spelled, states if mixed else {}) for p in pools[:ROWS]]
    if any(t.unowned for t, _ in spelled):
        rows.append(["*no pool*", *(_default(t) for t, _ in spelled), *(["live"] if mixed else [])])
    head = ["pool", *(f"`{name}`" for name in columns), *(["sees"] if mixed else [])]
    if len(pools) > ROWS:
        rows.append([f"and {len(pools) - ROWS} more: ask `{series(spelled[0][0])}`", *("" for _ in head[1:])])
    return [*lines, *markdown.table(head, rows)]


def _row(
    pool: str, spelled: list[tuple[Threshold, Mapping[str, Decimal]]], states: Mapping[str, str]
) -> list[str]:
    cells = [spell(found[pool], t.unit) if pool in found else "-" for t, found in spelled]
    return [markdown.plain(pool), *cells, *([states[pool].replace("_", " ")] if pool in states else [])]


def _default(threshold: Threshold) -> str:
    return (
        spell(threshold.default, threshold.unit)
        if threshold.unowned and threshold.default is not None
        else "-"
    )
