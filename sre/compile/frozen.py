"""A frozen baseline: what replies were like in a calm stretch, as constants that the rules read first.

Each series is the mean of its hours, weighted by the requests of each, so that a quiet night counts for what it is.
Where the hours of the day differ, each has its own: a flat mean would call every night a shift.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from math import isnan

from sre.answers import Series
from sre.catalogue.model import Catalogue
from sre.compile import operator
from sre.compile.compilation import Target
from sre.compile.plan import Group, Plan, RecordRule
from sre.compile.prometheus import dump, group_data
from sre.units import format_number

HEADER = "# Written by `sre baseline freeze`; freeze again after a change that is to stay.\n"
GROUP = "llm-frozen"

_EVERY = 60
"""Seconds between two evaluations: often enough for a sample, which lives five minutes."""
_CHANCE = 1.95
"""Of the Kolmogorov-Smirnov distance at one in a thousand: sqrt(-ln(0.001 / 2) / 2), times sqrt(1/n + 1/m)."""
_DIGITS = 5
_DAY = range(24)

Owner = tuple[tuple[str, str], ...]
"""The labels of a pool, or of a team's replies, without `le`."""
Hours = Mapping[float, float]
"""Value by the moment at which its hour ended, in seconds since the epoch."""


def replies_needed(limit: float) -> int:
    """Replies of which the frozen distribution is by chance no further off than half of the alert's limit."""
    return round((2 * _CHANCE / limit) ** 2)


@dataclass(frozen=True)
class Frozen:
    """One owner's calm stretch. ``daily`` says that the hours of its day differ; ``rules`` are what is loaded."""

    owner: Owner
    replies: int
    hours: int
    daily: bool
    rules: tuple[RecordRule, ...]


class Freezer:
    """Turns recorded hours into constants, for the owners of one level (`pool`, `consumer`)."""

    def __init__(self, catalogue: Catalogue, level: str, recorded: Mapping[str, Iterable[Series]]) -> None:
        """``recorded`` by the record's name, one sample for each hour at its end."""
        self._names = {
            name: to for name, to in catalogue.frozen.items() if _level(name) == level and name in recorded
        }
        self._count = next((n for n in self._names if catalogue.records[n].unit == "requests"), "")
        self._shares = next((n for n in self._names if n.startswith(f"{level}_le:")), "")
        self._hours: dict[str, dict[Owner, dict[str, Hours]]] = {n: _sorted(recorded[n]) for n in self._names}

    @property
    def owners(self) -> list[Owner]:
        """Everybody of whom a distribution was recorded."""
        return sorted(self._hours.get(self._shares, {}))

    def replies(self, owner: Owner) -> float:
        """How many the stretch holds."""
        return sum(self._weights(owner).values())

    def freeze(self, owner: Owner, limit: float) -> Frozen:
        """``limit`` is the alert's on the distance between two distributions."""
        weights = self._weights(owner)
        parts = [{at: n for at, n in weights.items() if _hour(at) == hour} for hour in _DAY]
        enough = [sum(part.values()) >= replies_needed(limit) for part in parts]
        daily = any(
            self._apart(owner, part, weights) > limit / 2
            for part, alone in zip(parts, enough, strict=True)
            if alone
        )
        day = [part if daily and alone else weights for part, alone in zip(parts, enough, strict=True)]
        rules = tuple(self._rules(owner, day))
        return Frozen(owner, round(sum(weights.values())), len(weights), daily, rules)

    def _weights(self, owner: Owner) -> Hours:
        """Requests by hour; hours without any say nothing."""
        counts = self._hours.get(self._count, {}).get(owner, {}).get("", {})
        return {at: n for at, n in counts.items() if n > 0}

    def _apart(self, owner: Owner, one: Hours, other: Hours) -> float:
        shares = self._hours[self._shares][owner].values()
        pairs = ((_mean(hours, one), _mean(hours, other)) for hours in shares)
        return max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=0.0)

    def _rules(self, owner: Owner, day: list[Hours]) -> Iterator[RecordRule]:
        for name, to in self._names.items():
            for le, hours in sorted(self._hours[name].get(owner, {}).items(), key=lambda one: _bound(one[0])):
                whole = name == self._count
                values = [sum(weights.values()) if whole else _mean(hours, weights) for weights in day]
                if all(value is not None for value in values):
                    expr = _expression([value or 0.0 for value in values])
                    yield RecordRule(to, expr, {**dict(owner), **({"le": le} if le else {})})


def levels(catalogue: Catalogue) -> list[str]:
    """Whose baselines can be frozen."""
    return list(dict.fromkeys(map(_level, catalogue.frozen)))


def render(plan: Plan, frozen: Iterable[Frozen], stretch: str, target: Target) -> str:
    """The file to be loaded beside the fleet's rules; ``stretch`` says what was frozen."""
    interval = max(int(plan.fleet.evaluation_interval), _EVERY)
    group = Group(GROUP, GROUP, interval, tuple(rule for one in frozen for rule in one.rules))
    head = f"{HEADER}# {stretch}\n"
    if target == "prometheus":
        return head + dump({"groups": [group_data(group)]})
    return head + "---\n".join(dump(operator.rule_object(plan, part)) for part in operator.parts(group))


def _level(name: str) -> str:
    return name.partition(":")[0].removesuffix("_le")


def _sorted(recorded: Iterable[Series]) -> dict[Owner, dict[str, Hours]]:
    """By owner and upper bound; "" where a series has none."""
    found = defaultdict[Owner, dict[str, Hours]](dict)
    for one in recorded:
        labels = {name: value for name, value in one.labels.items() if name != "__name__"}
        le = labels.pop("le", "")
        found[tuple(sorted(labels.items()))][le] = {at: value for at, value in one.points if not isnan(value)}
    return dict(found)


def _mean(hours: Hours, weights: Hours) -> float | None:
    known = [(hours[at], n) for at, n in weights.items() if at in hours]
    return sum(value * n for value, n in known) / sum(n for _, n in known) if known else None


def _hour(end: float) -> int:
    """The hour of the day, in UTC as PromQL's, at which an hour ended."""
    return round(end / 3600) % 24


def _bound(le: str) -> float:
    return float(le) if le else 0.0


def _written(value: Decimal) -> str:
    return format_number(value)


def _expression(values: list[float]) -> str:
    """One number, or one for each hour of the day that glides to the next: rules look back an hour at any minute."""
    day = [round(Decimal(value), _DIGITS) for value in values]
    if len(set(day)) == 1:
        return f"vector({_written(day[0])})"
    grown = [day[(hour + 1) % 24] - value for hour, value in enumerate(day)]
    runs = [list(run) for _, run in groupby(_DAY, key=lambda hour: (day[hour], grown[hour]))]
    return " or ".join(
        f"({_gliding(day[run[0]], grown[run[0]])} and on () {_between(run[0], run[-1])})" for run in runs
    )


def _gliding(value: Decimal, grown: Decimal) -> str:
    return f"{_written(value)} + {_written(grown)} * minute() / 60" if grown else f"vector({_written(value)})"


def _between(first: int, last: int) -> str:
    return f"(hour() == {first})" if first == last else f"(hour() >= {first} <= {last})"
