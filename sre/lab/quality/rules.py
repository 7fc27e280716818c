"""The compiled rules as far as their alerts need them, and what of them is given to promtool as it is.

Records that only pictures and sentences read are left out, thresholds are given as the series that they are, and
so are the baselines, which hold last week. What remains is evaluated, but for the alerts about the alerts themselves:
they ask whether a series is there, and chance has no part in that.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre.compile.plan import AlertRule, Group, Plan, RecordRule
from sre.compile.prometheus import dump, group_data
from sre.lab.quality.record import constant
from sre.promql import series_read
from sre.units import format_duration

_CONSTANT = re.compile(r"vector\((-?[0-9.e+-]+)\)")
_ORDER = ("llm-fleet", "llm-engine", "llm-latency", "llm-gpu", "llm-state", "llm-seldom")
_TEXT = {"summary": "-"}


@dataclass(frozen=True)
class Judged:
    """``groups`` is a rule file; ``given`` are input series; ``read`` every metric that a rule reads."""

    groups: str
    order: tuple[str, ...]
    given: tuple[str, ...]
    read: frozenset[str]


def judged(plan: Plan) -> Judged:
    """The rules of one fleet."""
    kept, given = list[Group](), list[str]()
    needed = _needed(plan)
    for name in _ORDER:
        for group in plan.groups:
            if group.name == name:
                rules = tuple(rule for rule in group.rules if _wanted(rule, needed))
                given += [line for rule in rules for line in _given(rule)]
                left = tuple(_bare(rule) for rule in rules if not list(_given(rule)))
                kept.append(Group(name, group.file, group.interval, left))
    read = {name for group in kept for rule in group.rules for name in series_read(rule.expr)}
    return Judged(
        dump({"groups": [group_data(group) for group in kept]}),
        tuple(group.name for group in kept),
        tuple(given),
        frozenset(read),
    )


def _needed(plan: Plan) -> frozenset[str]:
    """Names of all that an alert reads, and of all that this reads."""
    rules = [rule for group in plan.groups if group.name in _ORDER for rule in group.rules]
    records: dict[str, list[str]] = {}
    for rule in rules:
        if isinstance(rule, RecordRule):
            records.setdefault(rule.record, []).append(rule.expr)
    found, todo = set[str](), [rule.expr for rule in rules if isinstance(rule, AlertRule)]
    while todo:
        new = series_read(todo.pop()) - found
        found |= new
        todo += [expr for name in new for expr in records.get(name, ())]
    return frozenset(found)


def _wanted(rule: RecordRule | AlertRule, needed: frozenset[str]) -> bool:
    return isinstance(rule, AlertRule) or rule.record in needed


def _given(rule: RecordRule | AlertRule) -> Iterator[str]:
    if isinstance(rule, RecordRule) and (found := _CONSTANT.fullmatch(rule.expr)):
        yield constant(rule.record, rule.labels, found[1])


def _bare(rule: RecordRule | AlertRule) -> RecordRule | AlertRule:
    """An alert without its sentences: they are proven elsewhere."""
    if isinstance(rule, RecordRule):
        return rule
    return AlertRule(rule.alert, rule.expr, rule.for_, rule.keep_firing_for, rule.labels, _TEXT)


def head(found: Judged, rules: str, interval: int) -> str:
    """How a test file over these rules begins."""
    data = {
        "rule_files": [rules],
        "evaluation_interval": format_duration(interval),
        "group_eval_order": list(found.order),
    }
    return dump(data)
