"""The rules that some alerts need, in an order in which each stands behind what it reads; pure.

Times are in milliseconds.
"""

import graphlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from sre.checks.backtest.expressions import reaches, split
from sre.compile.plan import AlertRule, Plan, RecordRule
from sre.findings import Finding, Refused
from sre.promql import STRING

WARM_UP = 3_600_000
"""Evaluated before the period, so that it begins with the state that a server would have had."""

# An alert or record may read what another group recorded up to an interval ago; a raw sample lives five minutes.
_SLACK = 300_000
_NAME = re.compile(rf"{STRING}|[a-zA-Z_:][\w:]*")


@dataclass(frozen=True)
class Placed:
    """A rule with its group's name and interval; ``mark`` is the variant that it belongs to, empty for the real one."""

    rule: RecordRule | AlertRule
    group: str
    interval: int
    mark: str = ""

    @property
    def name(self) -> str:
        return self.rule.record if isinstance(self.rule, RecordRule) else self.rule.alert

    @property
    def record(self) -> str | None:
        return self.rule.record if isinstance(self.rule, RecordRule) else None


@dataclass(frozen=True)
class Step:
    """One rule to evaluate from ``lead`` before the period on.

    ``expr`` is for our own server, over records and ``parts``: series that the fleet's server is asked for, by
    the name under which they are copied. Without ``expr`` the fleet's server is asked for the whole rule.
    """

    placed: Placed
    lead: int
    expr: str | None
    parts: Mapping[str, str]


def placed_rules(plan: Plan) -> tuple[Placed, ...]:
    """All rules of a plan."""
    return tuple(
        Placed(rule, group.name, group.interval * 1000) for group in plan.groups for rule in group.rules
    )


def needed(rules: Iterable[Placed], wanted: Collection[str], recorded: Collection[str]) -> tuple[Placed, ...]:
    """The rules of these alerts and records, and of all records behind them that the server does not hold."""
    rules = tuple(rules)
    makers, read = _makers(rules), {id(one): reaches(one.rule.expr) for one in rules}
    todo = [one for one in rules if one.name in wanted]
    chosen = dict[int, Placed]()
    while todo:
        one = todo.pop()
        if id(one) not in chosen:
            chosen[id(one)] = one
            todo += [m for name in read[id(one)] if name not in recorded for m in makers[name]]
    return tuple(one for one in rules if id(one) in chosen)


def varied(
    rules: Collection[Placed], threshold: str, exprs: Mapping[str, str], mark: str
) -> tuple[Placed, ...]:
    """The alerts, and the records that depend on a threshold under names of their own, with other numbers for it.

    ``exprs`` has the threshold's new expression for each pool.
    """
    changed = _dependents(rules, threshold)
    names = {name: f"{name}:{mark}" for name in changed}
    found = list[Placed]()
    for one in rules:
        rule, expr = one.rule, renamed(one.rule.expr, names)
        if isinstance(rule, AlertRule):
            found.append(replace(one, rule=replace(rule, expr=expr), mark=mark))
        elif rule.record in changed:
            expr = exprs[rule.labels.get("pool", "")] if rule.record == threshold else expr
            found.append(replace(one, rule=replace(rule, record=names[rule.record], expr=expr), mark=mark))
    return tuple(found)


def _dependents(rules: Collection[Placed], record: str) -> set[str]:
    changed, read = {record}, [(one.record, reaches(one.rule.expr).keys()) for one in rules if one.record]
    while more := {name for name, names in read if name not in changed and changed & names}:
        changed |= more
    return changed


def renamed(expr: str, names: Mapping[str, str]) -> str:
    """The expression over other series; texts stay as they are."""
    return _NAME.sub(lambda word: names.get(word[0], word[0]), expr)


def ordered(rules: Collection[Placed]) -> tuple[Step, ...]:
    """The steps. What none of the rules records is asked of the fleet's server. Raises ``Refused``."""
    rules = tuple(rules)
    local = {one.record for one in rules if one.record}
    makers = _makers(rules)
    read = [reaches(one.rule.expr) for one in rules]
    place = {id(one): index for index, one in enumerate(rules)}
    graph = {
        index: [place[id(m)] for name in read[index] for m in makers[name] if place[id(m)] != index]
        for index in range(len(rules))
    }
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        names = " -> ".join(dict.fromkeys(rules[index].name for index in error.args[1]))
        raise Refused([Finding("rules", f"these records read each other in a circle: {names}",
                               "what each was depends on what the other was before, from the first day on",
                               "let one of them read raw series")]) from None  # fmt: skip
    leads = _leads(rules, order, graph, read)
    return tuple(_step(rules[index], leads[index], local) for index in order)


def _leads(
    rules: tuple[Placed, ...], order: list[int], graph: Mapping[int, list[int]], read: list[dict[str, int]]
) -> list[int]:
    """Each rule begins as far before the period as anything that reads it looks back."""
    leads = [_warm_up(one) for one in rules]
    for index in reversed(order):
        for before in graph[index]:
            back = read[index][rules[before].name]
            leads[before] = max(leads[before], leads[index] + back + _SLACK)
    return leads


def _warm_up(one: Placed) -> int:
    rule = one.rule
    if isinstance(rule, RecordRule):
        return 0
    return max(WARM_UP, 2000 * (rule.for_ + rule.keep_firing_for))


def _step(one: Placed, lead: int, local: Collection[str]) -> Step:
    def name(part: str) -> str:
        return f"asked:{sha256(f'{one.group} {part}'.encode()).hexdigest()[:16]}"

    read = reaches(one.rule.expr)
    if read and not local & read.keys():
        return Step(one, lead, None, {})
    try:
        expr, parts = split(one.rule.expr, local, name)
    except ValueError as error:
        raise Refused([Finding(one.name, f"cannot be evaluated over history: {error}", "", "")]) from None
    return Step(one, lead, expr, parts)


def _makers(rules: Iterable[Placed]) -> defaultdict[str, list[Placed]]:
    makers = defaultdict[str, list[Placed]](list)
    for one in rules:
        if one.record:
            makers[one.record].append(one)
    return makers
