"""What `sre idle` shows at a terminal: the headline, where it lies, whose it is, what to do."""

import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre.cli.report import plain
from sre.idle import spoken
from sre.idle.report import Account
from sre.idle.states import SPELLED, STATES, hours, idle_hours
from sre.idle.told import Told

_COLOURS = {
    "busy": "green",
    "underused": "yellow",
    "loaded_idle": "red",
    "empty_idle": "magenta",
    "unallocated": "blue",
    "unknown": "white",
    "excluded": "dim",
}
_BAR, _WIDE = 40, 130
"""Columns of the longest bar; and of a file or pipe, where nobody wants a name cut."""


def show(told: Told, url: str, console: Console | None = None) -> None:
    """To standard output."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    report = told.report
    console.print(
        Text(f"{plain(report.fleet.name)}, {spoken.period(report)}, from {plain(url)}", "bold"),
        soft_wrap=True,
    )
    console.print(Text(spoken.headline(report), "bold"), soft_wrap=True)
    for line in spoken.lines(told):
        console.print(Text(plain(line)), soft_wrap=True)
    console.print(_states(report.total))
    for kind, accounts in (("pool", report.pools), ("owner", report.owners), ("type", report.types)):
        if kind == "pool" or len(accounts) > 1:
            console.print(_accounts(kind, accounts, report.cost is not None))
    _advise(told, console)


def text(told: Told, url: str) -> str:
    """The same as plain text, for a file, with what the command says beside it: the file may be all that is read."""
    into = io.StringIO()
    for one in told.findings:
        if one.severity != "info":
            into.write(f"{plain(one.where)}: {plain(one.what)}; {plain(one.why)}\n")
    show(told, url, Console(file=into, highlight=False))
    return into.getvalue()


def _states(total: Account) -> Table:
    table = Table(box=None, pad_edge=False)
    for name, side in (("state", "left"), ("GPU-hours", "right"), ("", "right"), ("in business hours", "right"),
                       ("outside", "right"), ("", "left")):  # fmt: skip
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    whole, all_parts = total.hours, sum(total.parts) or 1
    within, without = hours(total.business), hours(total.outside)
    for state, parts in zip(STATES, total.parts, strict=True):
        width = round(_BAR * parts / all_parts)
        table.add_row(
            SPELLED[state], spoken.hours(whole[state]), f"{parts / all_parts:.1%}", spoken.hours(within[state]),
            spoken.hours(without[state]), Text("█" * width, _COLOURS[state]),
        )  # fmt: skip
    return table


def _accounts(kind: str, accounts: tuple[Account, ...], priced: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in (kind, *(("owner",) if kind == "pool" else ())):
        table.add_column(name, overflow="fold")
    for name in (
        "GPU-hours",
        "worked",
        "idle",
        "idle hours",
        "in business hours",
        "unknown",
        *(("cost of idle",) if priced else ()),
    ):
        table.add_column(name, justify="right")
    for one in accounts:
        names = [one.name or f"(no {kind})", *([one.owner] if kind == "pool" else [])]
        unknown = one.hours["unknown"]
        cells = [
            spoken.hours(one.hours["total"]), spoken.share(one.used), spoken.share(one.idle),
            spoken.hours(one.idle_hours), spoken.hours(idle_hours(one.business)),
            spoken.hours(unknown) if unknown else "",
            *([spoken.money(one.cost)] if priced else []),
        ]  # fmt: skip
        table.add_row(*(Text(plain(cell)) for cell in (*names, *cells)))
    return table


def _advise(told: Told, console: Console) -> None:
    if not told.advice:
        console.print(Text("Nothing to do."))
        return
    console.print(Text("What to do", "bold"))
    for one in told.advice:
        worth = f"{spoken.hours(one.gpu_hours)} GPU-hours" + (
            f", {spoken.money(one.saving)}" if one.saving else ""
        )
        console.print(Text(f"  {plain(one.what)} ({worth})"), soft_wrap=True)
        console.print(Text(f"    why: {plain(one.why)}", "dim"), soft_wrap=True)
        console.print(Text(f"    fix: {plain(one.fix)}"), soft_wrap=True)
        for command in one.commands:
            console.print(Text(f"    $ {plain(command)}", "cyan"), soft_wrap=True)
