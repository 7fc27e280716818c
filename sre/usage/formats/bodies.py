"""A posted body that cannot be read in one go, piece by piece: so that one bad record does not cost the others."""

import json
from collections.abc import Iterator

import msgspec

_BETWEEN = " \t\r\n,[]"
_walk = json.JSONDecoder().raw_decode


def pieces(body: bytes) -> Iterator[bytes]:
    """The records of an array, of lines, of objects in a row, or the one that the body is; good ones and bad.

    Takes time in proportion to the body: behind what cannot be read, the line (of an array, all) is one piece.
    """
    body = body.strip()
    if body.startswith(b"["):
        yield from _row(body)
    elif _is_one(body):
        yield body
    else:
        for line in body.split(b"\n"):
            yield from _row(line)


def _row(line: bytes) -> Iterator[bytes]:
    # Python's reader takes NaN, so it finds the end of a record that ours refuses for it.
    text = line.decode("utf-8", "surrogateescape")
    at = _next(text, 0)
    while at < len(text):
        end = _end(text, at)
        yield text[at:end].encode("utf-8", "surrogateescape")
        at = _next(text, end)


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BETWEEN:
        at += 1
    return at


def _end(text: str, at: int) -> int:
    try:
        return _walk(text, at)[1]
    except (ValueError, RecursionError):
        return len(text)


def _is_one(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
