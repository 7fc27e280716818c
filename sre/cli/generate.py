"""`sre generate`: fleet file in, proven artefacts out."""

import sys
from pathlib import Path

import click

from sre.cli.inputs import read_inputs
from sre.cli.report import FOUND, exits, plain, report
from sre.compile.compilation import Compilation, Target, compile
from sre.findings import Refused, errors
from sre.write import Difference, check, write


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for everything that is written.",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Write nothing; exit 1 with a diff where the folder is not up to date.",
)
@click.option(
    "--catalogue",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own content over the built-in one.",
)
@click.option(
    "--target",
    type=click.Choice(["prometheus", "operator"]),
    default="prometheus",
    show_default=True,
    help="Plain rule files, or PrometheusRule objects.",
)
@exits
def generate(fleet: Path, output: Path, only_check: bool, catalogue: Path | None, target: Target) -> None:
    """Compile FLEET into alert rules, routes, dashboards, runbooks and proofs under the output folder.

    All files are written or none; a file that is no longer wanted is removed, files of other origin are left alone.
    """
    inputs = read_inputs(fleet, catalogue)
    compiled = compile(inputs.fleet, inputs.catalogue, target, inputs.listed, inputs.receivers)
    findings = [*inputs.warnings, *map(inputs.located, compiled.findings)]
    if errors(findings):
        raise Refused(findings)
    report((f for f in findings if f.severity == "warning"), [pool.name for pool in inputs.fleet.pools])
    if only_check:
        _compare(compiled, output)
    else:
        written = write(compiled.artefacts, output)
        # Imported late: tables are drawn for people, and --check draws none.
        from sre.cli.summary import Run, summarize

        summarize(Run(fleet, output, target, stubs=inputs.receivers is None), compiled, written)


def _compare(compiled: Compilation, output: Path) -> None:
    differences = check(compiled.artefacts, output)
    for difference in differences:
        click.echo(_told(difference))
    if differences:
        click.echo(
            f"{len(differences)} of {len(compiled.artefacts)} files are not up to date in {output}; "
            "run `sre generate` without --check.",
            err=True,
        )
        sys.exit(FOUND)
    click.echo(f"{output} is up to date: {len(compiled.artefacts)} files.")


def _told(difference: Difference) -> str:
    return f"{difference.kind}: {plain(difference.path)}" + (
        f"\n{plain(difference.text)}" if difference.text else ""
    )
