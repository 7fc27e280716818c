"""`sre prove`: every alert on its fault, in promtool, or live in a Prometheus and an Alertmanager of its own."""

import json
import sys
from pathlib import Path

import click

from sre.cli.inputs import read_inputs
from sre.cli.output_file import check_file, write_file
from sre.cli.report import FOUND, exits
from sre.compile.compilation import compile
from sre.findings import Refused, errors


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option("--only", "names", metavar="ALERT|FAULT", multiple=True,
              help="Only this alert or this fault; may be given several times.")  # fmt: skip
@click.option("--live", is_flag=True,
              help="In a real Prometheus and Alertmanager on loopback, which deliver to a webhook.")  # fmt: skip
@click.option("--pace", type=click.IntRange(1, 300), default=75, show_default=True,
              help="With --live: seconds of the fleet in one second.")  # fmt: skip
@click.option("--json", "output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the verdicts there as well, as a JSON array.")  # fmt: skip
@click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of your own content over the built-in one.")  # fmt: skip
@exits
def prove(
    fleet: Path, names: tuple[str, ...], live: bool, pace: int, output: Path | None, catalogue: Path | None
) -> None:
    """Strike every fault of the catalogue in a simulated FLEET, mend it, and say what its alerts did.

    The compiled rules run in promtool, in virtual time; with --live in real programs, on sockets, at a faster pace.
    Exit 1 on any gap: an alert that did not fire in time or did not resolve, a silent neighbour that fired, a wrong
    alert.
    """
    inputs = read_inputs(fleet, catalogue)
    # Imported late: a broken fleet file should be told at once.
    from sre.cli.progress import progress
    from sre.cli.verdict_rows import rows
    from sre.cli.verdict_table import show
    from sre.lab.wanted import read

    wanted = read(names, inputs.catalogue)
    check_file("--json", output)
    compiled = compile(inputs.fleet, inputs.catalogue, listed=inputs.listed, receivers=inputs.receivers)
    findings = [*inputs.warnings, *map(inputs.located, compiled.findings)]
    if errors(findings):
        raise Refused(findings)
    with progress() as watch:
        if live:
            from sre.lab.live import prove as prove_live

            given = (inputs.fleet, inputs.catalogue, wanted, watch, inputs.listed, inputs.receivers)
            proof = prove_live(*given, pace=pace)
        else:
            from sre.lab.virtual import prove as prove_virtually

            proof = prove_virtually(compiled, wanted, watch)
    write_file(output, json.dumps(list(rows(proof)), indent=2, ensure_ascii=False) + "\n")
    show(proof)
    sys.exit(0 if proof.ok else FOUND)
