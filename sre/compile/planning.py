"""Fleet and catalogue into a plan: what is recorded, what is alerted, in which groups, and what stays blind."""

from collections.abc import Iterator
from contextlib import suppress

from sre.catalogue import references
from sre.catalogue.model import Catalogue, Record
from sre.compile.alerts import Planner
from sre.compile.coverage import Coverage
from sre.compile.missing import missing_rules
from sre.compile.pace import SELDOM, group_pace
from sre.compile.plan import AlertRule, Group, Plan, PlannedAlert, RecordRule
from sre.compile.records import Recorder, fleet_rules
from sre.fleet import Fleet
from sre.promql import series_read

_STATIC_UNITS = {"info": "info", "seconds": "seconds", "state": "boolean"}


def make_plan(fleet: Fleet, catalogue: Catalogue, listed: frozenset[str] | None = None) -> Plan:
    """Decide everything. ``listed``: metrics of the fleet's own counters file, where it names one."""
    coverage = Coverage(fleet, catalogue, listed)
    recorder, planner = Recorder(fleet, catalogue, coverage), Planner(fleet, catalogue, coverage)
    alerts = tuple(planner.plan(alert) for alert in catalogue.alerts.values())
    records, baselines = recorder.rules(), recorder.baselines()
    missing = tuple(
        missing_rules(
            fleet,
            catalogue,
            coverage,
            alerts,
            recorder.engines,
            recorder.placed_cards,
            recorder.identity.place,
        )
    )
    groups = tuple(_groups(fleet, catalogue, records, baselines, missing, alerts))
    names = {rule.record for group in groups for rule in group.rules if isinstance(rule, RecordRule)}
    return Plan(
        fleet,
        catalogue,
        recorder.identity,
        groups,
        alerts,
        {name: _described(catalogue, name) for name in sorted(names)},
        coverage,
    )


def _groups(
    fleet: Fleet,
    catalogue: Catalogue,
    records: dict[str, tuple[RecordRule, ...]],
    baselines: dict[str, RecordRule],
    missing: tuple[RecordRule, ...],
    alerts: tuple[PlannedAlert, ...],
) -> Iterator[Group]:
    interval = int(fleet.evaluation_interval)
    body = [
        group
        for name in ("engine", "latency", "gpu", "state", "usage", "meta")
        if (group := _group(catalogue, name, group_pace(name, interval), records, alerts)).rules
    ]
    recorded = [rule for name, rules in records.items() if catalogue.records[name].seldom for rule in rules]
    for name, rules in (("llm-seldom", (*recorded, *missing)), ("llm-baseline", tuple(baselines.values()))):
        if rules:
            body.append(Group(name, name, max(interval, SELDOM), rules))
    wanted = frozenset(name for group in body for name in _read(group))
    yield Group("llm-fleet", "llm-fleet", interval, tuple(fleet_rules(fleet, catalogue, wanted)))
    yield from body


def _read(group: Group) -> Iterator[str]:
    """What a group reads; a rule that does not parse reads nothing, and is told when the plan is proofread."""
    for rule in group.rules:
        with suppress(ValueError):
            yield from series_read(rule.expr)


def _group(
    catalogue: Catalogue,
    name: str,
    interval: int,
    records: dict[str, tuple[RecordRule, ...]],
    alerts: tuple[PlannedAlert, ...],
) -> Group:
    recorded = [
        rule
        for record, rules in records.items()
        if catalogue.records[record].group == name and not catalogue.records[record].seldom
        for rule in rules
    ]
    alerting: list[AlertRule] = [
        rule for planned in alerts if planned.alert.group == name for rule in planned.rules
    ]
    return Group(f"llm-{name}", f"llm-{name}", interval, (*recorded, *alerting))


def _described(catalogue: Catalogue, name: str) -> Record:
    """What is known of an emitted series; static ones and baselines take their unit from what they stand for."""
    if name in catalogue.records:
        return catalogue.records[name]
    origin = {to: origin for origin, to in catalogue.baselines.items()}.get(name)
    if origin:
        return catalogue.records[origin].model_copy(update={"name": name})
    threshold = catalogue.thresholds.get(name.split(":")[1]) if references.static(name) else None
    unit = threshold.unit if threshold else _STATIC_UNITS.get(name.rsplit(":", maxsplit=1)[-1], "")
    return Record(name=name, unit=unit, branches=(), join="or")
