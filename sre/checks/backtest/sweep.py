"""One alert at a range of thresholds around its own: what each would have cost; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from sre.catalogue.model import Threshold
from sre.checks.backtest.program import Placed, varied
from sre.checks.backtest.recordings import STATIC
from sre.compile.plan import Plan, RecordRule
from sre.compile.text import FORMATS
from sre.compile.thresholds import series
from sre.findings import Finding, Refused
from sre.units import format_number

FACTORS = tuple(map(Decimal, ("0.5", "0.7", "0.85", "1", "1.2", "1.5", "2")))
"""From half to twice the number. Of a share the odds are multiplied, by the square: 90 % goes from 69 % to 97 %."""

_DIGITS = 3


@dataclass(frozen=True)
class Sweep:
    """The variants of one alert, by mark; the one that is in force has none."""

    plan: Plan
    alert: str
    threshold: Threshold

    @property
    def series(self) -> str:
        """The recorded number that moves."""
        return series(self.threshold)

    @cached_property
    def values(self) -> dict[str, dict[str, Decimal]]:
        """Mark -> pool -> number, from the lowest factor to the highest; the pool is empty for what belongs to none.

        Numbers that rounding makes the same are tried once.
        """
        found = dict[str, dict[str, Decimal]]()
        for number, factor in enumerate(FACTORS):
            tried = {pool: scaled(value, factor, self.threshold.unit) for pool, value in self._own.items()}
            if factor == 1:
                found[""] = self._own
            elif tried not in (*found.values(), self._own):
                found[f"sweep{number}"] = tried
        return found

    def number(self, mark: str, pool: str | None) -> Decimal | None:
        """What a pool compares with in a variant; None where the threshold does not apply to it."""
        return self.values[mark].get(pool or "")

    @cached_property
    def _own(self) -> dict[str, Decimal]:
        rules = (rule for group in self.plan.groups if group.name == STATIC for rule in group.rules)
        return {
            rule.labels.get("pool", ""): Decimal(rule.expr.removeprefix("vector(").removesuffix(")"))
            for rule in rules
            if isinstance(rule, RecordRule) and rule.record == self.series
        }

    def vary(self, rules: tuple[Placed, ...]) -> tuple[Placed, ...]:
        """The rules of all variants but the one in force."""
        return tuple(
            rule
            for mark, values in self.values.items()
            if mark
            for rule in varied(rules, self.series, _exprs(values), mark)
        )


def make_sweep(plan: Plan, alert: str) -> Sweep:
    """Raises ``Refused`` for an alert that compares with no threshold."""
    source = plan.catalogue.alerts[alert]
    name = source.threshold or next((rule.threshold for rule in source.rules if rule.threshold), None)
    if name is None:
        raise Refused([Finding("--sweep", f"{alert} compares with no threshold", "there is no number to move",
                               "name an alert with a `threshold` in its entry, or leave --sweep out")])  # fmt: skip
    return Sweep(plan, alert, plan.catalogue.thresholds[name])


def scaled(value: Decimal, factor: Decimal, unit: str) -> Decimal:
    """A number so many times as large, with three digits; a share stays one, and whole things whole."""
    if unit == "ratio" and 0 < value < 1:
        odds = value / (1 - value) * factor * factor
        return _rounded(odds / (1 + odds))
    new = _rounded(value * factor)
    return new if unit in FORMATS or new < 1 else Decimal(round(new))


def _rounded(value: Decimal) -> Decimal:
    if not value:
        return value
    return Decimal(format_number(round(value, _DIGITS - 1 - value.adjusted())))


def _exprs(values: Mapping[str, Decimal]) -> dict[str, str]:
    return {pool: f"vector({format_number(value)})" for pool, value in values.items()}
