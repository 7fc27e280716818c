"""A posted body, whole and unpacked, within its limits: never more memory than was reserved for it."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from sre.usage.inbox import Inbox
from sre.usage.receiver.message import Declined, Request, say

_PLAIN = ("", "identity")
_GZIP = ("gzip", "x-gzip")
_RETRY = "1"
"""Seconds: what waits is counted in less."""


@asynccontextmanager
async def receive(request: Request, inbox: Inbox, most: int) -> AsyncIterator[tuple[bytes, "Room"]]:
    """The body, unpacked; its room is given back when the block ends, unless it was handed over.

    Raises ``Declined`` and ``Cut``.
    """
    room = Room(inbox)
    try:
        packed = await _read(request, room, most)
        yield await _unpack(request, packed, room, most), room
    finally:
        room.close()


class Room:
    """What one body has reserved of the inbox."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox, self._size = inbox, 0

    def grow(self, size: int) -> None:
        """Have at least so many bytes."""
        more = max(0, size - self._size)
        if not self._inbox.reserve(more):
            sentence = "The exporter has more to count than it may hold: send this again."
            raise Declined(say(HTTPStatus.SERVICE_UNAVAILABLE, sentence, Retry_After=_RETRY), "busy")
        self._size += more

    def hand_over(self) -> Callable[[], None]:
        """Leave it to whoever holds the body from now on to give the room back, by calling this once."""
        size, self._size = self._size, 0
        return lambda: self._inbox.release(size)

    def close(self) -> None:
        """Give back what was not handed over."""
        self.hand_over()()


async def _read(request: Request, room: Room, most: int) -> bytes:
    length = request.headers.get("content-length", "")
    announced = int(length) if length.isdecimal() else 0
    if announced > most:
        raise _too_large(most)
    room.grow(announced)
    parts, size = list[bytes](), 0
    async for part in request.body:
        size += len(part)
        if size > most:
            raise _too_large(most)
        room.grow(size)
        parts.append(part)
    return b"".join(parts)


async def _unpack(request: Request, packed: bytes, room: Room, most: int) -> bytes:
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding in _PLAIN:
        return packed
    if coding not in _GZIP:
        sentence = "The body's encoding is not understood here: send it plain or as gzip."
        raise Declined(say(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, sentence, Accept_Encoding="gzip"), "encoding")
    # In a thread of its own, because zlib lets the others run meanwhile; there are few such threads, so that not
    # many bodies are unpacked before it is known how large they are.
    body = await asyncio.to_thread(_inflate, packed, most)
    room.grow(len(body))
    return body


def _inflate(packed: bytes, most: int) -> bytes:
    parts, size = list[bytes](), 0
    while packed:
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(packed, most + 1 - size))
        except zlib.error:
            raise _bad_gzip() from None
        size += len(parts[-1])
        if size > most:
            raise _too_large(most)
        if not member.eof:
            raise _bad_gzip()
        packed = member.unused_data
    return b"".join(parts)


def _too_large(most: int) -> Declined:
    sentence = f"The body is larger than {most} bytes (`limits.body_bytes`): send fewer records at once."
    return Declined(say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence), "too_large")


def _bad_gzip() -> Declined:
    sentence = "The body says that it is gzip, and cannot be unpacked."
    return Declined(say(HTTPStatus.BAD_REQUEST, sentence), "encoding")
