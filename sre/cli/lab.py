"""`sre lab`: a simulated fleet with a real Prometheus and Alertmanager, to look at and to break."""

import sys
from pathlib import Path

import click

from sre.cli.inputs import read_inputs
from sre.cli.report import FOUND, exits, plain
from sre.findings import Refused

PORT = 9790
"""The first of three: the fleet, Prometheus and Alertmanager."""

_fleet = click.argument("fleet", type=click.Path(path_type=Path))
_pace = click.option("--pace", type=click.IntRange(1, 300), default=30, show_default=True,
                     help="Seconds of the fleet in one second.")  # fmt: skip
_catalogue = click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
                          help="A folder of your own content over the built-in one.")  # fmt: skip


class _InOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder)
def lab() -> None:
    """Run a simulated fleet behind a real Prometheus and Alertmanager on loopback.

    Nothing is asked of a real fleet, and nobody but the lab itself is notified.
    """


@lab.command()
@_fleet
@click.option(
    "--fault", default="", metavar="NAME", help="What goes wrong from the start, in the first pool."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same fleet.")
@click.option("--port", type=click.IntRange(0, 65533), default=PORT, show_default=True,
              help="The first of three, for the fleet, Prometheus and Alertmanager; 0 is any free ones.")  # fmt: skip
@click.option(
    "--foreground", is_flag=True, help="Stay until it is interrupted, rather than in the background."
)
@_pace
@_catalogue
@exits
def up(
    fleet: Path, fault: str, seed: int, port: int, foreground: bool, pace: int, catalogue: Path | None
) -> None:
    """Start the lab for FLEET, and leave it running.

    Behind each replica stands a queueing model, and baselines are there from the start. Time passes faster for the
    fleet and for the rules alike: an alert of a quarter of an hour fires within half a minute. One lab runs at a time.
    """
    inputs = read_inputs(fleet, catalogue)
    # Imported late: a broken fleet file should be told at once.
    from sre.cli.lab_view import tell_where
    from sre.cli.progress import waiting
    from sre.lab.keeping import keep, start
    from sre.lab.lab import Setup
    from sre.lab.register import Entry, Register, taken

    register = Register.own()
    if foreground:
        setup = Setup(inputs.fleet, inputs.catalogue, inputs.listed, inputs.receivers, pace, seed, port)

        def ready(entry: Entry) -> None:
            tell_where(entry)
            # A pipe would hold it back until the end.
            sys.stdout.flush()

        try:
            keep(setup, fleet, fault, register, lambda _: None, ready)
        finally:
            # In the background somebody else still reads what was said.
            if not register.log.exists():
                register.forget()
    if (running := register.read()) and running.runs:
        raise Refused([taken(running)])
    with waiting("the lab is starting"):
        options = {"--fault": fault, "--seed": seed, "--port": port, "--pace": pace, "--catalogue": catalogue}
        given = [f"{name}={value}" for name, value in options.items() if value is not None]
        command = [sys.executable, "-m", "sre.cli", "lab", "up", "--foreground", *given, "--", str(fleet)]
        found = start(command, register)
    if isinstance(found, int):
        click.echo(register.log.read_text(encoding="utf-8", errors="replace"), err=True, nl=False)
        sys.exit(found)
    tell_where(found)


@lab.command()
@exits
def status() -> None:
    """Say what is broken in the lab, and what fires.

    Exit 1 where none runs.
    """
    from sre.cli.lab_view import tell_state
    from sre.lab.register import Register

    register = Register.own()
    entry = register.read()
    if entry and entry.runs:
        tell_state(entry)
        return
    click.echo("No lab runs.")
    if entry:
        click.echo("One was killed, and what it had started may still run: `sre lab down` ends it.")
    elif register.log.exists():
        said = register.log.read_text(encoding="utf-8", errors="replace").strip()
        click.echo(f"The last one said:\n{plain(said)}")
    sys.exit(FOUND)


@lab.command()
@exits
def down() -> None:
    """Stop the lab, and all that it started.

    With none running there is nothing to do.
    """
    from sre.lab.register import Register

    register = Register.own()
    entry, in_order = register.clear()
    register.forget()
    if entry is None:
        click.echo("No lab runs: nothing to stop.")
        return
    how = "" if in_order else " What it had left behind is gone as well."
    click.echo(f"{plain(entry.name)} is stopped, and its folder is removed.{how}")


@lab.command("break")
@click.argument("fault")
@click.option(
    "--pool", default="", help="The pool that it strikes; the first one of the fleet, where none is named."
)
@exits
def break_(fault: str, pool: str) -> None:
    """Let FAULT strike a pool of the lab that runs.

    Faults are those of rules/faults.yaml. Several may last at once.
    """
    from sre.cli.lab_view import broken, talk
    from sre.lab.breakage import BREAK
    from sre.lab.register import Register, require

    told = talk(require(Register.own()), BREAK, {"fault": fault, "pool": pool})
    click.echo(broken(told["broken"]))


@lab.command()
@exits
def mend() -> None:
    """Heal every pool of the lab that runs."""
    from sre.cli.lab_view import broken, talk
    from sre.lab.breakage import MEND
    from sre.lab.register import Register, require

    mended = talk(require(Register.own()), MEND, {})["mended"]
    click.echo("\n".join(f"mended: {broken(one)}" for one in mended) or "Nothing was broken.")


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
    """Break FLEET, and show the page that the on-call gets.

    It takes about a minute, and everything is stopped and removed in the end. All pools are healthy but for the first
    in which the fault pages somebody; two replicas of each stand for all.
    """
    inputs = read_inputs(fleet, catalogue)
    # Imported late: a broken fleet file should be told at once.
    from sre.cli.page_view import show, show_where
    from sre.cli.watching import screen
    from sre.compile.planning import make_plan
    from sre.lab.demonstration import choose, demonstrate

    case = choose(make_plan(inputs.fleet, inputs.catalogue, inputs.listed), fault)
    with screen(case.pool, case.fault.says, pace) as watch:
        told = demonstrate(inputs.fleet, inputs.catalogue, case, watch, inputs.listed, inputs.receivers, pace)
    show(told, output / "runbooks" / f"{case.proven.alert.name}.md")
    show_where(fleet, (PORT, PORT + 1, PORT + 2))
