"""The counters that this rule set reads, as lines of the GPU exporter's own list: those to switch on first."""

from collections.abc import Iterator

from sre.catalogue import references
from sre.catalogue.bindings import MetricSource
from sre.compile.plan import Plan, RecordRule
from sre.promql import series_read
from sre.write import Artefact

_HEADER = """\
# Counters that the compiled rules read, for dcgm-exporter (-f, or the chart's customMetrics).
# DCGM FIELD, Prometheus metric type, help message
"""


def render(plan: Plan) -> Iterator[Artefact]:
    """Nothing where the fleet declares no GPU exporter."""
    if plan.fleet.gpu_exporter:
        yield Artefact("dcgm/counters.csv", counters(plan))


def counters(plan: Plan) -> str:
    """The whole file. A line that is off and nobody waits for has a default-on stand-in, and stays a comment."""
    wanted = {counter for planned in plan.alerts for counter in planned.counters}
    read = {source.metric: source for source in _read(plan)}.values()
    on = [s for s in read if plan.coverage.switched_on(s)]
    off = [s for s in read if s not in on and s.metric in wanted]
    rest = [s for s in read if s not in on and s not in off]
    return "\n".join(
        [
            _HEADER.rstrip(),
            "",
            "# Off in the list in use: add these.",
            *map(line, off),
            "",
            "# On in the list in use: keep these.",
            *map(line, on),
            "",
            "# Optional: sharper than what stands in for them.",
            *(f"# {line(s)}" for s in rest),
            "",
        ]
    )


def line(source: MetricSource) -> str:
    """One line of a counters file."""
    return f"{source.metric}, {source.csv}"


def _read(plan: Plan) -> Iterator[MetricSource]:
    assert plan.fleet.gpu_exporter
    read = {
        name
        for group in plan.groups
        for rule in group.rules
        if isinstance(rule, RecordRule)
        for name in series_read(rule.expr)
        if not references.series(name)
    }
    for sources in plan.catalogue.gpus[plan.fleet.gpu_exporter.kind].signals.values():
        yield from (s for s in sources if s.csv and s.metric in read)
