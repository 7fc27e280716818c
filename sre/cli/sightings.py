"""What `sre doctor` shows of the alerts: those that do not see with the reason, then those that do."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre.checks.doctor import Row
from sre.cli.report import plain
from sre.compile.counted import few

_STYLES = {
    "blind": "red",
    "needs_counter": "yellow",
    "unknown": "magenta",
    "in_part": "yellow",
    "off": "dim",
    "sees": "green",
}
"""State -> style, from worst to best."""
_COUNTED = {
    "sees": "{} see",
    "in_part": "{} see in part",
    "needs_counter": "{} need a counter",
    "unknown": "{} unknown",
    "blind": "{} blind",
    "off": "{} off",
}
"""The headline's words, in its order."""
_WORDS = {"needs_counter": "needs counter", "in_part": "in part"}
_FEW = 3


def show(origin: str, rows: Iterable[Row], console: Console | None = None) -> None:
    """To standard output; nothing where there are no rows."""
    rows, console = list(rows), console or Console(highlight=False)
    if not rows:
        return
    counts = Counter(row.state for row in rows)
    said = ", ".join(words.format(counts[state]) for state, words in _COUNTED.items() if counts[state])
    console.print(Text(f"{len(rows)} alerts at {plain(origin)}: {said}", "bold"), soft_wrap=True)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    # The reason stands below, not beside: names of counters are long, and are broken nowhere.
    table.add_column(overflow="fold")
    for (state, why), alerts in _grouped(rows):
        told = Text(", ".join(alerts))
        if why:
            told.append(f"\n{plain(why)}", "dim")
        table.add_row(Text(_WORDS.get(state, state), _STYLES[state]), told)
    console.print(table)


def _grouped(rows: Iterable[Row]) -> list[tuple[tuple[str, str], list[str]]]:
    """Alerts of one state for one reason stand together; the worst come first."""
    groups = defaultdict[tuple[str, str], list[str]](list)
    for row in rows:
        groups[row.state, _why(row)].append(row.alert)
    return sorted(groups.items(), key=lambda group: (list(_STYLES).index(group[0][0]), not group[0][1]))


def _why(row: Row) -> str:
    """Pools in which it does not see, though the fleet file asks for it; what keeps it from more."""
    if row.state == "sees":
        return ""
    others = [pool for pool, state in row.pools.items() if state not in (_best(row), "off")]
    where = f"not in {few(others, _FEW, 'pool')}: " if others else ""
    return (
        where + "; ".join(row.reasons[:2]) + (f"; and {len(row.reasons) - 2} more" * (len(row.reasons) > 2))
    )


def _best(row: Row) -> str:
    return "sees" if row.state == "in_part" else row.state
