"""What `sre generate` ends with: what was written, what sees, what is blind and why, where to look next."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sre.compile.compilation import Compilation
from sre.compile.plan import AlertRule, PlannedAlert
from sre.fleet import Fleet
from sre.write import Written

_FOLDERS = {
    "prometheus": "rules: name them under rule_files",
    "alertmanager": "routes, inhibition, receivers",
    "grafana": "dashboards, and the file that provisions them",
    "runbooks": "one page per alert, with this fleet's numbers",
    "proofs": "unit tests of every alert, for promtool alone",
    "dcgm": "the GPU counters that the rules read",
}
_STATES = {
    "live": ("live", "green"),
    "needs_counter": ("needs counter", "yellow"),
    "blind": ("blind", "red"),
    "off": ("off", "dim"),
}
"""State -> (word, style), from best to worst."""
_SEVERITIES = ("page", "ticket", "info", "none")


def summarize(
    fleet: Fleet, compiled: Compilation, written: Written, output: Path, console: Console | None = None
) -> None:
    """Print it; names from the fleet file are text and never markup."""
    console = console or Console(highlight=False, soft_wrap=False)
    console.print()
    console.print(
        Text.assemble((fleet.name, "bold"), f": {_count(fleet.pools, 'pool')}; {_files(written, output)}")
    )
    console.print(_folders(compiled))
    console.print()
    console.print(_headline(compiled))
    console.print(_alerts(compiled.plan.alerts))
    console.print()
    console.print(Text("Next", "bold"))
    console.print(_next(output), soft_wrap=True)


def _count(things: Iterable[object], word: str) -> str:
    number = len(list(things))
    return f"{number} {word}{'' if number == 1 else 's'}"


def _files(written: Written, output: Path) -> str:
    parts = {"written": written.written, "unchanged": written.unchanged, "removed": written.removed}
    done = ", ".join(f"{len(paths)} {word}" for word, paths in parts.items() if paths)
    return f"{_count([*written.written, *written.unchanged], 'file')} in {output} ({done})"


def _folders(compiled: Compilation) -> Padding:
    counts = Counter(a.path.split("/")[0] for a in compiled.artefacts if "/" in a.path)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for folder, count in counts.items():
        table.add_row(f"{folder}/", Text(str(count), justify="right"), Text(_FOLDERS.get(folder, ""), "dim"))
    return Padding(table, (0, 0, 0, 2))


def _headline(compiled: Compilation) -> Text:
    states = Counter(planned.state for planned in compiled.plan.alerts)
    rules = sum(isinstance(rule, AlertRule) for group in compiled.plan.groups for rule in group.rules)
    parts = [(f"{states[state]} {word}", style) for state, (word, style) in _STATES.items() if states[state]]
    told = Text(", ").join(Text(text, style) for text, style in parts)
    return Text.assemble((_count(compiled.plan.alerts, "alert"), "bold"), f" in {rules} rules: ", told)


def _alerts(planned: Iterable[PlannedAlert]) -> Padding:
    """Live alerts by severity in a line each; the others one by one, with the reason."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    alerts = list(planned)
    for severity in _SEVERITIES:
        names = [p.alert.name for p in alerts if p.state == "live" and _worst(p) == severity]
        if names:
            table.add_row(severity, Text(", ".join(names)))
    for state in ("needs_counter", "blind", "off"):
        for alert in (p for p in alerts if p.state == state):
            word, style = _STATES[state]
            reason = Text(f"{alert.alert.name}: {'; '.join(alert.reasons)}")
            table.add_row(Text(word, style, no_wrap=True), reason)
    for line in _remarks(alerts):
        table.add_row(Text("but", "dim"), Text(line))
    return Padding(table, (0, 0, 0, 2))


def _worst(planned: PlannedAlert) -> str:
    return min((rule.severity for rule in planned.alert.rules), key=_SEVERITIES.index)


def _remarks(alerts: Iterable[PlannedAlert]) -> Iterator[str]:
    for planned in alerts:
        if planned.state == "live":
            yield from (f"{planned.alert.name} is {reason}" for reason in planned.reasons)
            if planned.counters:
                yield f"{planned.alert.name} sees more with {', '.join(planned.counters)}"


def _next(output: Path) -> Text:
    """Commands to copy: never wrapped into a column, whatever the width."""
    page = output / "runbooks" / "LLMQueueUtilizationAnomaly.md"
    steps = {
        f"promtool test rules {output}/proofs/*.test.yaml": "run the proofs yourself",
        str(page): "read what the on-call reads",
        "sre doctor FLEET --prometheus URL": "ask what sees on a live server",
    }
    return Text("\n").join(
        Text.assemble("  ", command, ("  # " + what, "dim")) for command, what in steps.items()
    )
