"""What `sre generate` ends with: what was written, what sees, what is blind and why, where to look next."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sre.cli.program import started_as
from sre.cli.report import plain
from sre.compile.compilation import Compilation, Target
from sre.compile.counted import count
from sre.compile.partial import remarks
from sre.compile.plan import AlertRule, Plan, PlannedAlert
from sre.write import Written

_FOLDERS = {
    "prometheus": "rules: name them under rule_files",
    "alertmanager": "routes, inhibition, receivers",
    "grafana": "dashboards, and the file that provisions them",
    "runbooks": "one page per alert, with this fleet's numbers",
    "proofs": "unit tests of every alert, for promtool alone",
    "dcgm": "the GPU counters that the rules read",
}
_OBJECTS = {"prometheus": "PrometheusRule objects: apply them, or commit them where they are applied from"}
_STATES = {
    "live": ("live", "green"),
    "needs_counter": ("needs counter", "yellow"),
    "blind": ("blind", "red"),
    "off": ("off", "dim"),
}
"""State -> (word, style), from best to worst."""
_SEVERITIES = ("page", "ticket", "info", "none")
_STUBS = (
    "Nobody is notified yet: the receivers are stubs. Name a file of yours as `receivers` in the fleet file."
)


@dataclass(frozen=True)
class Run:
    """What was asked for: the fleet file and the output folder as they were named, and the target."""

    file: Path
    output: Path
    target: Target
    stubs: bool
    """Whether the fleet file names no receivers."""


def summarize(run: Run, compiled: Compilation, written: Written, console: Console | None = None) -> None:
    """Print it; names from the fleet file are text and never markup."""
    console, fleet = console or Console(highlight=False, soft_wrap=False), compiled.plan.fleet
    console.print()
    files = _files(written, run.output)
    console.print(Text.assemble((plain(fleet.name), "bold"), f": {count(len(fleet.pools), 'pool')}; {files}"))
    console.print(_folders(compiled, run.target))
    if run.stubs:
        console.print(Padding(Text(_STUBS, "yellow"), (0, 0, 0, 2)))
    console.print()
    console.print(_headline(compiled))
    console.print(_alerts(compiled.plan))
    console.print()
    console.print(Text("Next", "bold"))
    console.print(_next(run), soft_wrap=True)


def _files(written: Written, output: Path) -> str:
    parts = {"written": written.written, "unchanged": written.unchanged, "removed": written.removed}
    done = ", ".join(f"{len(paths)} {word}" for word, paths in parts.items() if paths)
    files = count(len(written.written) + len(written.unchanged), "file")
    return f"{files} in {plain(str(output))} ({done})"


def _folders(compiled: Compilation, target: Target) -> Padding:
    told = _FOLDERS | (_OBJECTS if target == "operator" else {})
    counts = Counter(a.path.split("/")[0] for a in compiled.artefacts if "/" in a.path)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for folder, number in counts.items():
        table.add_row(f"{folder}/", Text(str(number), justify="right"), Text(told.get(folder, ""), "dim"))
    return Padding(table, (0, 0, 0, 2))


def _headline(compiled: Compilation) -> Text:
    states = Counter(planned.state for planned in compiled.plan.alerts)
    rules = sum(isinstance(rule, AlertRule) for group in compiled.plan.groups for rule in group.rules)
    parts = [(f"{states[state]} {word}", style) for state, (word, style) in _STATES.items() if states[state]]
    told = Text(", ").join(Text(text, style) for text, style in parts)
    alerts = count(len(compiled.plan.alerts), "alert")
    return Text.assemble((alerts, "bold"), f" in {count(rules, 'rule')}: ", told)


def _alerts(plan: Plan) -> Padding:
    """Live alerts by severity in a line each; the others one by one, with the reason."""
    table, alerts = Table(box=None, show_header=False, padding=(0, 2, 0, 0)), plan.alerts
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for severity in _SEVERITIES:
        names = [p.alert.name for p in alerts if p.state == "live" and _worst(p) == severity]
        if names:
            table.add_row(severity, Text(", ".join(names)))
    for state in ("needs_counter", "blind", "off"):
        for alert in (p for p in alerts if p.state == state):
            word, style = _STATES[state]
            reason = Text(f"{alert.alert.name}: {'; '.join(alert.reasons)}")
            table.add_row(Text(word, style), reason)
    for line in _remarks(plan):
        table.add_row(Text("but", "dim"), Text(line))
    return Padding(table, (0, 0, 0, 2))


def _worst(planned: PlannedAlert) -> str:
    return min((rule.severity for rule in planned.alert.rules), key=_SEVERITIES.index)


def _remarks(plan: Plan) -> Iterator[str]:
    for planned in plan.alerts:
        if planned.state == "live":
            yield from (f"{planned.alert.name} is {remark}" for remark in remarks(plan, planned))
            if planned.counters:
                yield f"{planned.alert.name} sees more with {', '.join(planned.counters)}"


def _next(run: Run) -> Text:
    """Commands to copy: never wrapped into a column, whatever the width."""
    output, fleet = quote(str(run.output)), quote(str(run.file))
    steps = {
        f"promtool test rules {output}/proofs/*.test.yaml": "run the proofs yourself",
        f"{output}/runbooks/LLMQueueUtilizationAnomaly.md": "read what the on-call reads",
        f"{started_as()} doctor {fleet} --prometheus URL": "ask what sees on a live server",
    }
    return Text("\n").join(
        Text.assemble("  ", plain(command), ("  # " + what, "dim")) for command, what in steps.items()
    )
