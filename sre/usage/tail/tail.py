"""One log, read on from where it was left, whatever became of its files in between.

What is to be done next follows from the position and the files alone: a reader that was killed and one that was
not take the same steps. Three cases no reader can tell from others, and they are read as the more likely one:
bytes that were written after a copy was made and before the file was truncated are gone, and nobody knows how many;
a file that was truncated and has grown past the place again with the very same bytes counts as never truncated;
the torn end of a file is joined with the next file's beginning unless that looks like the beginning of a record.
"""

import errno
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from sre.usage.tail.framing import STREAMS, Pieces, begins
from sre.usage.tail.generations import File, Unsettled, generations
from sre.usage.tail.position import Mark, Place, Position
from sre.usage.tail.problems import sentence
from sre.usage.tail.step import Step, advance, replay, rest
from sre.usage.tail.text import HEAD, Text, mark, open_text
from sre.usage.tail.trail import being_copied, find, has_text, identity, marks, unknown

_LINGER = 60 * 10**9
"""Nanoseconds for which a rotated file is still looked at after the one that follows was written to."""
_DONE = 1000


@dataclass(frozen=True)
class Batch:
    """Whole lines without their newlines, in order, and the position after them.

    ``more`` says that the log goes on: call again at once. ``waits`` says that it goes on soon: a file is being
    renamed, copied or packed. Empty lines are left out; one longer than the cap
    is cut to one byte more than it, so that whoever decodes it sees that it is too long.
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
        self._longest, self._streams, self._clock = longest, streams, clock
        self._chunk = max(chunk, longest + 2)
        self._texts: dict[tuple[int, int], Text] = {}
        self._problem = ""
        self.position = self._first_position() if position is None else position

    def read(self) -> Batch:
        """The next lines. Never raises for anything that a log can do: see `condition`."""
        try:
            lines = self._lines()
            if lines is not None:
                self._problem = ""
        except OSError as error:
            self._problem = sentence(self.path, error)
            return Batch([], self.position, more=False, waits=isinstance(error, Unsettled))
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
        for text in self._texts.values():
            text.close()
        self._texts.clear()

    def _first_position(self) -> Position:
        path = os.path.realpath(self.path)
        with suppress(OSError):
            files = [file for file in generations(Path(path)) if file.size]
            return Position(done=marks([file for file in files if str(file.path) != path]), path=path)
        return Position(path=path)

    def _lines(self) -> list[bytes] | None:
        """Lines, none where the position changed without any, and None where there is nothing to do now."""
        for index in range(len(self.position.places) - 1):
            late = self._late(index)
            if late is not None:
                return late
        if not self.position.places:
            return self._go_on(None)
        step = self._advance(-1)
        if step is None:
            return self._locate(self.position.places[-1])
        if self._take(-1, step):
            return step.lines
        if self._is_live(step.place):
            self._problem = ""
            return self._drop_idle()
        return self._go_on(step.place)

    def _late(self, index: int) -> list[bytes] | None:
        """What was still written to a rotated file."""
        step = self._advance(index)
        if step is not None:
            return step.lines if self._take(index, step) else None
        place = self.position.places[index]
        others = {identity(p.mark) for p in self.position.places} - {identity(place.mark)}
        files = [file for file in self._files() if file.identity not in others]
        found = find(place, files, self._rotated(files))
        if found and found.whole:
            self._hold(index, place, files[found.index])
        else:
            self._drop(place, place.seen - place.read)
        return []

    def _advance(self, index: int) -> Step | None:
        places = self.position.places
        text = self._texts.get(identity(places[index].mark))
        if text is None:
            return None
        pieces, torn = Pieces(), b""
        for earlier in places[:index] if index else ():
            known = self._texts.get(identity(earlier.mark))
            if known:
                replay(known, earlier, pieces, self._longest, self._streams)
                torn = rest(known, earlier, self._longest)
        if places[index].read or not torn or begins(text.at(0, HEAD)):
            torn = b""
        return advance(text, places[index], pieces, torn, self._longest, self._chunk, self._streams)

    def _take(self, index: int, step: Step) -> bool:
        """Make the step's place the position; False where it is no further than before."""
        places = list(self.position.places)
        moved = step.place.read != places[index].read
        places[index] = step.place
        if not step.older:
            places[:index] = [replace(place, again=place.read) for place in places[:index]]
        if step.joined and moved:
            size = places[index - 1].seen
            places[index - 1] = replace(places[index - 1], read=size, again=size, before="")
        self.position = replace(self.position, places=tuple(places))
        return moved

    def _locate(self, place: Place) -> list[bytes] | None:
        """Find the file of the place again: at the start, and where the one that is open holds another text."""
        files = self._files()
        strangers = self._unknown(files)
        found = find(place, files, self._rotated(strangers))
        if found and found.whole:
            self._hold(-1, place, files[found.index])
            return []
        after = files[found.index + 1 :] if found else strangers
        return self._start_anew(place, [file for file in files if file not in after])

    def _start_anew(self, place: Place, before: Sequence[File]) -> list[bytes]:
        """The rest of the file is gone, or was read before it was truncated: whatever came after it is next."""
        lost = self.position.lost + max(0, place.seen - place.read)
        ends = [end for one in self.position.places[:-1] if (end := self._torn(one))]
        done = marks([file for file in before if file.size])[-_DONE:]
        self.position = replace(self.position, places=(), done=done, lost=lost)
        self._prune()
        return ends

    def _hold(self, index: int, place: Place, file: File) -> None:
        """Go on with this file: the one of the place, or a copy of it that was made before it was truncated."""
        text = self._open(file)
        places, size = list(self.position.places), text.size()
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
        self._open(after[0])
        if place:
            # A writer that has gone on to the next file is through with this one: only now is its end the end.
            step = self._advance(-1)
            if step is None or self._take(-1, step):
                return step.lines if step else []
            self._check_whole(place, after[0])
        return self._switch(files, after)

    def _after(self, place: Place | None, files: Sequence[File]) -> Sequence[File]:
        """The files that were begun later than the one of the place, which is open and may be packed or gone."""
        for index, file in enumerate(files if place else ()):
            if place and file.identity == identity(place.mark):
                return files[index + 1 :]
        strangers = self._unknown(files)
        found = find(place, files, self._rotated(strangers)) if place else None
        return files[found.index + 1 :] if found else strangers

    def _absence(self, files: Sequence[File]) -> str:
        if not self.path.exists():
            return sentence(self.path, FileNotFoundError(errno.ENOENT, "", str(self.path)))
        if files and not files[-1].regular:
            return sentence(self.path, IsADirectoryError(errno.EISDIR, "", str(self.path)))
        return ""

    def _switch(self, files: Sequence[File], after: Sequence[File]) -> list[bytes] | None:
        """Begin the next file. One of which no line was read has no place yet: too little of it is known."""
        before, text = self.position, self._open(after[0])
        done = marks([file for file in files[: files.index(after[0])] if file.size])[-_DONE:]
        path = str(self._live()) if after[0] == files[-1] else before.path
        places = (*before.places, Place(mark(text), seen=text.size() or 0))
        self.position = replace(before, places=places, done=done, path=path)
        step = self._advance(-1)
        if step is None or not (self._take(-1, step) or len(after) > 1):
            self.position = before
            return None if step else []
        ends = [line for older in self.position.places[:-2] for line in self._let_go(older)]
        return ends + step.lines

    def _check_whole(self, place: Place, following: File) -> None:
        """A packed file that breaks off may still be written; once it is old, what is missing is lost."""
        text = self._texts.get(identity(place.mark))
        if text is None or not (bad := text.broken()):
            return
        if (
            following.changed - text.changed() < _LINGER
            and self._clock() - text.changed() / 1e9 < _LINGER / 1e9
        ):
            self._forget(text)
            raise Unsettled("a packed file breaks off: it is still being written, or damaged")
        self.position = replace(self.position, lost=self.position.lost + bad)

    def _drop_idle(self) -> list[bytes] | None:
        """Let go of rotated files to which nothing more will be written."""
        *older, last = self.position.places
        live = self._texts.get(identity(last.mark))
        for place in older:
            text = self._texts.get(identity(place.mark))
            if text and live and last.read and live.changed() - text.changed() > _LINGER:
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
        text = self._texts.get(identity(place.mark))
        return rest(text, place, self._longest) if text else b""

    def _drop(self, place: Place, lost: int) -> None:
        places = tuple(one for one in self.position.places if one != place)
        self.position = replace(self.position, places=places, lost=self.position.lost + max(0, lost))
        self._prune()

    def _unknown(self, files: Sequence[File]) -> list[File]:
        return unknown(files, self.position.done, self._live())

    def _rotated(self, files: Sequence[File]) -> list[File]:
        """Those that may be a copy: nobody copies onto a log that is being written."""
        return [file for file in files if file.path != self._live()]

    def _live(self) -> Path:
        return Path(os.path.realpath(self.path))

    def _files(self) -> list[File]:
        """All files of the log, oldest first; where a link leads elsewhere by now, those that it led to before too."""
        path = os.path.realpath(self.path)
        files: list[File] = []
        if self.position.path not in {"", path}:
            with suppress(FileNotFoundError):
                files = generations(Path(self.position.path))
        now = generations(Path(path))
        known = {file.identity for file in now}
        return [file for file in files if file.identity not in known] + now

    def _is_live(self, place: Place) -> bool:
        try:
            status = self.path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == identity(place.mark)

    def _open(self, file: File) -> Text:
        text = self._texts.get(file.identity)
        if text is None:
            text = open_text(file)
            self._texts[file.identity] = text
        return text

    def _forget(self, text: Text) -> None:
        del self._texts[text.device, text.inode]
        text.close()

    def _prune(self) -> None:
        kept = {identity(place.mark) for place in self.position.places}
        for text in [text for known, text in self._texts.items() if known not in kept]:
            self._forget(text)

    def _backlog(self) -> int:
        try:
            files = self._files()
        except OSError:
            return 0
        if not self.position.places:
            return sum(file.size for file in self._unknown(files))
        last = self.position.places[-1]
        here = [i for i, file in enumerate(files) if file.identity == identity(last.mark)]
        sizes = sum(file.size for file in files[here[0] :]) if here else 0
        return max(0, sizes - last.read)
