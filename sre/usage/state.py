"""The one state file: counts and positions, saved together or not at all.

A damaged, foreign or newer file is an error that says what to do. It is never taken for an empty one: counters
that start at 0 again, over logs that are not read again, would be a silent loss.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from sre import swap
from sre.findings import Finding, Refused
from sre.usage.tail.position import Position

_MAGIC = b"sre-exporter-state"
_VERSION = 1
_ANEW = (
    "Put back a copy of the file, or move it away to begin anew: counters then start at 0, which Prometheus takes "
    "for a restart, and each log is read again from the beginning of its newest file."
)
_LOCKLESS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}


class State(msgspec.Struct):
    """``counts`` is ``Intake.snapshot()``; positions by the name of the route."""

    counts: Any
    positions: Mapping[str, Position]


class StateFile:
    """Holds the lock of the file as long as it is open, so that no second exporter counts into it."""

    def __init__(self, path: Path, perform: swap.Perform = swap.perform) -> None:
        """Raises `Refused` where the folder cannot be used or another process has the file.

        ``perform`` carries out each change to the disk.
        """
        # A link stays one: the file that it leads to is what is replaced.
        self.path = Path(os.path.realpath(path))
        self._perform = perform
        self._new = self.path.with_name(self.path.name + ".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock: int | None = self._locked()
        except OSError as error:
            raise Refused([_unusable(self.path, error)]) from error

    def load(self) -> State | None:
        """What was saved last; None where nothing ever was. Raises `Refused` for a file that cannot be used."""
        data = self.read()
        return None if data is None else self.decode(data)

    def read(self) -> bytes | None:
        """The file as it is; None where there is none."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused([_unusable(self.path, error)]) from error

    def decode(self, data: bytes) -> State:
        """The state in the bytes of a file. Raises `Refused`."""
        head, _, body = data.partition(b"\n")
        magic, version, digest, *_ = [*head.split(b" "), b"", b""]
        if magic != _MAGIC:
            raise self.refused("this is no state file of the exporter", "It would be overwritten.")
        if version != b"%d" % _VERSION:
            shown = version.decode("ascii", "replace")[:10]
            what = f"this state file is of version {shown}, and this release knows version {_VERSION}"
            raise self.refused(what, "What it counts could be misread.", f"Run the newer release. {_ANEW}")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise self.refused("this state file is damaged: its checksum does not fit", _loss())
        try:
            return msgspec.msgpack.decode(body, type=State)
        except msgspec.MsgspecError:
            raise self.refused("this state file holds something else than a state", _loss()) from None

    def encode(self, state: State) -> bytes:
        """The whole file, with its checksum."""
        body = msgspec.msgpack.encode(state)
        return b"%s %d %s\n%s" % (_MAGIC, _VERSION, hashlib.sha256(body).hexdigest().encode(), body)

    def save(self, data: bytes) -> None:
        """Put what ``encode`` gave in the file's place, all of it or nothing. Raises OSError."""
        try:
            self._write(data)
            self._perform(os.replace, self._new, self.path)
            self._sync_folder()
        except OSError:
            with suppress(OSError):
                self._new.unlink()
            raise

    def close(self) -> None:
        """Let another process have the file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def refused(self, what: str, why: str, fix: str = _ANEW) -> Refused:
        """What is wrong with the file, as an error of the command."""
        return Refused([Finding(str(self.path), what, why, fix)])

    def _write(self, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = self._perform(os.open, self._new, flags, 0o600)
        try:
            left = memoryview(data)
            while left:
                left = left[self._perform(os.write, handle, left) :]
            self._perform(os.fsync, handle)
        finally:
            os.close(handle)

    def _sync_folder(self) -> None:
        handle = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._perform(os.fsync, handle)
        finally:
            os.close(handle)

    def _locked(self) -> int:
        # Beside the file: it is itself replaced with each save, and a lock would go with the old one.
        lock = self.path.with_name(self.path.name + ".lock")
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(handle, 20).decode("ascii", "replace").strip()
            os.close(handle)
            what = (
                f"another exporter{f' (process {owner})' if owner.isdecimal() else ''} uses this state file"
            )
            why = "Two would count the same logs, and each overwrite what the other saved."
            raise self.refused(what, why, "End the other one, or name another file as `state`.") from None
        except OSError as error:
            if error.errno not in _LOCKLESS:
                os.close(handle)
                raise
        with suppress(OSError):  # on a full disk it is a lock without a name
            os.truncate(handle, 0)
            os.write(handle, b"%d\n" % os.getpid())
        return handle


def _loss() -> str:
    return "Begun anew without a word, counters would lose everything that they held."


def _unusable(path: Path, error: OSError) -> Finding:
    return Finding(
        str(path),
        f"the state file cannot be used: {error.strerror or error}",
        "Without it a restart would lose counts or count twice.",
        "Give this user a folder to write in (with systemd: StateDirectory=), or name another file as `state`.",
    )
