"""The text of one open file, packed or not, by offsets that count bytes of the text."""

import errno
import os
import stat
import zlib
from hashlib import blake2b
from typing import Protocol

from sre.usage.tail.generations import File, Unsettled
from sre.usage.tail.position import Mark

HEAD = 256
"""Bytes at the beginning of a file that tell it from others."""
_PACKED = 1 << 18
"""Bytes of a packed file that are read at a time."""
_UNPACKED = 1 << 22
"""Bytes of text that are unpacked at a time: a few packed bytes may stand for very many."""


class Text(Protocol):
    """An open file. It stays readable when it is renamed or removed."""

    device: int
    inode: int
    packed: bool

    def at(self, offset: int, count: int) -> bytes:
        """Up to so many bytes from there on; fewer only where the text ends."""

    def size(self) -> int | None:
        """The length of the text as it is now; None where only unpacking would tell."""

    def broken(self) -> int:
        """Bytes of a packed file that do not unpack: it is damaged, or not written to its end yet. Else 0."""

    def changed(self) -> int:
        """When it was last written to, in ns."""

    def close(self) -> None: ...


def open_text(file: File) -> Text:
    """Open a log file. Raises `Unsettled` where another one has its name by now, and OSError where it is shut."""
    try:
        handle = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise Unsettled(f"{file.path} was renamed while it was looked at") from None
    status = os.fstat(handle)
    if (status.st_dev, status.st_ino) != file.identity:
        os.close(handle)
        raise Unsettled(f"{file.path} was replaced while it was looked at")
    # Opening a pipe takes what others write from whoever it is meant for.
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise IsADirectoryError(errno.EISDIR, "this is no regular file", str(file.path))
    kind = Packed if file.packed else Plain
    return kind(handle, status.st_dev, status.st_ino)


def mark(text: Text) -> Mark:
    """What tells this file from others, as far as it is written."""
    head = text.at(0, HEAD)
    return Mark(text.device, text.inode, len(head), digest(head) if head else "")


def digest(data: bytes) -> str:
    """A hash from which nothing of the text can be told."""
    return blake2b(data, digest_size=16).hexdigest()


class Plain:
    packed = False

    def __init__(self, handle: int, device: int, inode: int) -> None:
        self._handle, self.device, self.inode = handle, device, inode

    def at(self, offset: int, count: int) -> bytes:
        return os.pread(self._handle, count, offset)

    def size(self) -> int | None:
        return os.fstat(self._handle).st_size

    def broken(self) -> int:
        return 0

    def changed(self) -> int:
        return os.fstat(self._handle).st_mtime_ns

    def close(self) -> None:
        os.close(self._handle)


class Packed:
    """A gzip file, unpacked as it is read; going back means unpacking again from its beginning."""

    packed = True

    def __init__(self, handle: int, device: int, inode: int) -> None:
        self._handle, self.device, self.inode = handle, device, inode
        self._head: bytes | None = None
        self._rewind()

    def at(self, offset: int, count: int) -> bytes:
        if offset == 0 and self._head is not None and count <= HEAD:
            return self._head[:count]
        if offset < self._start:
            self._rewind()
        while self._start + len(self._buffer) < offset + count and self._more():
            self._forget(offset)
        self._forget(offset)
        found = bytes(self._buffer[:count])
        if offset == 0 and (len(found) >= HEAD or not self.broken()):
            self._head = found[:HEAD]
        return found

    def size(self) -> int | None:
        return None

    def broken(self) -> int:
        size = os.fstat(self._handle).st_size
        return 0 if self._member.eof or not size else max(1, size - self._taken + self._bad)

    def changed(self) -> int:
        return os.fstat(self._handle).st_mtime_ns

    def close(self) -> None:
        os.close(self._handle)

    def _rewind(self) -> None:
        self._start, self._buffer = 0, bytearray()
        self._taken, self._left, self._bad = 0, b"", 0
        self._member = zlib.decompressobj(wbits=31)

    def _forget(self, offset: int) -> None:
        drop = min(offset - self._start, len(self._buffer))
        if drop > 0:
            del self._buffer[:drop]
            self._start += drop

    def _more(self) -> bool:
        """Unpack some more; False where nothing more can be had."""
        packed = self._left or self._pull()
        if self._member.eof and packed:
            # Members follow one another, and some programs fill the last block with zeros.
            self._left = packed.lstrip(b"\0")
            if self._left:
                self._member = zlib.decompressobj(wbits=31)
            return True
        if self._member.eof or self._bad:
            return False
        return self._unpack(packed)

    def _pull(self) -> bytes:
        packed = os.pread(self._handle, _PACKED, self._taken)
        self._taken += len(packed)
        return packed

    def _unpack(self, packed: bytes) -> bool:
        try:
            text = self._member.decompress(packed, _UNPACKED)
        except zlib.error:
            self._bad, self._left = max(1, len(packed)), b""
            return False
        self._buffer += text
        self._left = self._member.unconsumed_tail or self._member.unused_data
        return bool(packed or text)
