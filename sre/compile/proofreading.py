"""The compiler reads its own output: every expression parses, and reads only series that are recorded or raw."""

from collections.abc import Iterator

from sre.catalogue import references
from sre.compile.plan import AlertRule, Plan
from sre.findings import Finding
from sre.promql import check, series_read


def proofread(plan: Plan) -> Iterator[Finding]:
    """Errors in content that only show once it is compiled for this fleet."""
    for group in plan.groups:
        for rule in group.rules:
            name = rule.alert if isinstance(rule, AlertRule) else rule.record
            objection = check(rule.expr)
            if objection:
                yield Finding(
                    name,
                    f"compiles to PromQL that does not parse: {objection}",
                    rule.expr[:400],
                    "mend the expression in the catalogue",
                )
                continue
            lost = sorted(s for s in series_read(rule.expr) if references.series(s) and s not in plan.series)
            if lost:
                yield Finding(
                    name,
                    f"reads {', '.join(lost)}, which this fleet does not record",
                    "it could never be true",
                    "give it an alternative, or declare what records it",
                )
