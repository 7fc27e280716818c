"""How often the idle report is right: a month of cards whose true state is known in every minute.

Raw series as exporters and engines show them, with everything that goes wrong with them, are written into a Prometheus
of its own; the report's own reader evaluates the compiled rules over them; every card-minute is compared. Writes the
page, or with `--days` prints the table of a shorter time.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import yaml

from sre.checks.backtest.samples import STALE, packed
from sre.checks.backtest.scratch import Scratch, scratch
from sre.checks.idle.source import MINUTE_STATE, STATE, source
from sre.cli.inputs import read_inputs
from sre.compile.planning import make_plan
from sre.idle.states import STATES
from sre.idle.windows import windows
from sre.prometheus import Server
from sre.simulate.courses import DAY
from sre.simulate.standing import MINUTE, Stage, stage

PAGE = Path(__file__).parents[2] / "docs" / "idle-accuracy.md"
START = int(datetime(2026, 10, 4, 22, tzinfo=UTC).timestamp())
"""A Monday's midnight in Berlin; the month has the end of summer time in it."""
MONTH = 31
POOLS = ("agents", "search", "extract", "slices", "others")
"""One pool of each kind: another would only repeat what these go through."""
_WARM_UP = DAY // 24
_PAGE = 600

Confusion = Counter[tuple[str, str]]
"""Card-minutes by true and told state."""


def measure(days: int, seed: int = 1) -> dict[str, Confusion]:
    """By kind of card; so many days, an hour later than the samples begin: windows must be full."""
    staged = stage(START, days * DAY // MINUTE, seed, POOLS)
    with tempfile.TemporaryDirectory() as folder, scratch() as own:
        path = Path(folder) / "fleet.yaml"
        path.write_text(yaml.safe_dump(dict(staged.fleet)))
        inputs = read_inputs(path)
        plan = make_plan(inputs.fleet, inputs.catalogue, inputs.listed)
        write(own, staged)
        period = windows(START + _WARM_UP, START + days * DAY, inputs.fleet.zone)
        with source(plan, own.server, period, True, _told, (STATE, MINUTE_STATE)) as found:
            return _compared(staged, _states(found.server, period[0].start, period[-1].end))


def write(own: Scratch, staged: Stage) -> None:
    """Every series, with a mark where it ends."""
    for labels, values in staged.series():
        points, alive = list[tuple[int, bytes]](), False
        for minute, value in enumerate(values):
            at = (staged.start + minute * MINUTE) * 1000
            if value is not None or alive:
                points.append((at, STALE if value is None else packed(value)))
            alive = value is not None
        own.write(labels, points)
    own.flush()


def _told(done: int, of: int, what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{what} {done}/{of} ", end="", file=sys.stderr)


def _states(server: Server, start: int, end: int) -> dict[tuple[str, str], dict[int, str]]:
    """State of each card in each minute."""
    found = dict[tuple[str, str], dict[int, str]]()
    for begin in range(start, end, _PAGE * MINUTE):
        last = min(begin + (_PAGE - 1) * MINUTE, end - MINUTE)
        # Only what was recorded in that very minute: an instant would go on for five.
        expr = f"count by (uuid, mig, state) (last_over_time({STATE}[59s]))"
        for one in server.query_range(expr, begin, last, MINUTE):
            minutes = found.setdefault((one.labels.get("uuid", ""), one.labels.get("mig", "")), {})
            minutes.update((round(at) // MINUTE, one.labels["state"]) for at, _ in one.points)
    return found


def _compared(staged: Stage, told: dict[tuple[str, str], dict[int, str]]) -> dict[str, Confusion]:
    found = dict[str, Confusion]()
    first = staged.start // MINUTE
    for card in staged.cards:
        minutes, own = told.get((card.uuid, card.mig), {}), found.setdefault(card.kind, Confusion())
        for minute in range(_WARM_UP // MINUTE, staged.minutes):
            truth = card.truth[minute]
            if truth:
                own[truth, minutes.get(first + minute, "unknown")] += 1
    return found


def together(by_kind: Mapping[str, Confusion]) -> Confusion:
    """Of all cards."""
    return sum(by_kind.values(), Confusion())


def right(found: Confusion) -> float:
    """Share of all card-minutes."""
    return sum(count for (truth, state), count in found.items() if truth == state) / sum(found.values())


def table(found: Confusion) -> str:
    """GPU-hours: a row for what was true, a column for what was told."""
    lines = ["| true | " + " | ".join(STATES) + " | right |", "|---|" + "--:|" * (len(STATES) + 1)]
    for truth in STATES:
        row = [found[truth, state] for state in STATES]
        if sum(row):
            cells = " | ".join(f"{count / 60:,.1f}" if count else "" for count in row)
            lines.append(f"| {truth} | {cells} | {found[truth, truth] / sum(row):.2%} |")
    return "\n".join(lines)


def kinds(by_kind: Mapping[str, Confusion]) -> str:
    """A row for each kind of card."""
    lines = ["| card | GPU-hours | right | busy or unknown, called idle |", "|---|--:|--:|--:|"]
    for name, own in sorted(by_kind.items()):
        wrong = (_idle(own, "busy") + _idle(own, "unknown")) / 60
        lines.append(f"| {name} | {sum(own.values()) / 60:,.1f} | {right(own):.2%} | {wrong:.1f} |")
    return "\n".join(lines)


def _idle(found: Confusion, truth: str) -> int:
    return sum(found[truth, state] for state in ("loaded_idle", "empty_idle", "unallocated"))


def page(by_kind: Mapping[str, Confusion], days: int) -> str:
    """What is committed."""
    found = together(by_kind)
    blind, busy = (_idle(found, truth) / 60 for truth in ("unknown", "busy"))
    return f"""# How often the idle report is right

Written by `python tools/idle/measure.py`: {days} simulated days of {sum(found.values()) / 60:,.0f} GPU-hours, every
minute of which has a known state (`sre/simulate/standing.py`). Raw series of exporters and engines go in, the compiled
rules decide, and every card-minute is compared. The month holds what goes wrong with telemetry: gaps of scrapes, silent
nodes, restarted engines, pods that come back under another name, swapped cards, sentinel values, two exporters for one
card, time-slicing between two pods that both work, MIG slices with and without profiling counters, cards without them,
the end of summer time.

**{right(found):.2%}** of all GPU-hours are told right. Of GPU-hours without any telemetry {blind:.1f} are called idle,
of busy ones {busy:.1f}.

GPU-hours, true states as rows, told ones as columns:

{table(found)}

By what tells of them:

{kinds(by_kind)}

What it does not hold: a card that shows nothing but its power, SM activity, other vendors' exporters. Evidence of every
kind for a single minute, in every mixture, is in `tests/test_idle_states.py`.

What remains are edges: a rate over two minutes still sees a request that has ended, memory is recorded every two
minutes, and whose card is whose as well; and where an engine alone speaks its card is busy or idle, since requests do
not tell how much of a card they take.
"""


def main() -> None:
    """Measure, and write the page or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--days", type=int, help="print the table of so many days instead of writing the page"
    )
    asked = parser.parse_args()
    found = measure(asked.days or MONTH)
    if asked.days:
        print(table(together(found)), f"\n{right(together(found)):.3%} right\n", kinds(found), sep="\n")
    else:
        PAGE.write_text(page(found, MONTH), encoding="utf-8")


if __name__ == "__main__":
    main()
