"""The options with which every command finds its server."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from sre.prometheus import Server

F = TypeVar("F", bound=Callable[..., object])

_OPTIONS = (
    click.option("--token-env", metavar="NAME", help="The environment variable that holds a bearer token."),
    click.option("--header", "headers", metavar="HEADER", multiple=True,
                 help="Sent with every question, such as 'X-Scope-OrgID: tenant'. May be repeated."),
    click.option("--timeout", type=click.FloatRange(min=1), default=60, show_default=True,
                 help="Seconds for one answer of the server."),
)  # fmt: skip


def server_options(command: F) -> F:
    """Add ``token_env``, ``headers`` and ``timeout`` to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def connect(url: str, token_env: str | None, headers: tuple[str, ...], timeout: float) -> "Server":
    """The server at an address; asks nothing yet. Raises ``Refused``."""
    # Imported late: requests is slow to import, and `--help` needs none of it.
    from sre.prometheus import connect as connect_to

    return connect_to(url, os.environ, token_env=token_env, headers=headers, timeout=timeout)
