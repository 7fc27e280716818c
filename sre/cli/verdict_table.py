"""What `sre prove` shows: a line for each rule and fault, then what fired where all had to be silent."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre.cli.report import plain
from sre.compile.counted import count
from sre.lab.verdicts import Proof, Verdict
from sre.units import format_duration

_NEVER = "never"
_NUMBERS = ("fired in", "promised", "resolved in", "told")


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
    """Columns that would be empty, or the same in every line, are left out."""
    several = len({verdict.labels.get("pool") for verdict in proof.verdicts}) > 1
    live = any(verdict.notifications is not None for verdict in proof.verdicts)
    wrong = any(verdict.wrong_alerts for verdict in proof.verdicts)
    columns: dict[str, Callable[[Verdict], Text]] = {
        "alert": lambda v: Text(v.alert, "" if v.ok else "bold red"),
        "rule": lambda v: Text(plain(" ".join(x for n, x in v.labels.items() if n != "pool")), "dim"),
        **({"pool": lambda v: Text(plain(v.labels.get("pool", "")))} if several else {}),
        "fault": lambda v: Text(plain(v.fault)),
        "fired in": _fired,
        "promised": lambda v: Text(format_duration(v.within)),
        "resolved in": _resolved,
        **({"told": lambda v: Text(str(v.notifications))} if live else {}),
        **({"wrong alerts": lambda v: Text(", ".join(v.wrong_alerts), "red")} if wrong else {}),
    }
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        number = name in _NUMBERS
        table.add_column(
            name,
            justify="right" if number else "left",
            no_wrap=number or name in ("alert", "fault"),
            overflow="fold",
        )
    for verdict in proof.verdicts:
        table.add_row(*(cell(verdict) for cell in columns.values()))
    return table


def _fired(verdict: Verdict) -> Text:
    if verdict.seconds_to_fire is None:
        return Text(_NEVER, "red")
    late = verdict.seconds_to_fire > verdict.within
    return Text(format_duration(verdict.seconds_to_fire), "red" if late else "green")


def _resolved(verdict: Verdict) -> Text:
    if verdict.seconds_to_resolve is None:
        return Text(_NEVER, "red") if verdict.healed else Text("not mended", "dim")
    return Text(
        format_duration(verdict.seconds_to_resolve) if verdict.seconds_to_resolve else "by itself", "green"
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
