"""`sre exporter`: usage by team from the gateway's records, as metrics."""

import os
import sys
from pathlib import Path

import click

from sre.cli.report import exits, report

_config = click.option(
    "--config", "path", required=True, type=click.Path(path_type=Path), help="The exporter's YAML file."
)


@click.group()
def exporter() -> None:
    """Count who used what from a gateway's records, and serve it as metrics."""


@exporter.command()
@_config
@exits
def run(path: Path) -> None:
    """Read the routes of the configuration and serve /metrics, until it is terminated.

    Counts and positions are kept in the state file, and nothing is shown that is not saved. SIGHUP reads the
    configuration again, and keeps the one in use where the new one is wrong. SIGTERM and an interrupt save and end
    with 0.
    """
    # Imported late: `--help` needs none of it.
    from sre.cli.exporter_life import live
    from sre.usage.config import read_config

    config, warnings = read_config(path, os.environ)
    live(path, config, warnings)


@exporter.command()
@_config
@exits
def check(path: Path) -> None:
    """Say everything that is wrong with a configuration, or doubtful about it.

    A variable of `token_env` that is not set is no error here: it has to be there where the exporter runs.
    """
    from sre.usage.config import read_config

    config, warnings = read_config(path, os.environ, serving=False)
    report(warnings)
    routes = ", ".join(f"{route.kind} {route.path} as {route.format}" for route in config.routes)
    click.echo(f"{path} can be used: {routes}.")


@exporter.command("hash-key")
@click.option(
    "--config", "path", type=click.Path(path_type=Path),
    help="Hash with the salt of the keys that this file has already: then one look-up finds them all.",
)  # fmt: skip
@exits
def hash_key(path: Path | None) -> None:
    """Hash API keys for `identity.keys` of the configuration.

    A key is asked for, or read from standard input, one a line; never given as an argument, where the process list
    and the shell's history would keep it. Give the key that clients send, or LiteLLM's own hash of it: both give the
    same.
    """
    import secrets

    from sre.usage import keys
    from sre.usage.config import read_config

    salt = None
    if path:
        config, _ = read_config(path, os.environ, serving=False)
        salt = keys.common_salt(map(str, config.identity.keys))
    salt = salt or secrets.token_bytes(keys.SALT_BYTES)
    for key in _keys():
        click.echo(keys.hash_key(key, salt))


def _keys() -> list[str]:
    if sys.stdin.isatty():
        return [str(click.prompt("API key", hide_input=True, err=True)).strip()]
    found = [line.strip() for line in sys.stdin.read().splitlines() if line.strip()]
    if not found:
        raise click.UsageError("no key came on standard input: give one a line")
    return found
