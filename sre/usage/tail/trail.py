"""Which file a place lies in now, and which files come after it: rotated, copied, packed, gone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sre.usage.tail.generations import File, Unsettled
from sre.usage.tail.position import Mark, Place
from sre.usage.tail.text import HEAD, Text, digest, mark, open_text

BEFORE = 64
"""Bytes before the place that are compared as well: logs may begin alike."""
_COPYING = 10.0
"""Seconds after which a copy that does not grow is taken for a finished one."""


@dataclass(frozen=True)
class Found:
    """The file that holds a place, and its index among the log's files. ``whole``: what was read lies in it.

    Where it does not, the file is a copy that was made before all of that was written.
    """

    index: int
    whole: bool


def holds(text: Text, place: Place) -> bool:
    """Whether this is the text that the place is in: long enough, and with the same bytes where they are known."""
    size = text.size()
    if size is not None and size < max(place.read, place.mark.length):
        return False
    if not begins_alike(text, place.mark):
        return False
    if text.packed or not place.before:
        return True
    start = max(0, place.read - BEFORE)
    return digest(text.at(start, place.read - start)) == place.before


def begins_alike(text: Text, known: Mark) -> bool:
    head = text.at(0, known.length)
    return len(head) == known.length and (not head or digest(head) == known.hash)


def find(place: Place, files: Sequence[File], strangers: Sequence[File]) -> Found | None:
    """The file of a place: the same inode first, else a copy or a packed one among ``strangers``.

    Raises OSError where a file is shut: it could be the one.
    """
    for index, file in enumerate(files):
        if file.identity == identity(place.mark) and _opened_holds(file, place):
            return Found(index, whole=True)
    # Without a byte to know it by, any file would do.
    candidates = [f for f in strangers if f.identity != identity(place.mark)] if place.mark.length else []
    copy = next((file for file in candidates if _opened_holds(file, place)), None)
    if copy:
        return Found(files.index(copy), whole=True)
    short = next((file for file in reversed(candidates) if _is_short(file, place)), None)
    return Found(files.index(short), whole=False) if short else None


def _opened_holds(file: File, place: Place) -> bool:
    with _opened(file) as text:
        return holds(text, place)


def _is_short(file: File, place: Place) -> bool:
    with _opened(file) as text:
        return (text.size() or 0) < place.read and begins_alike(text, place.mark)


def unknown(files: Sequence[File], done: Sequence[Mark], live: Path) -> list[File]:
    """Files that are not among those that are done with, oldest first; the live one is nobody's copy."""
    left = list(done)
    rest = [file for file in files if not _claim(file, left, same_inode=True)]
    return [file for file in rest if file.path == live or not _claim(file, left, same_inode=False)]


def _claim(file: File, left: list[Mark], *, same_inode: bool) -> bool:
    for known in left:
        if (file.identity == identity(known)) is same_inode and _is(file, known, same_inode):
            left.remove(known)
            return True
    return False


def _is(file: File, known: Mark, same_inode: bool) -> bool:
    if not known.length:
        return same_inode
    try:
        with _opened(file) as text:
            # A short beginning says little: the whole file must be as short, or be the same by its inode.
            alone = known.length == HEAD or same_inode or len(text.at(0, HEAD)) == known.length
            return alone and begins_alike(text, known)
    except Unsettled:
        raise
    except OSError:
        return same_inode


def marks(files: Sequence[File]) -> tuple[Mark, ...]:
    """Marks of files that are done with; one that may not be opened is known by its inode alone."""
    found = []
    for file in files:
        try:
            with _opened(file) as text:
                found.append(mark(text))
        except Unsettled:
            raise
        except OSError:
            found.append(Mark(file.device, file.inode, 0, ""))
    return tuple(found)


def being_copied(copy: File, original: File, now: float) -> bool:
    """Whether one file may be a copy of the other that is still being made: the other is truncated after it.

    Until then all that the copy holds would be read twice. A copy that nobody wrote to for a while is finished.
    """
    if copy.packed or copy is original or original.size < copy.size or now - copy.changed / 1e9 > _COPYING:
        return False
    with _opened(copy) as one, _opened(original) as other:
        end = max(0, copy.size - BEFORE)
        return one.at(0, min(HEAD, copy.size)) == other.at(0, min(HEAD, copy.size)) and one.at(
            end, copy.size - end
        ) == other.at(end, copy.size - end)


def has_text(file: File) -> bool:
    """Whether there is something in it; a packed file of nothing has bytes, too."""
    if not file.packed or not file.size:
        return bool(file.size)
    with _opened(file) as text:
        return bool(text.at(0, 1)) or bool(text.broken())


def identity(known: Mark) -> tuple[int, int]:
    return known.device, known.inode


@contextmanager
def _opened(file: File) -> Iterator[Text]:
    text = open_text(file)
    try:
        yield text
    finally:
        text.close()
