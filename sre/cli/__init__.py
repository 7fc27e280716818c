"""The `sre` command: one file per noun, each imported when it is called, so that `sre --help` stays fast."""

import gc
from importlib import import_module
from typing import Any

from sre import __version__
from sre.cli.ending import ended_by_output, ended_by_signals

with ended_by_signals():
    # The first import that takes long enough to be interrupted.
    import click

_COMMANDS = {
    "generate": "Compile a fleet file into rules, routes, dashboards, runbooks and proofs.",
    "init": "Write a first fleet file, its JSON Schema and a pipeline snippet.",
    "prove": "Strike every fault in a simulated fleet, and say what its alerts did.",
    "doctor": "Ask a live server which alerts see, which are blind, and why.",
    "simulate": "Serve the metrics of a simulated fleet, healthy or with faults.",
    "lab": "Run a simulated fleet with a real Prometheus and Alertmanager, to look at and to break.",
    "idle": "Say what every card did, whose it was, what standing still cost, and what to do.",
    "chargeback": "Bill a month: costs to teams, closed to the cent; close, verify, compare and explain it.",
    "breakeven": "Compare one's own cards with APIs: at which volume and utilisation they get cheaper.",
    "backtest": "Evaluate the alerts over a server's history: firings, flaps, pages per week.",
}
"""Name -> the line that the help shows; the command itself lies in the module of that name."""


class _Lazy(click.Group):
    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and end in order whatever stops it."""
        with ended_by_signals(), ended_by_output():
            return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"sre.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sre")
def main() -> None:
    """Keep self-hosted LLM fleets up, honest and paid for.

    Exit codes: 0 clean (warnings included), 1 findings, 2 bad input or usage (nothing written), 3 a server
    cannot be reached or answered only in part, 4 what there is to say cannot be written. A signal ends a run
    with 128 and its number: 130 on an interrupt, 143 when terminated.
    """
    # What a command makes mostly lives until it ends; searching it for garbage all the time costs a tenth of the run.
    gc.set_threshold(100_000, 50, 100)
