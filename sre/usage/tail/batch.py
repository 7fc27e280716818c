"""What a log gives, and how it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from sre.usage.tail.position import Position


@dataclass(frozen=True)
class Batch:
    """Whole lines without their newlines, in order, and the position after them.

    ``more`` says that the log goes on: call again at once. ``waits`` says that it goes on soon: a file is being
    renamed, copied or packed. Empty lines are left out; one longer than the cap is cut to one byte more than it,
    so that whoever decodes it sees that it is too long.
    """

    lines: Sequence[bytes]
    position: Position
    more: bool
    waits: bool = False


@dataclass(frozen=True)
class Condition:
    """How the log is: ``problem`` is empty, or says in a sentence why nothing can be read and what to do.

    ``backlog`` are the bytes known to be unread, packed files as they lie on the disk; ``lost`` as in `Position`.
    """

    problem: str = ""
    backlog: int = 0
    lost: int = 0
