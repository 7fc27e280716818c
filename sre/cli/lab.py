"""`sre lab`: a simulated fleet with a real Prometheus and Alertmanager, to look at and to break."""

from pathlib import Path

import click

from sre.cli.inputs import read_inputs
from sre.cli.report import exits

PORT = 9790
"""The first of three: the fleet, Prometheus and Alertmanager."""

_fleet = click.argument("fleet", type=click.Path(path_type=Path))
_pace = click.option("--pace", type=click.IntRange(1, 300), default=30, show_default=True,
                     help="Seconds of the fleet in one second.")  # fmt: skip
_catalogue = click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
                          help="A folder of your own content over the built-in one.")  # fmt: skip


@click.group()
def lab() -> None:
    """Run a simulated fleet behind a real Prometheus and Alertmanager on loopback.

    Nothing is asked of a real fleet, and nobody but the lab itself is notified.
    """


@lab.command()
@_fleet
@click.option(
    "--fault", default="batch_limit", show_default=True, help="What goes wrong: a fault that pages."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("out"), show_default=True,
              help="Where `sre generate` wrote the runbooks.")  # fmt: skip
@_pace
@_catalogue
@exits
def demo(fleet: Path, fault: str, output: Path, pace: int, catalogue: Path | None) -> None:
    """Let one fault strike FLEET, and end with the page that the on-call gets, in about a minute.

    Everything is stopped and removed in the end.
    """
    inputs = read_inputs(fleet, catalogue)
    # Imported late: a broken fleet file should be told at once.
    from sre.cli.page_view import show, show_where
    from sre.cli.watching import screen
    from sre.compile.planning import make_plan
    from sre.lab.demonstration import choose, demonstrate

    case = choose(make_plan(inputs.fleet, inputs.catalogue, inputs.listed), fault)
    with screen(case.pool, case.fault.says) as watch:
        told = demonstrate(inputs.fleet, inputs.catalogue, case, watch, inputs.listed, inputs.receivers, pace)
    show(told, output / "runbooks" / f"{case.proven.alert.name}.md")
    show_where(fleet, (PORT, PORT + 1, PORT + 2))
