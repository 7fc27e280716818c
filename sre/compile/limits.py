"""The numbers of one fleet as people read them: in a sentence, as a bound to compare with, and as a table by pool."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from sre.catalogue import references
from sre.catalogue.model import Alert, Catalogue, Threshold
from sre.compile import markdown
from sre.compile.thresholds import series, values
from sre.fleet import Fleet
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
    return [catalogue.thresholds[name] for name in dict.fromkeys((*own, *read)) if name in catalogue.thresholds]


def phrase(fleet: Fleet, threshold: Threshold) -> str:
    """For a sentence: the number where it is one number, else whose it is and how far it spreads."""
    return _spread(fleet, threshold, lambda value: spell(value, threshold.unit))


def bound(fleet: Fleet, threshold: Threshold) -> str:
    """For a comparison with an answer of Prometheus, in the base unit."""
    return _spread(fleet, threshold, format_number)


def _spread(fleet: Fleet, threshold: Threshold, spelled: object) -> str:
    found = sorted(set(_all(fleet, threshold).values()))
    assert callable(spelled)
    if not found:
        return "a limit that no pool has"
    if len(found) == 1:
        return str(spelled(found[0]))
    return f"the pool's limit ({spelled(found[0])} to {spelled(found[-1])})"


def _all(fleet: Fleet, threshold: Threshold) -> Mapping[str, Decimal]:
    if threshold.fleet:
        return {"": threshold.default} if threshold.default is not None else {}
    return values(fleet, threshold)


def table(fleet: Fleet, thresholds: Iterable[Threshold], states: Mapping[str, str]) -> list[str]:
    """One row per pool that has any of the limits, at most ``ROWS``; a limit of the whole fleet is a sentence."""
    listed = list(thresholds)
    lines = [f"`{t.name}`: {phrase(fleet, t)} for the whole fleet. {t.why}" for t in listed if t.fleet]
    columns = [t for t in listed if not t.fleet]
    if not columns:
        return lines
    by_name = {t.name: values(fleet, t) for t in columns}
    pools = [p.name for p in fleet.pools if any(p.name in found for found in by_name.values())]
    mixed = len({states.get(p, "live") for p in pools}) > 1
    head = ["pool", *(f"`{t.name}`" for t in columns), *(["sees"] if mixed else [])]
    rows = [_row(p, columns, by_name, states if mixed else {}) for p in pools[:ROWS]]
    if any(t.unowned for t in columns):
        rows.append(["*no pool*", *(_default(t) for t in columns), *(["live"] if mixed else [])])
    if len(pools) > ROWS:
        rows.append([f"and {len(pools) - ROWS} more: ask `{series(columns[0])}`", *("" for _ in head[1:])])
    return [*lines, *markdown.table(head, rows)]


def _row(
    pool: str, columns: list[Threshold], by_name: Mapping[str, Mapping[str, Decimal]], states: Mapping[str, str]
) -> list[str]:
    cells = [spell(by_name[t.name][pool], t.unit) if pool in by_name[t.name] else "-" for t in columns]
    return [markdown.plain(pool), *cells, *([states[pool].replace("_", " ")] if pool in states else [])]


def _default(threshold: Threshold) -> str:
    return spell(threshold.default, threshold.unit) if threshold.unowned and threshold.default is not None else "-"
