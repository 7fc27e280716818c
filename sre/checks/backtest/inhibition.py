"""Which pages Alertmanager sends, and which it keeps back: the compiled inhibition over courses of alerts; pure.

Follows dispatch/dispatch.go and inhibit/inhibit.go of alertmanager 0.25. All alerts of one name and pool are a group,
which is looked at after its `group_wait` and then every `group_interval`: it is told when one of its alerts fires then
that nothing inhibits, and what was told once is not told anew when it has been kept back for a while.

Times are in milliseconds.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import promql_parser
import yaml

from sre.checks.backtest.evaluation import Course
from sre.checks.backtest.states import Span
from sre.compile import alertmanager
from sre.compile.plan import AlertRule, Plan
from sre.units import parse_duration

Labels = Mapping[str, str]

_PAGES = ['severity="page"']


class Firing(NamedTuple):
    """A stretch in which one alert fires."""

    course: Course
    span: Span

    @property
    def end(self) -> int:
        """The first evaluation that no longer finds it."""
        return self.span.last + self.course.interval


class Matchers:
    """What an alert's labels must be; patterns are anchored, and a label that is not there is empty."""

    def __init__(self, written: Iterable[str]) -> None:
        parsed = promql_parser.parse(f"{{{','.join(written)}}}")
        assert isinstance(parsed, promql_parser.VectorSelector)
        self._all = [
            (one.name, str(one.op).rpartition(".")[2], one.value) for one in parsed.matchers.matchers
        ]

    def fit(self, labels: Labels) -> bool:
        """Whether they are."""
        return all(_fits(labels.get(name, ""), op, value) for name, op, value in self._all)

    def may_fit(self, labels: Labels) -> bool:
        """Whether they can be, of an alert that has these labels and others."""
        return all(_fits(labels[name], op, value) for name, op, value in self._all if name in labels)


def _fits(found: str, op: str, value: str) -> bool:
    same = found == value if op.endswith("Equal") else re.fullmatch(value, found) is not None
    return same is not op.startswith("Not")


@dataclass(frozen=True)
class Rule:
    """While something that ``source`` matches fires, what ``target`` matches and has ``equal`` alike is kept back."""

    source: Matchers
    target: Matchers
    equal: tuple[str, ...]

    def place(self, labels: Labels) -> tuple[str, ...]:
        """What both sides have to have alike."""
        return tuple(labels.get(label, "") for label in self.equal)


@dataclass(frozen=True)
class Inhibition:
    """Everything that is compiled of it; ``wait`` and ``interval`` are those of a page's group."""

    rules: tuple[Rule, ...]
    wait: int
    interval: int

    @classmethod
    def of(cls, plan: Plan) -> "Inhibition":
        """As Alertmanager is told of it."""
        (artefact,) = alertmanager.render(plan)
        written = yaml.safe_load(artefact.text)
        page = next(one for one in written["route"]["routes"] if one["matchers"] == _PAGES)
        rules = tuple(map(_rule, written["inhibit_rules"]))
        return cls(rules, _ms(page["group_wait"]), _ms(page["group_interval"]))

    def causes(self, plan: Plan, alert: str) -> frozenset[str]:
        """Names of other alerts that may keep back a page of this one."""
        fixed = {planned.alert.name: list(_fixed(planned.rules)) for planned in plan.alerts}
        pages = [labels for labels in fixed[alert] if labels["severity"] == "page"]
        rules = [rule for rule in self.rules if any(map(rule.target.may_fit, pages))]
        return frozenset(
            name
            for name, all_of in fixed.items()
            if name != alert and any(rule.source.may_fit(labels) for rule in rules for labels in all_of)
        )


def _rule(written: Mapping[str, Any]) -> Rule:
    source, target = Matchers(written["source_matchers"]), Matchers(written["target_matchers"])
    return Rule(source, target, tuple(written["equal"]))


def _ms(duration: str) -> int:
    return int(parse_duration(duration) * 1000)


def _fixed(rules: Iterable[AlertRule]) -> Iterator[Labels]:
    return ({**rule.labels, "alertname": rule.alert} for rule in rules)


class Alertmanager:
    """What it would have sent while these alerts took their courses."""

    def __init__(self, inhibition: Inhibition, courses: Collection[Course]) -> None:
        self._inhibition = inhibition
        self._labels = {id(one): {**one.labels, "alertname": one.rule.alert} for one in courses}
        self._causes = [defaultdict[tuple[str, ...], list[Course]](list) for _ in inhibition.rules]
        for rule, found in zip(inhibition.rules, self._causes, strict=True):
            for one in courses:
                if rule.source.fit(self._labels[id(one)]):
                    found[rule.place(self._labels[id(one)])].append(one)

    def tells(self, group: Collection[Firing]) -> bool:
        """Whether it sends a page of alerts of one group that fire together."""
        begin, end = min(one.span.first for one in group), max(one.end for one in group)
        # What ends before the group is looked at for the first time is counted as it was in its last moment.
        looks = range(begin + self._inhibition.wait, end, self._inhibition.interval) or (end - 1,)
        return any(
            one.span.first <= at < one.end and not self._kept_back(one.course, at)
            for at in looks
            for one in group
        )

    def _kept_back(self, course: Course, at: int) -> bool:
        labels = self._labels[id(course)]
        return any(
            _fires(cause, at)
            for rule, found in zip(self._inhibition.rules, self._causes, strict=True)
            if rule.target.fit(labels)
            for cause in found.get(rule.place(labels), ())
            # What matches both sides does not keep back what does so too, itself least of all.
            if not (rule.source.fit(labels) and rule.target.fit(self._labels[id(cause)]))
        )


def _fires(course: Course, at: int) -> bool:
    return any(
        span.state == "firing" and span.first <= at < span.last + course.interval for span in course.spans
    )
