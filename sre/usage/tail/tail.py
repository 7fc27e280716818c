"""One log, read on from where it was left, whatever became of its files in between.

What is to be done next follows from the position and the files alone: a reader that was killed and one that was
not take the same steps. Three cases no reader can tell from others, and they are read as the more likely one:
bytes that were written after a copy was made and before the file was truncated are gone, and nobody knows how many;
a file that was truncated and has grown past the place again with the very same bytes counts as never truncated;
the torn end of a file is joined with the next file's beginning unless that looks like the beginning of a record.
"""

import errno
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from sre.usage.tail.batch import Batch, Condition
from sre.usage.tail.framing import STREAMS, Pieces, begins
from sre.usage.tail.generations import File, Unsettled
from sre.usage.tail.position import Mark, Place, Position
from sre.usage.tail.problems import sentence
from sre.usage.tail.shelf import Shelf
from sre.usage.tail.step import Step, advance, replay, rest
from sre.usage.tail.text import HEAD, mark
from sre.usage.tail.trail import being_copied, find, has_text, identity, marks, unknown

_LINGER = 60
"""Seconds for which a rotated file is still looked at after the one that follows was written to."""
_DONE = 1000
"""Rotated files that are remembered as done with, at most."""

Places = tuple[Place, ...]


class Tail:
    """Reads one log: JSON lines, or such lines as a container runtime wraps them (CRI)."""

    def __init__(
        self,
        path: Path,
        position: Position | None = None,
        longest: int = 1 << 20,
        chunk: int = 1 << 20,
        streams: Sequence[str] = STREAMS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``position`` is where an earlier run stopped; None reads the file from its beginning.

        ``longest`` is the cap of a line in bytes, ``chunk`` how many are read at a time, ``streams`` those of a
        container that are read.
        """
        self.path = path
        self._longest, self._chunk, self._streams, self._clock = longest, chunk, streams, clock
        self._shelf, self._problem = Shelf(path), ""
        self.position = self._first_position() if position is None else position

    def read(self) -> Batch:
        """The next lines. Never raises for anything that a log can do: see `condition`."""
        try:
            lines = self._lines()
        except OSError as error:
            self._problem = sentence(self.path, error)
            return Batch([], self.position, more=False, waits=isinstance(error, Unsettled))
        if lines is not None:
            self._problem = ""
        return Batch(lines or [], self.position, more=lines is not None)

    @property
    def problem(self) -> str:
        """As in `Condition`; the rest of which takes a look at the disk."""
        return self._problem

    @property
    def condition(self) -> Condition:
        return Condition(self._problem, self._backlog(), self.position.lost)

    def rewind(self, position: Position) -> None:
        """Go back to an earlier position: what came after it could not be saved."""
        # Files stay open: one that was removed meanwhile could not be found again.
        self.position = position

    def close(self) -> None:
        self._shelf.keep([])

    def _first_position(self) -> Position:
        live = self._shelf.live()
        with suppress(OSError):
            files = [file for file in self._shelf.rotated(self._shelf.files("")) if file.size]
            return Position(done=marks(files), path=str(live))
        return Position(path=str(live))

    def _lines(self) -> list[bytes] | None:
        """Lines, none where the position changed without any, and None where there is nothing to do now."""
        places = self.position.places
        for index in range(len(places) - 1):
            late = self._late(index)
            if late is not None:
                return late
        if not places:
            return self._go_on(None)
        step = self._advance(places, len(places) - 1)
        if step is None:
            return self._locate(places[-1])
        if self._take(places, len(places) - 1, step):
            return step.lines
        if self._shelf.is_live(step.place):
            self._problem = ""
            return self._drop_idle()
        return self._go_on(step.place)

    def _advance(self, places: Places, index: int) -> Step | None:
        """The next lines of one file; None where it is not open, or holds another text by now."""
        text = self._shelf.held(places[index])
        if text is None:
            return None
        pieces, torn = Pieces(), b""
        for earlier in places[:index]:
            known = self._shelf.held(earlier)
            if known:
                replay(known, earlier, pieces, self._longest, self._streams)
                torn = rest(known, earlier, self._longest)
        if places[index].read or not torn or begins(text.at(0, HEAD)):
            torn = b""
        return advance(text, places[index], pieces, torn, self._longest, self._chunk, self._streams)

    def _take(self, places: Places, index: int, step: Step) -> bool:
        """Make the step's place part of the position; False where it is no further than before."""
        new, moved = list(places), step.place.read != places[index].read
        new[index] = step.place
        if not step.older:
            new[:index] = [replace(place, again=place.read) for place in new[:index]]
        if step.joined and moved:
            size = new[index - 1].seen
            new[index - 1] = replace(new[index - 1], read=size, again=size, before="")
        self.position = replace(self.position, places=tuple(new))
        return moved

    def _late(self, index: int) -> list[bytes] | None:
        """What was still written to a rotated file."""
        places = self.position.places
        step = self._advance(places, index)
        if step is not None:
            return step.lines if self._take(places, index, step) else None
        place = places[index]
        others = {identity(other.mark) for other in places} - {identity(place.mark)}
        files = [file for file in self._files() if file.identity not in others]
        found = find(place, files, self._shelf.rotated(files))
        if found and found.whole:
            self._hold(index, place, files[found.index])
        else:
            self._drop(place, place.seen - place.read)
        return []

    def _locate(self, place: Place) -> list[bytes]:
        """Find the file of the place again: at the start, and where the one that is open holds another text."""
        files = self._files()
        strangers = self._unknown(files)
        found = find(place, files, self._shelf.rotated(strangers))
        if found and found.whole:
            self._hold(-1, place, files[found.index])
            return []
        after = files[found.index + 1 :] if found else strangers
        return self._start_anew(place, [file for file in files if file not in after])

    def _start_anew(self, place: Place, before: Sequence[File]) -> list[bytes]:
        """The rest of the file is gone, or was read before it was truncated: whatever came after it is next."""
        lost = self.position.lost + max(0, place.seen - place.read)
        ends = [end for one in self.position.places[:-1] if (end := self._torn(one))]
        self.position = replace(self.position, places=(), done=_done(before), lost=lost)
        self._shelf.keep([])
        return ends

    def _hold(self, index: int, place: Place, file: File) -> None:
        """Go on with this file: the one of the place, or a copy of it that was made before it was truncated."""
        places, size = list(self.position.places), self._shelf.open(file).size()
        lost = max(0, place.seen - size) if size is not None and file.identity != identity(place.mark) else 0
        known = Mark(file.device, file.inode, place.mark.length, place.mark.hash)
        places[index] = replace(place, mark=known, seen=place.seen - lost)
        self.position = replace(self.position, places=tuple(places), lost=self.position.lost + lost)

    def _go_on(self, place: Place | None) -> list[bytes] | None:
        """To the file that follows, once there is something in it; None where there is none."""
        files = self._files()
        after = [file for file in self._after(place, files) if has_text(file)]
        self._problem = self._absence(files)
        if not after:
            return None
        if being_copied(after[0], files[-1], self._clock()):
            raise Unsettled(f"{after[0].path} may be a copy that is still being made")
        self._shelf.open(after[0])
        places, broken = self.position.places, 0
        if place:
            # A writer that has gone on to the next file is through with this one: only now is its end the end.
            step = self._advance(places, len(places) - 1)
            if step is None or self._take(places, len(places) - 1, step):
                return step.lines if step else []
            broken = self._broken(place, after[0])
        return self._switch(files, after, broken)

    def _after(self, place: Place | None, files: Sequence[File]) -> Sequence[File]:
        """The files that were begun later than the one of the place, which is open and may be packed or gone."""
        if place is None:
            return self._unknown(files)
        for index, file in enumerate(files):
            if file.identity == identity(place.mark):
                return files[index + 1 :]
        strangers = self._unknown(files)
        found = find(place, files, self._shelf.rotated(strangers))
        return files[found.index + 1 :] if found else strangers

    def _switch(self, files: Sequence[File], after: Sequence[File], lost: int) -> list[bytes] | None:
        """Begin the next file. One of which no line was read has no place yet: too little of it is known."""
        text = self._shelf.open(after[0])
        places = (*self.position.places, Place(mark(text), seen=text.size() or 0))
        step = self._advance(places, len(places) - 1)
        if step is None:
            return []
        if step.place.read == 0 and len(after) == 1:
            return None
        done = _done(files[: files.index(after[0])])
        path = str(self._shelf.live()) if after[0] == files[-1] else self.position.path
        self.position = replace(self.position, done=done, path=path, lost=self.position.lost + lost)
        self._take(places, len(places) - 1, step)
        ends = [line for older in self.position.places[:-2] for line in self._let_go(older)]
        return ends + step.lines

    def _broken(self, place: Place, following: File) -> int:
        """Bytes that are lost where a packed file breaks off. It may still be written: only an old one is damaged."""
        text = self._shelf.held(place)
        if text is None or not (bad := text.broken()):
            return 0
        now = max(following.changed / 1e9, self._clock())
        if now - text.changed() / 1e9 < _LINGER:
            self._shelf.forget(text)
            raise Unsettled("a packed file breaks off: it is still being written, or damaged")
        return bad

    def _drop_idle(self) -> list[bytes] | None:
        """Let go of rotated files to which nothing more will be written."""
        *older, last = self.position.places
        live = self._shelf.held(last)
        for place in older:
            text = self._shelf.held(place)
            if text and live and last.read and live.changed() - text.changed() > _LINGER * 10**9:
                return self._let_go(place)
        return None

    def _let_go(self, place: Place) -> list[bytes]:
        """The torn end of a file that nobody will write to again, as the line that it is."""
        if place.again < place.read:
            return []
        torn = self._torn(place)
        self._drop(place, 0)
        return [torn] if torn else []

    def _torn(self, place: Place) -> bytes:
        text = self._shelf.held(place)
        return rest(text, place, self._longest) if text else b""

    def _drop(self, place: Place, lost: int) -> None:
        places = tuple(one for one in self.position.places if one != place)
        self.position = replace(self.position, places=places, lost=self.position.lost + max(0, lost))
        self._shelf.keep(places)

    def _files(self) -> list[File]:
        return self._shelf.files(self.position.path)

    def _unknown(self, files: Sequence[File]) -> list[File]:
        return unknown(files, self.position.done, self._shelf.live())

    def _absence(self, files: Sequence[File]) -> str:
        if not self.path.exists():
            return sentence(self.path, FileNotFoundError(errno.ENOENT, "", str(self.path)))
        if files and not files[-1].regular:
            return sentence(self.path, IsADirectoryError(errno.EISDIR, "", str(self.path)))
        return ""

    def _backlog(self) -> int:
        try:
            files = self._files()
            if not self.position.places:
                return sum(file.size for file in self._unknown(files))
        except OSError:
            return 0
        last = self.position.places[-1]
        here = [i for i, file in enumerate(files) if file.identity == identity(last.mark)]
        sizes = sum(file.size for file in files[here[0] :]) if here else 0
        return max(0, sizes - last.read)


def _done(files: Sequence[File]) -> tuple[Mark, ...]:
    return marks([file for file in files if file.size])[-_DONE:]
