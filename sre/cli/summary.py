"""What `sre generate` ends with: what was written, what sees, what is blind and why, and where to look next."""

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre.compile.compilation import Compilation
from sre.compile.plan import AlertRule, PlannedAlert
from sre.fleet import Fleet
from sre.write import Written

_FOLDERS = {
    "prometheus": "rules; load them with rule_files",
    "alertmanager": "routes, inhibition, receivers",
    "grafana": "dashboards and their provisioning",
    "runbooks": "one page per alert, with this fleet's numbers",
    "proofs": "promtool unit tests of every alert",
    "dcgm": "the GPU counters that the rules read",
}
_STYLES = {"live": "green", "needs_counter": "yellow", "blind": "red", "off": "dim"}
_WORDS = {"live": "live", "needs_counter": "needs counter", "blind": "blind", "off": "off"}


def summarize(
    fleet: Fleet, compiled: Compilation, written: Written, output: Path, console: Console | None = None
) -> None:
    console = console or Console(highlight=False)
    console.print(
        Text.assemble(
            ("\n" + fleet.name, "bold"),
            f": {len(fleet.pools)} pool{'s' * (len(fleet.pools) != 1)}, "
            f"{len(compiled.artefacts)} files in {output} ({len(written.written)} written, "
            f"{len(written.unchanged)} unchanged, {len(written.removed)} removed)",
        )
    )
    console.print(_files(compiled))
    console.print(_alerts(compiled))
    console.print(_next(output))


def _files(compiled: Compilation) -> Table:
    counts = Counter(a.path.split("/")[0] for a in compiled.artefacts if "/" in a.path)
    table = Table(box=None, show_header=False, padding=(0, 2))
    for folder, count in counts.items():
        table.add_row(f"{folder}/", str(count), _FOLDERS.get(folder, ""))
    return table


def _alerts(compiled: Compilation) -> Table:
    planned = compiled.plan.alerts
    counts = Counter(p.state for p in planned)
    rules = sum(isinstance(rule, AlertRule) for group in compiled.plan.groups for rule in group.rules)
    title = ", ".join(f"{counts[state]} {_WORDS[state]}" for state in _WORDS if counts[state])
    table = Table(
        title=f"{len(planned)} alerts in {rules} rules: {title}",
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2),
        show_edge=False,
    )
    for column in ("alert", "severity", "state", "why"):
        table.add_column(column, no_wrap=column != "why", header_style="dim")
    for alert in sorted(planned, key=lambda p: list(_WORDS).index(p.state), reverse=True):
        table.add_row(
            alert.alert.name,
            _severities(alert),
            Text(_WORDS[alert.state], _STYLES[alert.state]),
            Text(_why(alert)),
        )
    return table


def _severities(planned: PlannedAlert) -> str:
    return "/".join(dict.fromkeys(rule.severity for rule in planned.alert.rules))


def _why(planned: PlannedAlert) -> str:
    if planned.state == "live" and planned.counters:
        return f"sees more with {', '.join(planned.counters)}"
    return "; ".join(planned.reasons)


def _next(output: Path) -> Text:
    return Text.assemble(
        ("Next\n", "bold"),
        f"  promtool test rules {output}/proofs/*.test.yaml    # run every proof yourself\n",
        f"  {output}/runbooks/LLMQueueUtilizationAnomaly.md    # what the on-call reads\n",
        "  sre doctor FLEET --prometheus URL    # what sees on the live server",
    )
