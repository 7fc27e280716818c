"""`sre doctor`: which alerts see on a live server, or on exposition files."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from sre.cli.inputs import Inputs, read_inputs
from sre.cli.report import FOUND, exits, report
from sre.compile.planning import make_plan
from sre.findings import Finding, errors

_HEADER = "Sent with every question, such as 'X-Scope-OrgID: tenant'; may be given several times."


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option("--prometheus", "url", metavar="URL", help="A live Prometheus API, with its path prefix.")
@click.option("--metrics", "files", metavar="FILE", multiple=True,
              help="A saved /metrics, as FILE or FILE=POOL; may be given several times.")  # fmt: skip
@click.option("--token-env", metavar="NAME", help="The environment variable that holds a bearer token.")
@click.option("--header", "headers", metavar="HEADER", multiple=True, help=_HEADER)
@click.option(
    "--timeout", type=click.FloatRange(min=1), default=60, show_default=True, help="Seconds for one answer."
)
@click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of your own content over the built-in one.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@exits
def doctor(
    fleet: Path, url: str | None, files: tuple[str, ...], token_env: str | None, headers: tuple[str, ...],
    timeout: float, catalogue: Path | None, form: str,
) -> None:  # fmt: skip
    """Say which alerts of FLEET see, which are blind, and why, with the line to add or the flag to set.

    Exit 1 where an alert that is compiled is blind.
    """
    if bool(url) == bool(files):
        raise click.UsageError("give either --prometheus URL or --metrics FILE...")
    inputs = read_inputs(fleet, catalogue)
    plan = make_plan(inputs.fleet, inputs.catalogue, inputs.listed)
    # Imported late: requests and the parser are slow to import, and a broken fleet file should be told at once.
    from sre.checks.doctor import diagnose, examine

    if url:
        from sre.prometheus import connect

        server = connect(url, os.environ, token_env=token_env, headers=headers, timeout=timeout)
        found, more = examine(plan, server), list[Finding]()
    else:
        from sre.checks.exposition import observe, read_files

        observation, more = observe(read_files(files, inputs.fleet), inputs.fleet, inputs.catalogue)
        found = diagnose(plan, observation)
    findings = _located(inputs, [*inputs.warnings, *more, *found.findings])
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
        report(findings)
    sys.exit(FOUND if errors(findings) else 0)


def _located(inputs: Inputs, findings: list[Finding]) -> list[Finding]:
    return [inputs.located(finding) for finding in findings]
