"""`sre backtest`: what the compiled alerts would have done over the past, and what a threshold costs."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from sre.cli.budget import pages_per_week
from sre.cli.inputs import read_inputs
from sre.cli.period import stretch
from sre.cli.report import FOUND, exits, report
from sre.cli.server import connect, server_options
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.findings import Finding, Refused
from sre.source import suggest


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option(
    "--prometheus", "url", metavar="URL", required=True, help="A Prometheus API, with its path prefix."
)
@click.option(
    "--since",
    metavar="TIME",
    default="7d",
    show_default=True,
    help="Where the period begins: a duration back from its end, or a local date or time.",
)
@click.option(
    "--until", metavar="TIME", help="Where it ends: a duration back from now, or a local date or time."
)
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

    Needs a `prometheus` program here, which evaluates beside the server that is asked; nothing is written there.
    Exit 1 where there are more pages than the budget allows.
    """
    if picture and not sweep:
        raise click.UsageError("--picture draws a sweep: give --sweep ALERT")
    inputs = read_inputs(fleet, catalogue)
    plan = make_plan(inputs.fleet, inputs.catalogue, inputs.listed)
    alerts = _chosen(plan, sweep)
    limit = pages_per_week(budget) if budget else None
    # What is evaluated right now may not have been written yet.
    latest = datetime.fromtimestamp(time.time() - float(inputs.fleet.evaluation_interval), UTC)
    start, end = stretch(since, until, latest, inputs.fleet.zone)
    # Imported late: requests and the parser are slow to import, and a broken fleet file should be told at once.
    from sre.checks.backtest.recordings import Period
    from sre.checks.backtest.run import replay
    from sre.checks.backtest.sweep import make_sweep
    from sre.checks.backtest.tally import tally
    from sre.cli.backtest_table import Told, show, show_sweep

    swept = make_sweep(plan, sweep) if sweep else None
    period = Period(*(round(moment.timestamp() * 1000) for moment in (start, end)))
    found = replay(
        plan, connect(url, token_env, headers, timeout), period, alerts, sweep=swept, tell=_progress()
    )
    findings = [*inputs.warnings, *found.findings]
    rows = tally(plan, alerts, found)
    told = Told(url, found, limit, inputs.fleet.zone)
    if swept:
        variants = {mark: tally(plan, alerts, found, mark) for mark in swept.values}
        drawn = show_sweep(told, swept, variants)
        data = [
            {**asdict(row), "threshold": float(number)}
            for mark, some in variants.items()
            for row in some
            if (number := swept.number(mark, row.pool)) is not None
        ]
        if picture:
            _save("--picture", picture, drawn)
    else:
        show(told, rows)
        data = [asdict(row) for row in rows]
    if into:
        _save("--json", into, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    report(findings, [pool.name for pool in inputs.fleet.pools])
    sys.exit(FOUND if limit is not None and sum(row.pages_per_week for row in rows) > limit else 0)


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


def _progress() -> Callable[[int, int], None]:
    """Says at a terminal how far it is."""

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(
                f"\r{done} of {total} rules " if done < total else "\r" + " " * 30 + "\r", err=True, nl=False
            )

    return tell


def _save(option: str, path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(
            [Finding(option, f"{path} cannot be written: {error.strerror}", "", "name another file")]
        ) from None
