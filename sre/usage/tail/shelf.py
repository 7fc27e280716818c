"""The files of one log: those that lie in its folder, and those that are open."""

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from sre.usage.tail.generations import File, generations
from sre.usage.tail.position import Place
from sre.usage.tail.text import Text, open_text
from sre.usage.tail.trail import identity


class Shelf:
    """Files stay open under their inodes: renamed or removed they are read on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._texts: dict[tuple[int, int], Text] = {}

    def live(self) -> Path:
        """Where the log's name leads to, links followed."""
        return Path(os.path.realpath(self.path))

    def is_live(self, place: Place) -> bool:
        """Whether the log's name still leads to the file of the place."""
        try:
            status = self.path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == identity(place.mark)

    def files(self, before: str) -> list[File]:
        """All files of the log, oldest first; where its name led ``before`` to another one, that one's come first."""
        live, old = self.live(), list[File]()
        if before not in {"", str(live)}:
            with suppress(FileNotFoundError):
                old = generations(Path(before))
        now = generations(live)
        known = {file.identity for file in now}
        return [file for file in old if file.identity not in known] + now

    def rotated(self, files: Sequence[File]) -> list[File]:
        """Those that may be a copy: nobody copies onto a log that is being written."""
        return [file for file in files if file.path != self.live()]

    def held(self, place: Place) -> Text | None:
        """The open file of a place."""
        return self._texts.get(identity(place.mark))

    def open(self, file: File) -> Text:
        text = self._texts.get(file.identity)
        if text is None:
            text = self._texts[file.identity] = open_text(file)
        return text

    def forget(self, text: Text) -> None:
        del self._texts[text.device, text.inode]
        text.close()

    def keep(self, places: Collection[Place]) -> None:
        """Close all files but those of the places."""
        kept = {identity(place.mark) for place in places}
        for text in [text for known, text in self._texts.items() if known not in kept]:
            self.forget(text)
