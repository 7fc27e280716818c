"""One log, read on from where it was left."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sre.usage.tail.position import Position


@dataclass(frozen=True)
class Batch:
    """Whole lines without their newlines, in order, and the position after them.

    ``more`` says that the log goes on: call again at once. Empty lines are left out; one longer than the cap
    is cut to one byte more than it, so that whoever decodes it sees that it is too long.
    """

    lines: Sequence[bytes]
    position: Position
    more: bool


@dataclass(frozen=True)
class Condition:
    """How the log is: ``problem`` is empty, or says in a sentence why nothing can be read and what to do.

    ``backlog`` are the bytes known to be unread, packed files as they lie on the disk; ``lost`` as in `Position`.
    """

    problem: str = ""
    backlog: int = 0
    lost: int = 0


class Tail:
    """Reads one log: JSON lines, or such lines as a container runtime wraps them (CRI)."""

    def __init__(self, path: Path, position: Position | None = None, longest: int = 1 << 20) -> None:
        """``position`` is where an earlier run stopped; None reads the file from its beginning."""
        raise NotImplementedError

    def read(self) -> Batch:
        """The next lines. Never raises for anything that a log can do: see `condition`."""
        raise NotImplementedError

    @property
    def condition(self) -> Condition:
        raise NotImplementedError

    def rewind(self, position: Position) -> None:
        """Go back to an earlier position: what came after it could not be saved."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
