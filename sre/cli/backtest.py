"""`sre backtest`: what the compiled alerts would have done over the past, and what a threshold costs."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre.cli.budget import pages_per_week
from sre.cli.inputs import read_inputs
from sre.cli.output_file import check_file, write_file
from sre.cli.period import period_options, stretch
from sre.cli.report import FOUND, exits, report
from sre.cli.server import connect, server_options
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.findings import Finding, Refused
from sre.source import suggest

if TYPE_CHECKING:
    from sre.checks.backtest.recordings import Period
    from sre.checks.backtest.sweep import Sweep
    from sre.cli.backtest_table import Told


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option(
    "--prometheus", "url", metavar="URL", required=True, help="A Prometheus API, with its path prefix."
)
@period_options
@click.option("--budget", metavar="N/week", help="Pages that are put up with; more of them exit 1.")
@click.option("--sweep", metavar="ALERT", help="This alert alone, at thresholds from half to twice its own.")
@click.option(
    "--picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw the sweep into this SVG file."
)
@click.option(
    "--json",
    "into",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the rows into this file, as JSON.",
)
@click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of your own content over the built-in one.")  # fmt: skip
@server_options
@exits
def backtest(
    fleet: Path, url: str, since: str, until: str | None, budget: str | None, sweep: str | None,
    picture: Path | None, into: Path | None, catalogue: Path | None,
    token_env: str | None, headers: tuple[str, ...], timeout: float,
) -> None:  # fmt: skip
    """Evaluate the alerts of FLEET over a server's history, as that server would have evaluated them.

    Pages are those that Alertmanager would have sent with the compiled inhibition, each as one; beside them stands how
    many there were without it. Silences and repetitions are not known here.

    Needs a `prometheus` program here, which evaluates beside the server that is asked; nothing is written there.
    Exit 1 where there are more pages than the budget allows.
    """
    if picture and not sweep:
        raise click.UsageError("--picture draws a sweep: give --sweep ALERT")
    inputs = read_inputs(fleet, catalogue)
    plan = make_plan(inputs.fleet, inputs.catalogue, inputs.listed)
    check_file("--json", into)
    check_file("--picture", picture)
    asked = _asked(plan, since, until, budget, sweep)
    # Imported late: requests and the parser are slow to import, and a broken fleet file should be told at once.
    from sre.checks.backtest.run import replay
    from sre.cli.backtest_table import Told
    from sre.cli.progress import progress

    server = connect(url, token_env, headers, timeout)
    with progress() as watch:
        found = replay(
            plan,
            server,
            asked.period,
            asked.evaluated,
            sweep=asked.sweep,
            tell=lambda done, of: watch(done, of, "rules"),
        )
    told = Told(server.url, found, asked.limit, inputs.fleet.zone)
    pages = _swept(plan, asked, told, picture, into) if asked.sweep else _all(plan, asked, told, into)
    report([*inputs.warnings, *found.findings], [pool.name for pool in inputs.fleet.pools])
    sys.exit(FOUND if asked.limit is not None and pages > asked.limit else 0)


@dataclass(frozen=True)
class _Asked:
    """What the command line asks for; ``limit`` in pages per week.

    ``alerts`` are shown; ``evaluated`` is as well what may keep their pages back.
    """

    alerts: Sequence[str]
    evaluated: Sequence[str]
    period: "Period"
    sweep: "Sweep | None"
    limit: float | None


def _asked(plan: Plan, since: str, until: str | None, budget: str | None, sweep: str | None) -> _Asked:
    """Everything that can be wrong with it is told before a server is asked. Raises ``Refused``."""
    from sre.checks.backtest.inhibition import Inhibition
    from sre.checks.backtest.recordings import Period
    from sre.checks.backtest.sweep import make_sweep

    alerts = _chosen(plan, sweep)
    causes = Inhibition.of(plan).causes(plan, sweep) if sweep else ()
    # What is evaluated right now may not have been written yet.
    latest = datetime.fromtimestamp(time.time() - float(plan.fleet.evaluation_interval), UTC)
    moments = stretch(since, until, latest, plan.fleet.zone)
    return _Asked(
        alerts,
        [*alerts, *sorted(causes)],
        Period(*(round(moment.timestamp() * 1000) for moment in moments)),
        make_sweep(plan, sweep) if sweep else None,
        pages_per_week(budget) if budget else None,
    )


def _all(plan: Plan, asked: _Asked, told: "Told", into: Path | None) -> float:
    """Every alert; the value is how many pages they come to in a week."""
    from sre.checks.backtest.tally import tally
    from sre.cli.backtest_table import show

    rows = tally(plan, asked.alerts, told.replay)
    show(told, rows)
    write_file(into, _json(asdict(row) for row in rows))
    return sum(row.pages_per_week for row in rows)


def _swept(plan: Plan, asked: _Asked, told: "Told", picture: Path | None, into: Path | None) -> float:
    """One alert at each of its thresholds; the value is how many pages the one in force comes to."""
    from sre.checks.backtest.tally import tally
    from sre.cli.backtest_table import show_sweep

    assert asked.sweep
    sweep = asked.sweep
    variants = {mark: tally(plan, asked.alerts, told.replay, mark) for mark in sweep.values}
    drawn = show_sweep(told, sweep, variants)
    write_file(picture, drawn)
    write_file(into, _json(
        {**asdict(row), "threshold": float(number)}
        for mark, rows in variants.items()
        for row in rows
        if (number := sweep.number(mark, row.pool)) is not None
    ))  # fmt: skip
    return sum(row.pages_per_week for row in variants[""])


def _chosen(plan: Plan, name: str | None) -> Sequence[str]:
    names = [planned.alert.name for planned in plan.alerts if planned.rules]
    if name is None:
        return names
    if name not in names:
        blind = next((p for p in plan.alerts if p.alert.name == name), None)
        what = f"{name} is blind in this fleet" if blind else f"there is no alert {name!r}"
        fix = f"see why: {'; '.join(blind.reasons)}" if blind else suggest(name, names)
        raise Refused([Finding("--sweep", what, "it is the alert whose threshold is moved", fix)])
    return [name]


def _json(rows: Iterable[dict[str, object]]) -> str:
    return json.dumps(list(rows), indent=2, ensure_ascii=False) + "\n"
