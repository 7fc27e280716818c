"""What the on-call gets, as they get it: the page, what it kept quiet, and the runbook's first lines."""

from pathlib import Path
from shlex import quote

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sre.cli.program import started_as
from sre.cli.report import plain
from sre.compile.counted import count
from sre.lab.demonstration import Told
from sre.lab.pages import HOST
from sre.lab.sight import QUEUE

_LINKS = {"dashboard_url": "dashboard", "runbook_url": "runbook"}
_NAMED = ("alertname", "severity")
"""Labels that the head of a page says."""


def show(told: Told, runbook: Path, console: Console | None = None) -> None:
    """To standard output; what labels and annotations say is text and never markup."""
    console = console or Console(highlight=False)
    after = count(round(told.minute), "minute")
    head = f"{told.labels['severity'].upper()} to {told.receiver}, {after} after the fault"
    page = Padding(_page(told), (0, 1))
    console.print()
    if console.is_terminal:
        console.print(
            Panel(page, title=Text(plain(head), "bold red"), title_align="left", border_style="red")
        )
    else:
        console.print(Text(plain(head)), page, sep="\n", soft_wrap=True)
    for what, names in (("Kept quiet by it: ", told.inhibited), ("Paged as well: ", told.paged)):
        if names:
            console.print(Text.assemble((what, "bold"), ", ".join(map(plain, names))), soft_wrap=True)
    console.print()
    console.print(Text.assemble(("Runbook ", "bold"), plain(str(runbook))), soft_wrap=True)
    console.print(_first_lines(runbook))


def _page(told: Told) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    table.add_row("alert", Text(plain(told.labels["alertname"]), "bold"))
    table.add_row("summary", Text(plain(told.annotations.get("summary", ""))))
    table.add_row("description", Text(plain(told.annotations.get("description", ""))))
    labels = (f"{name}={value}" for name, value in told.labels.items() if name not in _NAMED)
    table.add_row("labels", Text(plain("  ".join(labels))))
    for key, name in _LINKS.items():
        if key in told.annotations:
            table.add_row(name, Text(plain(told.annotations[key])))
    return table


def _first_lines(runbook: Path) -> Text:
    """What the alert means, from its file; where that is not there, who writes it."""
    try:
        text = runbook.read_text(encoding="utf-8")
    except OSError:
        return Text("is not there: `sre generate` writes it.", "yellow")
    meaning = text.partition("## Meaning\n")[2].partition("\n\n")[0]
    return Text(plain(" ".join(meaning.split())), "dim")


def show_where(fleet: Path, ports: tuple[int, int, int], console: Console | None = None) -> None:
    """How to keep it running, and the addresses where to look then."""
    console = console or Console(highlight=False)
    program, (served, prometheus, alertmanager) = started_as(), ports
    console.print()
    console.print(
        Text("All of it is stopped and removed. Keep one running, break it yourself, and look:", "bold")
    )
    steps = {
        f"{program} lab up {quote(str(fleet))}": "",
        f"{program} lab break cache_limit": "a fault of rules/faults.yaml; `lab mend` heals it",
        graph(f"http://{HOST}:{prometheus}"): "the queues",
        f"http://{HOST}:{alertmanager}/#/alerts": "who is told",
        f"http://{HOST}:{served}/": "every page that is scraped",
    }
    for step, what in steps.items():
        console.print(
            Text.assemble("  ", plain(step), ("  # " + what if what else "", "dim")), soft_wrap=True
        )


def graph(url: str) -> str:
    """The address at which Prometheus draws the queues of all pools, of the last minutes."""
    return f"{url}/graph?g0.expr={QUEUE}&g0.tab=0&g0.range_input=5m"
