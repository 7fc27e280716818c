"""`sre doctor`: which alerts see on a live server, or on exposition files."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from sre.cli.inputs import read_inputs
from sre.cli.report import FOUND, exits, report
from sre.cli.server import connect, server_options
from sre.compile.planning import make_plan
from sre.findings import Finding, errors


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.argument("more_files", metavar="", nargs=-1)
@click.option("--prometheus", "url", metavar="URL", help="A live Prometheus API, with its path prefix.")
@click.option("--metrics", "files", metavar="FILE...", multiple=True,
              help="Saved /metrics: FILE or FILE=POOL, one or several.")  # fmt: skip
@click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of your own content over the built-in one.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@server_options
@exits
def doctor(
    fleet: Path, more_files: tuple[str, ...], url: str | None, files: tuple[str, ...], catalogue: Path | None,
    form: str, token_env: str | None, headers: tuple[str, ...], timeout: float,
) -> None:  # fmt: skip
    """Say which alerts of FLEET see, which are blind, and why, with the line to add or the flag to set.

    Exit 1 where an alert that is compiled is blind.
    """
    if bool(url) == bool(files) or (more_files and not files):
        raise click.UsageError("give either --prometheus URL or --metrics FILE...")
    inputs = read_inputs(fleet, catalogue)
    plan = make_plan(inputs.fleet, inputs.catalogue, inputs.listed)
    # Imported late: requests and the parser are slow to import, and a broken fleet file should be told at once.
    from sre.checks.doctor import diagnose, examine

    if url:
        found, more = examine(plan, connect(url, token_env, headers, timeout)), list[Finding]()
    else:
        from sre.checks.exposed import read_files
        from sre.checks.exposition import observe

        observation, more = observe(
            read_files((*files, *more_files), inputs.fleet), inputs.fleet, inputs.catalogue
        )
        found = diagnose(plan, observation)
    findings = [*inputs.warnings, *more, *map(inputs.located, found.findings)]
    if form == "json":
        data = {
            "origin": found.origin,
            "alerts": [asdict(r) for r in found.alerts],
            "findings": list(map(asdict, findings)),
        }
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        from sre.cli.sightings import show

        show(found.origin, found.alerts)
        report(findings, [pool.name for pool in inputs.fleet.pools])
    sys.exit(FOUND if errors(findings) else 0)
