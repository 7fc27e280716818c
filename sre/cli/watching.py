"""A running case while it runs: a picture that moves on a terminal, a plain line now and then elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sre.cli.report import plain
from sre.lab.demonstration import Addresses, Watch
from sre.lab.sight import Sight
from sre.units import format_duration

_EVERY = 2
"""Minutes of the fleet between two plain lines."""
_BARS, _PLAIN_BARS = "▁▂▃▄▅▆▇█", "._-~=+*#"
_NAME, _NUMBER = 16, 7
"""Columns of the numbers' names and of the numbers."""


@dataclass
class Screen:
    """What is shown of one pool. ``says`` is the fault in a sentence, ``pace`` its seconds in one."""

    console: Console
    pool: str
    says: str
    pace: int
    sights: list[Sight] = field(default_factory=list)
    doing_now: str = "compiling"
    where: Addresses | None = None
    live: Live | None = None
    _told: float = float("-inf")

    def doing(self, what: str) -> None:
        """Preparations."""
        self.doing_now = what
        self._show(plain(what))

    def ready(self, where: Addresses) -> None:
        """It can be looked at from now on."""
        self.where = where
        self._show(str(self._addresses(where)))

    def seen(self, sight: Sight) -> None:
        """One more look."""
        self.sights.append(sight)
        due = sight.minute - self._told >= _EVERY
        self._told = sight.minute if due else self._told
        self._show(_line(sight) if due else None)

    def _show(self, line: str | None) -> None:
        if self.live:
            self.live.update(self.picture())
        elif line:
            self.console.print(line, soft_wrap=True, markup=False, highlight=False)
            self.console.file.flush()

    def picture(self) -> Group:
        """Where to look, what is going on, and the numbers with their course."""
        parts = [self._addresses(self.where)] if self.where else []
        if not self.sights:
            return Group(*parts, Text(f"{plain(self.doing_now)} ...", "dim"))
        now = self.sights[-1]
        return Group(*parts, Text(), self._headline(now), self._numbers(), *_alerts(now))

    def _addresses(self, where: Addresses) -> Text:
        head = f"{format_duration(self.pace)} of the fleet pass in each second. Look while it runs:"
        return Text("\n".join((head, *(f"  {name:<14}{url}" for name, url in vars(where).items()))))

    def _headline(self, now: Sight) -> Text:
        when = _when(now.minute)
        what = "healthy" if now.minute < 0 else plain(self.says)
        return Text.assemble((plain(self.pool), "bold"), f", {when}: {what}")

    def _numbers(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=_NAME)
        table.add_column(width=_NUMBER, justify="right")
        table.add_column(no_wrap=True)
        room = max(10, self.console.width - _NAME - _NUMBER - 6)
        bars = _BARS if self.console.encoding.lower().startswith("utf") else _PLAIN_BARS
        for name, course, number, top in (
            ("queue", [one.queue for one in self.sights], _count, 20.0),
            ("running", [one.running for one in self.sights], _count, 0.0),
            ("GPU utilisation", [one.utilization for one in self.sights], _share, 1.0),
        ):
            style = "yellow" if name == "queue" else "cyan"
            table.add_row(name, number(course[-1]), Text(_course(course, room, bars, top), style))
        return table


@contextmanager
def screen(pool: str, says: str, pace: int) -> Iterator[Watch]:
    """Who is to be told, until the block ends; to standard error, and gone from a terminal afterwards."""
    console = Console(stderr=True, highlight=False)
    shown = Screen(console, pool, says, pace)
    watch = Watch(shown.doing, shown.ready, shown.seen)
    if not sys.stderr.isatty():
        yield watch
        return
    with Live(shown.picture(), console=console, transient=True, refresh_per_second=4) as shown.live:
        yield watch


def _when(minute: float) -> str:
    return f"{-minute:.0f} min before the fault" if minute < 0 else f"{minute:.0f} min into the fault"


def _line(sight: Sight) -> str:
    """One look in a line, numbers below each other."""
    told = f"{_when(sight.minute):<25}queue {_count(sight.queue):>4}  running {_count(sight.running):>4}"
    states = {"pending": sight.pending if sight.minute > 0 else (), "firing": sight.firing}
    alerts = "".join(f"  {state}: {', '.join(names)}" for state, names in states.items() if names)
    return f"{told}  GPUs {_share(sight.utilization):>4}{alerts}"


def _alerts(sight: Sight) -> Iterator[Text]:
    # While the windows of a young server fill, alerts are pending of which nothing comes.
    pending = [name for name in sight.pending if sight.minute > 0 and name not in sight.firing]
    for state, names, style in (("pending", pending, "yellow"), ("firing", sight.firing, "bold red")):
        yield Text.assemble(f"{state:<{_NAME + 2}}", (", ".join(map(plain, names)) or "-", style))


def _course(values: list[float | None], room: int, bars: str, top: float) -> str:
    """The last values as bars; the highest bar is ``top``, or the greatest value."""
    shown = values[-room:]
    highest = max(top, 1.0, *(value or 0.0 for value in shown))
    last = len(bars) - 1
    return "".join(" " if v is None else bars[min(last, round(v / highest * last))] for v in shown)


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
