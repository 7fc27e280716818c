"""Formats by name, from the built-in catalogue and a team's own folders over it."""

from collections.abc import Sequence
from pathlib import Path

from sre.usage.formats.format import Format


def format_names(catalogue_dirs: Sequence[Path] = ()) -> list[str]:
    """What a route's ``format:`` may name."""
    raise NotImplementedError


def load_format(name: str, catalogue_dirs: Sequence[Path] = (), *, trusted: bool = False) -> Format:
    """The format ``name``; ``catalogue_dirs`` are laid over the built-in content, the last one wins.

    Fields that a client can set itself (a team header) reach ``record.team`` on a ``trusted`` route alone, so
    whoever reads the record need not ask again. Raises ``Refused`` with every finding of the format's files.
    """
    raise NotImplementedError
