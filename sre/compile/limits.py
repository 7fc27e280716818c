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
    "seconds": "s",
    "celsius": " °C",
    "preemptions_per_second": " a second",
    "tokens_per_second": " tokens a second",
}


def spell(value: Decimal, unit: str) -> str:
    """Exact digits with the unit: ``500ms``, ``95%``, ``83 °C``, ``50``."""
    if unit == "seconds" and value * 1000 == (value * 1000).to_integral_value():
        return format_duration(value)
    if unit == "ratio":
        return format_number(value * 100) + "%"
    return format_number(value) + _SUFFIX.get(unit, "")


def of_alert(alert: Alert, catalogue: Catalogue) -> list[Threshold]:
    """The thresholds that an alert compares with, its own first, then those that only guard it."""
    read = sorted(
        name for rule in alert.rules for branch in rule.branches for name in references.series(branch)
    )
    guards = [name.split(":")[1] for name in read if name.endswith(":threshold")]
    names = dict.fromkeys([alert.threshold, *(rule.threshold for rule in alert.rules), *guards])
    return [catalogue.thresholds[name] for name in names if name in catalogue.thresholds]


class Limits:
    """One fleet's limits; each threshold is worked out once, because pages ask for the same ones again and again."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._known: dict[str, Mapping[str, Decimal]] = {}

    def phrase(self, name: str) -> str:
        """For a sentence: the number where it is one number, else whose it is and how far it spreads."""
        unit = self._plan.catalogue.thresholds[name].unit
        return self._spread(name, lambda value: spell(value, unit))

    def bound(self, name: str) -> str:
        """For a comparison with an answer of Prometheus, in the base unit."""
        return self._spread(name, format_number)

    def table(self, thresholds: Iterable[Threshold], states: Mapping[str, str]) -> list[str]:
        """One row per pool that has any of the limits, at most ``ROWS``; a limit of the whole fleet is a sentence.

        ``states`` says how well the alert sees each pool; it is a column where that differs.
        """
        listed = list(thresholds)
        whole = [f"`{t.name}`: {self.phrase(t.name)} for the whole fleet. {t.why}" for t in listed if t.fleet]
        columns = [t for t in listed if not t.fleet]
        return [*whole, *(self._rows(columns, states) if columns else [])]

    def _rows(self, columns: list[Threshold], states: Mapping[str, str]) -> list[str]:
        pools = [
            p.name for p in self._plan.fleet.pools if any(p.name in self._values(t.name) for t in columns)
        ]
        mixed = len({states.get(pool) for pool in pools}) > 1
        rows = [self._row(pool, columns, states if mixed else {}) for pool in pools[:ROWS]]
        if any(t.unowned for t in columns):
            rows.append(["*no pool*", *map(_default, columns), *(["live"] if mixed else [])])
        head = ["pool", *(f"`{t.name}`" for t in columns), *(["sees"] if mixed else [])]
        if len(pools) > ROWS:
            rest = f"and {len(pools) - ROWS} more: ask `{series(columns[0])}`"
            rows.append([rest, *("" for _ in head[1:])])
        return markdown.table(head, rows)

    def _row(self, pool: str, columns: list[Threshold], states: Mapping[str, str]) -> list[str]:
        found = ((self._values(t.name).get(pool), t.unit) for t in columns)
        cells = ["-" if value is None else spell(value, unit) for value, unit in found]
        return [markdown.plain(pool), *cells, *([states[pool].replace("_", " ")] if pool in states else [])]

    def _spread(self, name: str, spelled: Callable[[Decimal], str]) -> str:
        found = sorted(set(self._values(name).values()))
        if not found:
            return "a limit that no pool has"
        if len(found) == 1:
            return spelled(found[0])
        return f"the pool's limit ({spelled(found[0])} to {spelled(found[-1])})"

    def _values(self, name: str) -> Mapping[str, Decimal]:
        if name not in self._known:
            threshold = self._plan.catalogue.thresholds[name]
            if threshold.fleet:
                self._known[name] = {"": threshold.default} if threshold.default is not None else {}
            else:
                self._known[name] = values(self._plan.fleet, self._plan.catalogue, threshold)
        return self._known[name]


def _default(threshold: Threshold) -> str:
    return (
        spell(threshold.default, threshold.unit)
        if threshold.unowned and threshold.default is not None
        else "-"
    )
