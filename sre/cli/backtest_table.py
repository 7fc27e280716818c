"""What `sre backtest` shows: a table of alerts and pools, or of one alert's thresholds with bars beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre.checks.backtest.picture import Bar, draw
from sre.checks.backtest.run import Replay
from sre.checks.backtest.sweep import Sweep
from sre.checks.backtest.tally import FLAP_MINUTES, Row
from sre.cli.report import plain
from sre.compile.text import format_value

_BAR = 16
_COUNTED = ("firings", "minutes", "flaps", "pages/week", "uninhibited")


@dataclass(frozen=True)
class Told:
    """What stands around the numbers: where they come from, and what they are held against."""

    url: str
    replay: Replay
    budget: float | None
    zone: tzinfo

    @property
    def period(self) -> str:
        start, end = (
            datetime.fromtimestamp(ms / 1000, UTC).astimezone(self.zone).strftime("%Y-%m-%d %H:%M")
            for ms in (self.replay.period.start, self.replay.period.end)
        )
        return f"{start} to {end}"

    @property
    def source(self) -> str:
        return "what it recorded" if self.replay.recorded else "its raw series"


def show(told: Told, rows: Sequence[Row], console: Console | None = None) -> None:
    """To standard output: what fired, then who never did."""
    console = console or Console(highlight=False)
    console.print(_head(told), soft_wrap=True)
    fired = [row for row in rows if row.firings]
    if fired:
        table = _table("alert", "pool")
        for row in sorted(fired, key=lambda r: (-r.pages_per_week, -r.uninhibited_per_week, -r.firings)):
            table.add_row(row.alert, plain(row.pool or "-"), *_numbers(row))
        console.print(table)
    silent = dict.fromkeys(row.alert for row in rows if row.alert not in {one.alert for one in fired})
    if silent:
        console.print(Text(f"never fired: {', '.join(silent)}", "dim"))
    console.print(_verdict(told, rows), soft_wrap=True)


def show_sweep(
    told: Told, sweep: Sweep, variants: Mapping[str, Sequence[Row]], console: Console | None = None
) -> str:
    """To standard output, pool by pool; the value is the same as a picture."""
    console = console or Console(highlight=False)
    console.print(_head(told), soft_wrap=True)
    pages = any(row.pages_per_week for rows in variants.values() for row in rows)
    panels = dict[str | None, list[tuple[str, Row, Bar]]]()
    for mark, rows in variants.items():
        for row in rows:
            number = sweep.number(mark, row.pool)
            if number is None:
                continue
            label = format_value(float(number), sweep.threshold.unit)
            height = row.pages_per_week if pages else row.firings
            panels.setdefault(row.pool, []).append((label, row, Bar(label, height, not mark)))
    highest = max([bar.height for some in panels.values() for *_, bar in some], default=0) or 1
    for pool, some in panels.items():
        table = _table(f"{plain(pool or 'no pool')}: {sweep.threshold.name}", "")
        for label, row, bar in some:
            drawn = "█" * round(bar.height / highest * _BAR) or "▏"
            table.add_row(
                f"{label}{' (now)' if bar.chosen else ''}",
                Text(drawn, "blue" if bar.chosen else "cyan"),
                *_numbers(row),
            )
        console.print(table)
    console.print(_verdict(told, variants[""]), soft_wrap=True)
    limit = told.budget if pages else None
    axis = (
        f"{'pages per week' if pages else 'firings'} by {sweep.threshold.name}, {told.period}; dark: in force"
    )
    if limit is not None and len(panels) > 1:
        axis += "; the budget is for all pools"
    return draw(
        sweep.alert,
        axis,
        [(pool or "no pool", [bar for *_, bar in some]) for pool, some in panels.items()],
        limit,
    )


def _head(told: Told) -> Text:
    return Text(f"{told.period} at {plain(told.url)}, over {told.source}", "bold")


def _verdict(told: Told, rows: Sequence[Row]) -> Text:
    total = sum(row.pages_per_week for row in rows)
    alone = sum(row.uninhibited_per_week for row in rows)
    kept = f", {alone:g} if none kept another back" if alone != total else ""
    flap = f"a flap is a firing within {FLAP_MINUTES} minutes of the last one's end"
    said = f"{total:g} pages per week{kept}; {flap}"
    if told.budget is None:
        return Text(said)
    over = total > told.budget
    return Text(
        f"{said}; {'over' if over else 'within'} the budget of {told.budget:g}", "red" if over else "green"
    )


def _table(*names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in _COUNTED:
        table.add_column(name, justify="right")
    return table


def _numbers(row: Row) -> tuple[str, ...]:
    told = f"{row.pages_per_week:g}", f"{row.uninhibited_per_week:g}"
    return str(row.firings), f"{row.minutes:g}", str(row.flaps), *told
