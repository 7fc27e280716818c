"""What a viewer chose, put into an expression: each recorded series is narrowed by the variables whose label it has."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import promql_parser

from sre.catalogue.dashboard_model import OUTSIDE, Dashboard, plain
from sre.compile.identity import Identity
from sre.compile.plan import Plan
from sre.promql import MATCHERS, STRING, series_read

_TOKEN = re.compile(
    rf"(?P<text>{STRING})"
    r"|(?P<name>\b(?:[a-z_]+:[a-z0-9_]+:[a-z0-9_]+|(?:ALERTS(?:_FOR_STATE)?|up|scrape_\w+|prometheus_\w+)\b))"
    rf"(?P<matchers>{MATCHERS})?"
)
_MATCHED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")

_EXTRA = {
    "pool_le": ("le",), "pool_type": ("error_type",), "pool_status": ("status",), "pool_reason": ("reason",),
    "pool_signal": ("signal",), "gpu_xid": ("xid",),
}  # fmt: skip
_INFO = {
    "pool:fleet:info": ("team", "model", "engine", "version", "gpu_type", "interactive", "elastic"),
    "model:fleet:info": ("model", "team", "pool"),
}
_TELLING = ("error_type", "status", "reason", "signal", "xid", "le", "severity", "alertname", "rule_group")


@dataclass(frozen=True)
class Scope:
    """One dashboard's variables in one fleet."""

    plan: Plan
    dashboard: Dashboard

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that have something to offer: what their series is made from is recorded in this fleet."""
        return tuple(n for n, v in self.dashboard.variables.items() if v.values in self.plan.series)

    def label(self, variable: str) -> str:
        """The label behind a variable: `replica` is the pod or the instance."""
        return self.plan.identity.replica_label if variable == "replica" else variable

    def seen(self, expr: str) -> bool:
        """Whether everything that an expression reads exists in this fleet."""
        return all(n in self.plan.series or OUTSIDE.fullmatch(n) for n in series_read(plain(self.fill(expr))))

    def fill(self, expr: str) -> str:
        """The expression with the name of the replica's label in it."""
        return expr.replace("$replica_label", self.plan.identity.replica_label)

    def narrow(self, expr: str) -> str:
        """PromQL that keeps to the viewer's choice. A label that is already matched stays as it was written."""
        return _TOKEN.sub(self._narrowed, self.fill(expr))

    def _narrowed(self, token: re.Match[str]) -> str:
        if token["text"]:
            return token[0]
        written = (token["matchers"] or "{}")[1:-1].strip()
        matchers = [written] if written else []
        matchers += self._matchers(token["name"], frozenset(_MATCHED.findall(written)))
        return token["name"] + (f"{{{', '.join(matchers)}}}" if matchers else "")

    def _matchers(self, name: str, written: frozenset[str]) -> Iterator[str]:
        labels = self.labels(name)
        for variable in self.variables:
            label = self._spelled(name, variable)
            if label in labels and label not in written:
                # An alert of a pool has no pod: what is above the choice concerns it, too.
                yield f'{label}=~"${variable}|"' if name.startswith("ALERTS") else f'{label}=~"${variable}"'

    def _spelled(self, name: str, variable: str) -> str:
        if variable == "pool" and (name == "up" or name.startswith("scrape_")):
            return self.plan.fleet.pool_label
        return self.label(variable)

    def labels(self, name: str) -> frozenset[str]:
        """The labels of a series."""
        me, level = self.plan.identity, name.split(":", maxsplit=1)[0]
        if name in _INFO:
            return frozenset(("pool" if level == "pool" else "model", *_INFO[name]))
        if name.startswith("ALERTS"):
            return frozenset(("alertname", "severity", "team", *(self.label(v) for v in self.variables)))
        if name.startswith("prometheus_"):
            return frozenset(("rule_group",))
        if OUTSIDE.fullmatch(name):
            return frozenset((self.plan.fleet.pool_label, "instance"))
        record = self.plan.series.get(name)
        by = record.by if record else ()
        return frozenset((*_level(me, level), *_EXTRA.get(level, ()), *by))

    def result(self, expr: str) -> frozenset[str]:
        """The labels that an expression's answer has."""
        return _result(promql_parser.parse(plain(self.fill(expr))), self.labels)

    def legend(self, expr: str, name: str) -> str:
        """What a line is called: the most specific thing it belongs to, what tells it apart, the query's word."""
        labels = self.result(expr)
        whose = _whose(self.plan.identity, labels)
        told = (f"XID {{{{{t}}}}}" if t == "xid" else f"{{{{{t}}}}}" for t in _TELLING if t in labels)
        return " ".join(filter(None, (whose, *told, name)))

    def level(self, expr: str) -> str:
        """The level that an answer belongs to, or nothing: `gpu`, `replica`, `host`, `pool`, `model`."""
        return level_of(self.plan.identity, self.result(expr))


def level_of(identity: Identity, labels: Iterable[str]) -> str:
    """The most specific thing that a set of labels names."""
    has = frozenset(labels)
    order: Mapping[str, str] = {
        "gpu": "uuid", "replica": identity.replica_label, "host": "host", "pool": "pool", "model": "model",
    }  # fmt: skip
    return next((level for level, label in order.items() if label in has), "")


def _level(identity: Identity, level: str) -> tuple[str, ...]:
    match level.split("_", maxsplit=1)[0]:
        case "replica":
            return identity.replica
        case "gpu":
            return ("uuid", "mig", *identity.card)
        case "host" | "model" | "pool" as own:
            return (own,)
    return ()


def _whose(identity: Identity, labels: frozenset[str]) -> str:
    level = level_of(identity, labels)
    if level == "gpu":
        # A slice has a number of its own; what a card has not is left empty.
        return "{{host}} GPU {{gpu}} {{mig}}" if "gpu" in labels else "{{uuid}}"
    return {"replica": f"{{{{{identity.replica_label}}}}}", "": ""}.get(level, f"{{{{{level}}}}}")


def _result(node: object, labels: Callable[[str], frozenset[str]]) -> frozenset[str]:
    match node:
        case promql_parser.VectorSelector():
            return labels(node.name or "")
        case promql_parser.MatrixSelector():
            return labels(node.vector_selector.name or "")
        case promql_parser.AggregateExpr():
            return _aggregated(node, labels)
        case promql_parser.BinaryExpr():
            return _joined(node, labels)
        case promql_parser.Call():
            return _called(node, labels)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return _result(node.expr, labels)
    return frozenset()


def _aggregated(node: promql_parser.AggregateExpr, labels: Callable[[str], frozenset[str]]) -> frozenset[str]:
    inner = _result(node.expr, labels)
    if node.modifier is None:
        # topk and its like keep the labels of what they choose; they are the ones with a number in front.
        return inner if isinstance(node.param, promql_parser.NumberLiteral) else frozenset()
    named = frozenset(node.modifier.labels)
    return named if node.modifier.type == promql_parser.AggModifierType.By else inner - named


def _joined(node: promql_parser.BinaryExpr, labels: Callable[[str], frozenset[str]]) -> frozenset[str]:
    left, right, how = _result(node.lhs, labels), _result(node.rhs, labels), node.modifier
    if isinstance(node.lhs, promql_parser.NumberLiteral):
        return right
    if how is None or isinstance(node.rhs, promql_parser.NumberLiteral):
        return left
    if how.card == promql_parser.VectorMatchCardinality.ManyToOne:
        return left | frozenset(how.group_labels or ())
    if how.card == promql_parser.VectorMatchCardinality.OneToMany:
        return right | frozenset(how.group_labels or ())
    if how.card == promql_parser.VectorMatchCardinality.OneToOne and how.matching:
        named = frozenset(how.matching.labels)
        return named if how.matching.type == promql_parser.LabelModifierType.Include else left - named
    return left


def _called(node: promql_parser.Call, labels: Callable[[str], frozenset[str]]) -> frozenset[str]:
    found = [_result(argument, labels) for argument in node.args]
    vector = next((f for f in found if f), frozenset[str]())
    if len(node.args) == 5:
        # label_replace is the one with five: its second argument is a label that the answer has.
        return vector | {node.args[1].val}
    return vector
