"""The one state file: counts and positions, saved together or not at all.

A damaged, foreign or newer file is an error that says what to do. It is never taken for an empty one: counters
that start at 0 again, over logs that are not read again, would be a silent loss.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sre.usage.tail.position import Position


class State(msgspec.Struct):
    """``counts`` is ``Intake.snapshot()``; positions by the name of the route."""

    counts: object
    positions: Mapping[str, Position]


class StateFile:
    """Holds the lock of the file as long as it is open, so that no second exporter counts into it."""

    def __init__(self, path: Path) -> None:
        """Raises `Refused` where the folder cannot be used or another process has the file."""
        raise NotImplementedError

    def load(self) -> State | None:
        """What was saved last; None where nothing ever was. Raises `Refused` for a file that cannot be used."""
        raise NotImplementedError

    def save(self, state: State) -> None:
        """All of it or nothing (temporary file, fsync, rename, fsync of the folder). Raises OSError."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
