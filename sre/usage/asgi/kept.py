"""A body or an event as far as it is kept: a short one whole, of a long one its end."""

import json

WHOLE = 1 << 20
"""Bytes up to which all is kept: decoding them takes about a millisecond."""
END = 1 << 16
"""Bytes of a longer one that are kept: usage stands at the end of every API's answer."""


class Kept:
    """Pieces of bytes; never holds more than ``whole``, and two times ``end`` once that was passed."""

    __slots__ = ("_end", "_pieces", "_size", "_whole", "cut")

    def __init__(self, whole: int = WHOLE, end: int = END) -> None:
        self._pieces = list[bytes]()
        self._size = 0
        self._whole, self._end = whole, end
        self.cut = False

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > (2 * self._end if self.cut else self._whole):
            self._shorten()

    def _shorten(self) -> None:
        self.cut = True
        self._pieces = [b"".join(self._pieces)[-self._end :]]
        self._size = len(self._pieces[0])

    def content(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def __len__(self) -> int:
        return self._size


def last_member(content: bytes, name: str) -> bytes | None:
    """The value of the last object member of this name in the end of a JSON text; None where there is none.

    Inside a JSON string the name's quotes would be escaped, so text that a model wrote cannot pass for a member.
    """
    marker = f'"{name}"'.encode()
    at = content.rfind(marker)
    if at < 0:
        return None
    text = content[at + len(marker) :].decode("utf-8", "replace").lstrip(" \t\r\n:")
    try:
        _, stop = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return text[:stop].encode()
