"""The plan as Prometheus rule files."""

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from sre.compile.plan import AlertRule, Group, Plan, RecordRule
from sre.units import format_duration
from sre.write import Artefact

HEADER = "# Written by `sre generate`; edit the fleet file or a catalogue of your own instead.\n"


class _Dumper(yaml.CSafeDumper):
    """Block style, no aliases, keys in the order given: the same plan gives the same bytes."""

    def represent_data(self, data: object) -> yaml.Node:
        """As PyYAML does it, without asking of each of many thousand texts whether it has been seen before."""
        if type(data) is str:
            return yaml.ScalarNode("tag:yaml.org,2002:str", data)
        if isinstance(data, dict):
            pairs = [(self.represent_data(key), self.represent_data(value)) for key, value in data.items()]
            return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)
        if isinstance(data, list | tuple):
            items = list(map(self.represent_data, data))
            return yaml.SequenceNode("tag:yaml.org,2002:seq", items, flow_style=False)
        node: yaml.Node = super().represent_data(data)
        return node


def dump(data: object) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def render(plan: Plan, folder: str = "prometheus") -> Iterator[Artefact]:
    """One file per group."""
    for group in plan.groups:
        yield Artefact(f"{folder}/{group.file}.rules.yaml", HEADER + dump({"groups": [group_data(group)]}))


def group_data(group: Group) -> dict[str, Any]:
    """A group as Prometheus reads it, only with fields that 2.42 knows."""
    return {"name": group.name, "interval": format_duration(group.interval), "rules": _rules(group.rules)}


def _rules(rules: Iterable[RecordRule | AlertRule]) -> list[dict[str, Any]]:
    return [_record(rule) if isinstance(rule, RecordRule) else _alert(rule) for rule in rules]


def _record(rule: RecordRule) -> dict[str, Any]:
    return {"record": rule.record, "expr": rule.expr, **({"labels": rule.labels} if rule.labels else {})}


def _alert(rule: AlertRule) -> dict[str, Any]:
    times = {"for": rule.for_, "keep_firing_for": rule.keep_firing_for}
    return {
        "alert": rule.alert,
        "expr": rule.expr,
        **{key: format_duration(seconds) for key, seconds in times.items() if seconds},
        "labels": rule.labels,
        "annotations": rule.annotations,
    }
