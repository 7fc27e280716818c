"""`sre init`: the first files of a fleet."""

import sys
from pathlib import Path
from shlex import quote

import click

from sre.cli.program import started_as
from sre.cli.report import FOUND, exits, report
from sre.cli.server import connect, server_options
from sre.create import create
from sre.init import SCHEMA_FILE, fleet_template, json_schema, pipeline_snippet, render_fleet

FLEET_FILE, PIPELINE_FILE = "fleet.yaml", "pipeline.yaml"


@click.command()
@click.option("--prometheus", "url", metavar="URL", help="Fill in what this Prometheus API already knows.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=".", show_default=True,
              help="Folder for the files.")  # fmt: skip
@click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of your own content over the built-in one: its engines are found too.")  # fmt: skip
@server_options
@exits
def init(
    url: str | None, output: Path, catalogue: Path | None,
    token_env: str | None, headers: tuple[str, ...], timeout: float,
) -> None:  # fmt: skip
    """Write a commented fleet.yaml, its JSON Schema and a pipeline snippet. What exists is never overwritten."""
    fleet = _ask(url, catalogue, token_env, headers, timeout) if url else fleet_template()
    files = {FLEET_FILE: fleet, SCHEMA_FILE: json_schema(), PIPELINE_FILE: pipeline_snippet()}
    for path in create(files, output):
        click.echo(f"wrote {path}")
    command = f"{started_as()} generate {quote(str(output / FLEET_FILE))} -o out"
    click.echo(f"Next: edit {output / FLEET_FILE}, then run `{command}`.")


def _ask(
    url: str, catalogue: Path | None, token_env: str | None, headers: tuple[str, ...], timeout: float
) -> str:
    from sre.catalogue.load import load
    from sre.checks.discover import discover
    from sre.content import root

    content = load(root(), *([catalogue] if catalogue else []))
    found, findings = discover(connect(url, token_env, headers, timeout), content)
    report(findings)
    if found is None:
        sys.exit(FOUND)
    return render_fleet(found)
