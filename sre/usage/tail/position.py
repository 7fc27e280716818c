"""How far a log has been read: what the state file keeps, without a byte of the log's text."""

import msgspec


class Mark(msgspec.Struct, frozen=True):
    """What tells one file from another: device and inode, and a hash of its first bytes.

    ``hash`` covers the first ``length`` bytes, 256 at most; a file that was copied or packed keeps it.
    """

    device: int
    inode: int
    length: int
    hash: str


class Place(msgspec.Struct, frozen=True):
    """How far one file has been read. Offsets are in bytes of the text, also where the file is packed.

    Everything before ``read`` has been delivered. ``again`` is where the oldest unfinished piece of a line
    begins (equal to ``read`` where there is none), ``seen`` the largest size that the file was known to have,
    ``before`` a hash of the bytes just before ``read``. ``inside`` says that ``read`` lies within a line that
    was too long, and the rest of it is to be skipped.
    """

    mark: Mark
    read: int = 0
    again: int = 0
    seen: int = 0
    before: str = ""
    inside: bool = False


class Position(msgspec.Struct, frozen=True):
    """How far a log has been read: files still being read, oldest first, and those that are done with.

    The last place is where reading goes on; the ones before it are rotated files that somebody may still write
    to. ``lost`` counts bytes that are known to have been in the log and gone before they could be read. ``path``
    is where the log's name led to, links followed.
    """

    places: tuple[Place, ...] = ()
    done: tuple[Mark, ...] = ()
    lost: int = 0
    path: str = ""
