"""What `sre doctor` shows of the alerts: those that do not see with the reason, then those that do."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre.checks.doctor import Row
from sre.cli.report import plain

_STYLES = {"blind": "red", "needs_counter": "yellow", "unknown": "magenta", "off": "dim", "sees": "green"}
_COUNTED = {"sees": "see", "needs_counter": "need a counter"}


def show(origin: str, rows: Iterable[Row], console: Console | None = None) -> None:
    """To standard output; nothing where there are no rows."""
    rows, console = list(rows), console or Console(highlight=False)
    if not rows:
        return
    counts = Counter(row.state for row in rows)
    said = ", ".join(f"{counts[one]} {_COUNTED.get(one, one)}" for one in reversed(_STYLES) if counts[one])
    console.print(Text(f"{len(rows)} alerts at {plain(origin)}: {said}", "bold"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for (state, why), alerts in _grouped(rows):
        table.add_row(
            Text(state.replace("_", " "), _STYLES[state]), Text(", ".join(alerts)), Text(plain(why))
        )
    console.print(table)


def _grouped(rows: Iterable[Row]) -> list[tuple[tuple[str, str], list[str]]]:
    """Alerts of one state for one reason stand together; the worst come first."""
    groups = defaultdict[tuple[str, str], list[str]](list)
    for row in rows:
        groups[row.state, _why(row)].append(row.alert)
    return sorted(groups.items(), key=lambda group: (list(_STYLES).index(group[0][0]), not group[0][1]))


def _why(row: Row) -> str:
    """Pools in which it sees less than in the best, though the fleet file asks for it; what keeps it from more."""
    others = [pool for pool, state in row.pools.items() if state not in (row.state, "off")]
    if row.state == "sees" and not others:
        return ""
    where = f"not in {', '.join(others[:3])}{', ...' if len(others) > 3 else ''}: " if others else ""
    return where + "; ".join(row.reasons[:2]) + ("; ..." if len(row.reasons) > 2 else "")
