"""One step through one file: the next lines, and the place after them."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from sre.usage.tail.framing import Frame, Pieces, frame
from sre.usage.tail.position import Mark, Place
from sre.usage.tail.text import HEAD, Text, digest
from sre.usage.tail.trail import BEFORE


class Step(NamedTuple):
    """``joined``: the lines begin with the torn end of the file before; ``older``: pieces of it are still open."""

    lines: list[bytes]
    place: Place
    joined: bool = False
    older: bool = True


def advance(
    text: Text, place: Place, pieces: Pieces, torn: bytes, longest: int, chunk: int, streams: Sequence[str]
) -> Step | None:
    """What comes after a place; None where the text is another one by now, truncated or replaced.

    ``torn`` is the unfinished end of the file before, where this one goes on with it. ``chunk`` bytes are read,
    and more only where they hold no whole line.
    """
    data, again = text.at(place.again, place.read - place.again + chunk), place.read - place.again
    if len(data) == again + chunk and b"\n" not in data[again:]:
        data = text.at(place.again, again + max(chunk, longest + 2))
    # What lies before is looked at after the data was read: a file that was truncated in between is found out.
    ahead = b"" if text.packed else text.at(max(0, place.read - BEFORE), min(BEFORE, place.read))
    head, size = text.at(0, HEAD), text.size()
    if len(data) < again or not _same(place, head, ahead, size):
        return None
    place = replace(place, mark=_grown(place.mark, head), seen=max(size or 0, place.again + len(data)))
    if len(data) == again:
        return Step([], place)
    if torn:
        found = frame(torn + data, -len(torn), _at(place, -len(torn)), pieces, longest, streams)
    else:
        found = frame(data, place.again, _at(place, 0), pieces, longest, streams)
    if found.read <= place.read:
        return Step(found.lines, place)
    end = found.read - place.again
    before = digest((ahead + data[max(again, end - BEFORE) : end])[-BEFORE:]) if not text.packed else ""
    place = replace(place, read=found.read, again=max(0, found.again), inside=found.inside, before=before)
    return Step(found.lines, place, joined=bool(torn), older=pieces.older)


def rest(text: Text, place: Place, longest: int) -> bytes:
    """The torn end of a file: what comes after its last newline, one byte over the cap at most."""
    if place.inside:
        return b""
    left = text.at(place.read, longest + 1)
    return b"" if b"\n" in left else left.lstrip(b"\0")


def replay(text: Text, place: Place, pieces: Pieces, longest: int, streams: Sequence[str]) -> None:
    """Find the unfinished lines of a file again; the file after it goes on with them."""
    if place.again < place.read:
        data = text.at(place.again, place.read - place.again)
        frame(data, place.again, _at(place, 0), pieces, longest, streams)
    pieces.carry(place.read)


def _at(place: Place, shift: int) -> Frame:
    return Frame([], place.read + shift, place.again + shift, place.inside)


def _same(place: Place, head: bytes, ahead: bytes, size: int | None) -> bool:
    known = head[: place.mark.length]
    if len(known) < place.mark.length or (known and digest(known) != place.mark.hash):
        return False
    if size is None:
        return True
    return size >= place.read and (not place.before or digest(ahead) == place.before)


def _grown(mark: Mark, head: bytes) -> Mark:
    return replace(mark, length=len(head), hash=digest(head)) if len(head) > mark.length else mark
