"""The compiler reads its own output: every expression reads what is recorded, every sentence can be proven."""

from collections.abc import Iterator

from sre.catalogue import references
from sre.catalogue.faults import Fault
from sre.catalogue.model import Alert, Rule
from sre.catalogue.proven import called, proving
from sre.compile import text
from sre.compile.plan import AlertRule, Plan, RecordRule
from sre.findings import Finding
from sre.promql import check, series_read
from sre.simulate.truth import tells


def proofread(plan: Plan) -> Iterator[Finding]:
    """Errors in content that only show once it is compiled for this fleet."""
    yield from _expressions(plan)
    yield from _sentences(plan)


def _expressions(plan: Plan) -> Iterator[Finding]:
    for group in plan.groups:
        for rule in group.rules:
            where, name = _where(plan, rule), rule.alert if isinstance(rule, AlertRule) else rule.record
            if objection := check(rule.expr):
                what = f"{name} compiles to PromQL that does not parse: {objection}"
                yield Finding(where, what, rule.expr[:400], "mend the expression in the catalogue")
                continue
            known = plan.series.keys() | plan.catalogue.frozen.values()
            lost = sorted(s for s in series_read(rule.expr) if references.series(s) and s not in known)
            if lost:
                what = f"{name} reads {', '.join(lost)}, which this fleet does not record"
                fix = "give it an alternative, or declare what records it"
                yield Finding(where, what, "it could never be true", fix)


def _where(plan: Plan, rule: AlertRule | RecordRule) -> str:
    if isinstance(rule, AlertRule):
        return plan.catalogue.where("alerts", rule.alert)
    origin = {to: name for name, to in plan.catalogue.baselines.items()}.get(rule.record)
    return plan.catalogue.where(*(("baselines", origin) if origin else ("records", rule.record)))


def _sentences(plan: Plan) -> Iterator[Finding]:
    for planned in plan.alerts:
        alert = planned.alert
        for index in planned.sources:
            for series in sorted(_unproven(plan, alert, alert.rules[index])):
                yield Finding(
                    plan.catalogue.where("alerts", alert.name, "rules", index),
                    f"{alert.name} tells the value of `{series}`, which no simulated pool knows",
                    "the numbers of its sentence could not be proven",
                    "leave the number out of the sentence, or write `numbers: false` in the fault, "
                    "so that only its firing is proven",
                )


def _unproven(plan: Plan, alert: Alert, rule: Rule) -> set[str]:
    """Series whose value a proof of the rule would need and nobody can give."""
    needed = set[str]()
    for fault in proving(plan.catalogue, alert, rule):
        if fault.numbers:
            needed |= {f for f in text.fields(rule.description) if ":" in f and "|" not in f}
            if "{value}" in rule.description:
                needed |= _values(plan, alert, rule, fault)
    # A rule that may fire beside another of its alert is judged by its value.
    beside = (fault for other in alert.rules for fault in proving(plan.catalogue, alert, other))
    for fault in beside:
        if any(called(word, alert, rule) for word in fault.also):
            needed |= _values(plan, alert, rule, fault)
    return {series for series in needed if not tells(series)}


def _values(plan: Plan, alert: Alert, rule: Rule, fault: Fault) -> set[str]:
    own = plan.catalogue.faults[rule.fault].value
    if formula := (fault.value if any(called(word, alert, rule) for word in fault.fires) else None) or own:
        return {name for name in formula.names if references.series(name)}
    if rule.unit == "boolean":
        return set()
    types = [each.get("error_type") for each in fault.labels.get(alert.name, ({},))]
    return {alert.shows + (f"{{{kind}}}" if kind else "") for kind in types}
