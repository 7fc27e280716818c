"""How far a long command is: one line on standard error, and only where a person looks at it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sre.cli.report import plain


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
    """Gives what is to be called with (done, of, what); the line vanishes at the end."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("compiling", total=None)
        yield lambda done, of, what: bar.update(task, completed=done, total=of, description=plain(what))


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Something that turns while nothing else is to be seen; only where a person looks at it."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(plain(what)):
        yield
