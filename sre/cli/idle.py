"""`sre idle`: what every card did, whose it was, what standing still cost, and what to do about it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre.cli.idle_inputs import Asked, asked_for
from sre.cli.inputs import read_inputs
from sre.cli.output_file import check_file, write_file
from sre.cli.period import period_options
from sre.cli.progress import progress
from sre.cli.report import FOUND, exits, report
from sre.cli.server import connect, server_options
from sre.compile.plan import Plan
from sre.compile.planning import make_plan

if TYPE_CHECKING:
    from sre.idle.told import Told
    from sre.prometheus import Server

FORMATS = ("text", "html", "csv", "json", "markdown")


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option(
    "--prometheus", "url", metavar="URL", required=True, help="A Prometheus API, with its path prefix."
)
@period_options
@click.option(
    "--costs", type=click.Path(path_type=Path), help="Finance's cost file: without it, hours alone."
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--output", "-o", "into", type=click.Path(dir_okay=False, path_type=Path), help="Write into this file."
)
@click.option(
    "--fail-above",
    metavar="SHARE",
    help="Exit 1 where more of the card-time than this was idle, such as 20%.",
)
@click.option(
    "--break-even", metavar="SHARE", help="The utilisation from which self-hosting pays for you, such as 40%."
)
@click.option("--prices", type=click.Path(path_type=Path),
              help="The price file of `sre breakeven`, which with --costs makes that utilisation.")  # fmt: skip
@click.option("--raw", is_flag=True, help="Evaluate raw series here, also where states were recorded.")
@click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of your own content over the built-in one.")  # fmt: skip
@server_options
@exits
def idle(
    fleet: Path, url: str, since: str, until: str | None, costs: Path | None, form: str, into: Path | None,
    fail_above: str | None, break_even: str | None, prices: Path | None, raw: bool, catalogue: Path | None,
    token_env: str | None, headers: tuple[str, ...], timeout: float,
) -> None:  # fmt: skip
    """Say what every card of FLEET did: busy, idle, unallocated, unknown; whose it was, and what that cost.

    Reads the states that the compiled rules recorded. Where they were not loaded, evaluates them here over raw series,
    for which a `prometheus` program is needed. Exit 1 where more card-time was idle than --fail-above allows.
    """
    inputs = read_inputs(fleet, catalogue)
    plan = make_plan(inputs.fleet, inputs.catalogue, inputs.listed)
    check_file("--output", into)
    asked = asked_for(inputs, since, until, costs, prices, break_even, fail_above)
    server = connect(url, token_env, headers, timeout)
    told = _told(plan, server, asked, raw)
    # The server's own address: what was typed may hold a password.
    _say(told, form, into, server.url)
    report([*inputs.warnings, *asked.warnings, *told.findings], [pool.name for pool in inputs.fleet.pools])
    sys.exit(FOUND if asked.limit is not None and told.report.idle > asked.limit else 0)


def _told(plan: Plan, server: "Server", asked: Asked, raw: bool) -> "Told":
    """Raises ``Unreachable``."""
    from sre.checks.idle.reading import read
    from sre.checks.idle.source import source
    from sre.idle.settling import settle
    from sre.idle.told import tell_of

    with progress() as tell, source(plan, server, asked.windows, raw, tell) as found:
        reading, context = read(plan, found, asked.windows, server, tell)
    ledger = settle(plan.fleet, reading.observed)
    return tell_of(
        plan.fleet, ledger, asked.windows, context, asked.prices, reading.findings, asked.break_evens
    )


def _say(told: "Told", form: str, into: Path | None, url: str) -> None:
    if form == "text" and into is None:
        from sre.cli.idle_table import show

        show(told, url)
        return
    text = _written(told, form, url)
    if into is None:
        click.echo(text, nl=not text.endswith("\n"))
    write_file(into, text)


def _written(told: "Told", form: str, url: str) -> str:
    if form == "json":
        from sre.idle.as_json import as_json

        return json.dumps(as_json(told), indent=2, ensure_ascii=False) + "\n"
    if form == "csv":
        from sre.idle.as_csv import as_csv

        return as_csv(told)
    if form == "markdown":
        from sre.idle.digest import digest

        return digest(told)
    if form == "html":
        from sre.idle.page import page

        return page(told)
    from sre.cli.idle_table import text

    return text(told, url)
