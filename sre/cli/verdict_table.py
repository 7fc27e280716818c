"""What `sre prove` shows: a line for each rule and fault, then what fired where all had to be silent."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre.cli.report import plain
from sre.compile.counted import count
from sre.lab.verdicts import Proof, Verdict
from sre.units import format_duration

_NEVER = "never"


def show(proof: Proof, console: Console | None = None) -> None:
    """To standard output; names from the catalogue and the fleet are text and never markup."""
    console = console or Console(highlight=False)
    if proof.verdicts:
        console.print(_table(proof))
    console.print(_silent(proof), soft_wrap=True)
    for silence in proof.silences:
        if not silence.ok:
            story = f"  {plain(silence.story)} ({plain(silence.pool)}): "
            console.print(
                Text.assemble(story, (", ".join(silence.wrong_alerts) + " fired", "red")), soft_wrap=True
            )
    console.print(_headline(proof), soft_wrap=True)


def _table(proof: Proof) -> Table:
    live = any(verdict.notifications is not None for verdict in proof.verdicts)
    pools = len({verdict.labels.get("pool") for verdict in proof.verdicts}) > 1
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("alert", overflow="fold")
    table.add_column("fault", overflow="fold")
    table.add_column("fired in", justify="right", no_wrap=True)
    table.add_column("promised", justify="right", no_wrap=True)
    table.add_column("resolved in", justify="right", no_wrap=True)
    if live:
        table.add_column("told", justify="right", no_wrap=True)
    table.add_column("wrong alerts", overflow="fold")
    for verdict in proof.verdicts:
        cells = [_name(verdict, pools), Text(plain(verdict.fault)), _fired(verdict)]
        cells += [Text(format_duration(verdict.within)), _resolved(verdict)]
        cells += [Text(str(verdict.notifications))] if live else []
        table.add_row(*cells, Text(", ".join(verdict.wrong_alerts), "red"))
    return table


def _name(verdict: Verdict, pools: bool) -> Text:
    labels = [value for name, value in verdict.labels.items() if pools or name != "pool"]
    return Text.assemble(
        (verdict.alert, "" if verdict.ok else "bold red"), (f" {plain(' '.join(labels))}", "dim")
    )


def _fired(verdict: Verdict) -> Text:
    if verdict.seconds_to_fire is None:
        return Text(_NEVER, "red")
    late = verdict.seconds_to_fire > verdict.within
    return Text(format_duration(verdict.seconds_to_fire), "red" if late else "green")


def _resolved(verdict: Verdict) -> Text:
    if verdict.seconds_to_resolve is None:
        return Text(_NEVER, "red") if verdict.healed else Text("not mended", "dim")
    return Text(
        format_duration(verdict.seconds_to_resolve) if verdict.seconds_to_resolve else "before", "green"
    )


def _silent(proof: Proof) -> Text:
    wrong = sum(not silence.ok for silence in proof.silences)
    said = f"{count(len(proof.silences), 'silent story', 'silent stories')}: "
    return Text(said).append(f"{wrong} fired" if wrong else "none fired", "red" if wrong else "green")


def _headline(proof: Proof) -> Text:
    gaps = sum(not verdict.ok for verdict in proof.verdicts)
    said = f"{count(len(proof.verdicts), 'rule')} proven on a fault: "
    return Text(said, "bold").append(
        f"{count(gaps, 'gap')}" if gaps else "no gap", "bold red" if gaps else "bold green"
    )


def rows(proof: Proof) -> Iterator[dict[str, Any]]:
    """The verdicts as the JSON file has them: the keys of the contract first."""
    fired_in = defaultdict[str, list[str]](list)
    for silence in proof.silences:
        for alert in silence.wrong_alerts:
            fired_in[alert].append(silence.story)
    for verdict in proof.verdicts:
        yield {
            "alert": verdict.alert,
            "fault": verdict.fault,
            "fired": verdict.seconds_to_fire is not None,
            "seconds_to_fire": verdict.seconds_to_fire,
            "seconds_to_resolve": verdict.seconds_to_resolve,
            "wrong_alerts": list(verdict.wrong_alerts),
            "labels": verdict.labels,
            "within": verdict.within,
            "healed": verdict.healed,
            "notifications": verdict.notifications,
            "fired_in_silence": fired_in[verdict.alert],
            "ok": verdict.ok and not fired_in[verdict.alert],
        }
