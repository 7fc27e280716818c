"""Records into a file that the log tail reads, from a thread of its own: a slow disk never holds a request up."""

import fcntl
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue

_WAITING = 10_000
"""Records that may wait for the disk: about 5 MB."""
_BATCH = 256
_PATIENCE = 2.0
"""Seconds that an ending process gives what still waits."""


class Log:
    """Appends lines, each with one write.

    The file is opened by name for each batch, so that a rotated one is left within a batch and a removed one
    made anew. What cannot be written (a full disk, a missing folder) is counted and dropped.
    """

    def __init__(self, path: Path, note: Callable[[str, int], None], most: int | None = None) -> None:
        """``note`` counts results: ok, dropped. Past ``most`` bytes the file becomes NAME.1."""
        self._path, self._note, self._most = path, note, most
        self._lines = Queue[bytes](_WAITING)
        self._thread: threading.Thread | None = None

    def put(self, line: bytes) -> None:
        """Hand one line over, without its end; returns at once."""
        if self._thread is None or not self._thread.is_alive():
            # Not before there is something to write: a server may fork after it was set up.
            self._thread = threading.Thread(target=self._write_all, name="sre-usage-log", daemon=True)
            self._thread.start()
        try:
            self._lines.put_nowait(line + b"\n")
        except Full:
            self._note("dropped", 1)

    def close(self) -> None:
        """Wait, but not for long, until what was handed over is written."""
        with suppress(Exception):
            waiter = threading.Thread(target=self._lines.join, daemon=True)
            waiter.start()
            waiter.join(_PATIENCE)

    def _write_all(self) -> None:
        while True:
            batch = self._batch()
            written = self._write(batch)
            self._note("ok", written)
            if written < len(batch):
                self._note("dropped", len(batch) - written)
            for _ in batch:
                self._lines.task_done()

    def _batch(self) -> list[bytes]:
        batch = [self._lines.get()]
        with suppress(Empty):
            while len(batch) < _BATCH:
                batch.append(self._lines.get_nowait())
        return batch

    def _write(self, batch: list[bytes]) -> int:
        """How many lines are in the file."""
        written = 0
        with suppress(OSError):
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                for line in batch:
                    written += _append(file, line)
                self._rotate(file)
            finally:
                os.close(file)
        return written

    def _rotate(self, file: int) -> None:
        """Several processes may write: the lock lets one of them rename, and the others see that it did."""
        if self._most is None or os.fstat(file).st_size < self._most:
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(file), self._path.stat()):
            self._path.rename(self._path.with_name(f"{self._path.name}.1"))


def _append(file: int, line: bytes) -> bool:
    """Whether the line is whole. After a torn one the next begins on a line of its own."""
    size = os.fstat(file).st_size
    torn = size and os.pread(file, 1, size - 1) != b"\n"
    whole = b"\n" + line if torn else line
    return os.write(file, whole) == len(whole)
