"""`sre baseline`: what is usual, kept so that it does not follow every change after a week."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre.cli.inputs import read_inputs
from sre.cli.period import stretch
from sre.cli.report import FOUND, exits, plain, report
from sre.cli.server import connect, server_options
from sre.compile.compilation import Target
from sre.compile.counted import count
from sre.compile.planning import make_plan
from sre.findings import Finding, Refused

if TYPE_CHECKING:
    from sre.checks.freezing import Freezing


@click.group()
def baseline() -> None:
    """Keep what is usual of a fleet's replies."""


@baseline.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option(
    "--prometheus", "url", metavar="URL", required=True, help="A Prometheus API, with its path prefix."
)
@click.option("--since", metavar="TIME", default="7d", show_default=True,
              help="Where the calm stretch begins: a duration back from its end, or a local date or time.")  # fmt: skip
@click.option(
    "--at", metavar="TIME", help="Where it ends: a duration back from now, or a local date or time."
)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="The rule file to write; one that this command wrote is replaced.")  # fmt: skip
@click.option("--target", type=click.Choice(["prometheus", "operator"]), default="prometheus", show_default=True,
              help="A plain rule file, or PrometheusRule objects.")  # fmt: skip
@click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of your own content over the built-in one.")  # fmt: skip
@server_options
@exits
def freeze(
    fleet: Path, url: str, since: str, at: str | None, output: Path, target: Target, catalogue: Path | None,
    token_env: str | None, headers: tuple[str, ...], timeout: float,
) -> None:  # fmt: skip
    """Write what FLEET's replies were like in a calm stretch, as rules to load beside the fleet's own.

    Where they are loaded, LLMOutputLengthShift compares with them and no longer with the same hour last week: a
    shift is still one after a week, and last week's incident is not the usual. Without the file all is as before.
    Exit 1 where a pool of the fleet could not be frozen; the others are written.
    """
    inputs = read_inputs(fleet, catalogue)
    plan = make_plan(inputs.fleet, inputs.catalogue, inputs.listed)
    zone = inputs.fleet.zone
    start, end = stretch(since, at, datetime.now(UTC).replace(microsecond=0), zone)
    # Imported late: requests is slow to import, and a broken fleet file should be told at once.
    from sre.checks.freezing import freeze as freeze_of
    from sre.compile.frozen import HEADER, render

    found = freeze_of(plan, connect(url, token_env, headers, timeout), start, end)
    report([*inputs.warnings, *map(inputs.located, found.findings)])
    if found.frozen:
        moments = (f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}" for moment in (start, end))
        text = render(plan, found.frozen, " to ".join(moments), target)
        _write(output, text, HEADER)
        _tell(found, output)
    else:
        click.echo(f"Nothing could be frozen; {plain(str(output))} is as it was.", err=True)
    sys.exit(FOUND if found.missing else 0)


def _tell(found: "Freezing", output: Path) -> None:
    for one in found.frozen:
        labels = dict(one.owner)
        name = " on ".join(labels[label] for label in ("consumer", "pool") if label in labels)
        day = ", by hour of the day, because its hours differ" if one.daily else ""
        click.echo(
            plain(f"{name}: {count(one.replies, 'reply', 'replies')} in {count(one.hours, 'hour')}{day}")
        )
    click.echo(f"{plain(str(output))}: name it under rule_files beside the fleet's rules, and reload.")


def _write(path: Path, text: str, header: str) -> None:
    """Whole or not at all; never over what somebody else wrote."""
    from sre.swap import swap

    try:
        if path.exists() and not path.read_bytes().startswith(header.encode()):
            what, fix = (
                "is there already, and not from this command",
                "remove it, or name another file with -o",
            )
            raise Refused([Finding(str(path), what, "it may be somebody's work", fix)])
        path.parent.mkdir(parents=True, exist_ok=True)
        swap(path.parent, {path.name: text.encode()}, ())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Refused([Finding(str(path), f"cannot be written: {reason}", "nothing was changed",
                               "name another file with -o, and see that there is room")]) from None  # fmt: skip
