"""From bytes of a log to whole lines: newlines, pieces of a container runtime (CRI), a cap, and NUL bytes.

Pure: the same bytes from the same place give the same lines. Nothing is remembered between calls but places in
the file, so that no text of a request stays in memory or reaches the state file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

STREAMS = ("stdout", "stderr")
_WINDOW = 4
"""The end of a line is waited for over this many times the longest line: a program that died never writes it."""
_CRI = re.compile(rb"\d{4}-\d\d-\d\dT\S+ (?:stdout|stderr) [FP](?::\S*)?(?: |$)")


class Frame(NamedTuple):
    """Whole lines, and offsets in the text that they were made from (see `Place`)."""

    lines: list[bytes]
    read: int
    again: int
    inside: bool


@dataclass
class Piece:
    """A line that has begun, and where; below 0 in an earlier file."""

    text: bytes
    since: int


@dataclass
class Pieces:
    """Unfinished lines by stream; offsets go on where those of an earlier file end."""

    open: dict[bytes, Piece] = field(default_factory=dict)

    def carry(self, length: int) -> None:
        """On to the next file: what was offset ``length`` is offset 0 there."""
        for piece in self.open.values():
            piece.since -= length

    def first(self, read: int) -> int:
        """Where reading begins again to find all of them: the oldest one's place, or the file's beginning."""
        return min((max(0, piece.since) for piece in self.open.values()), default=read)

    @property
    def older(self) -> bool:
        """Whether one began in an earlier file."""
        return any(piece.since < 0 for piece in self.open.values())


def begins(text: bytes) -> bool:
    """Whether this is the beginning of a line, not the rest of one: an object, or a runtime's time stamp."""
    text = text.lstrip(b"\0")
    return text[:1] == b"{" or _CRI.match(text) is not None


def frame(
    data: bytes, start: int, place: Frame, pieces: Pieces, longest: int, streams: Sequence[str]
) -> Frame:
    """The lines that ``data`` adds after ``place.read``.

    ``start`` is the offset of the data's first byte in the text; it lies at or before ``place.again``.
    Lines that end before ``place.read`` were delivered earlier and only lead to the unfinished ones.
    """
    if place.again < place.read:
        _unwrap(data[place.again - start : place.read - start], place.again, pieces, longest, streams)
    elif data[:1] == b"{" and start == place.read and not pieces.open and not place.inside:
        # Most logs are nothing but this; splitting all of it saves a copy.
        lines = data.split(b"\n")
        left = lines.pop()
        if lines:
            read = start + len(data) - len(left)
            return Frame(_clean(lines, longest), read, read, inside=False)
    origin = place.read
    if place.inside:
        newline = data.find(b"\n", place.read - start)
        if newline < 0:
            read = start + len(data)
            return Frame([], read, pieces.first(read), inside=True)
        origin = start + newline + 1
    end = data.rfind(b"\n", origin - start) + 1
    if not end:
        return _unfinished(data[origin - start :], origin, pieces, longest)
    lines = _unwrap(data[origin - start : end - 1], origin, pieces, longest, streams)
    read = start + end
    return Frame(_clean(lines, longest), read, pieces.first(read), inside=False)


def _unfinished(rest: bytes, origin: int, pieces: Pieces, longest: int) -> Frame:
    """No newline at all: wait for it, unless the line is too long already or not one yet."""
    # NUL bytes are what a crash leaves, or a writer that did not notice that its file was truncated.
    text = rest.lstrip(b"\0")
    read = origin + len(rest)
    if len(text) > longest:
        return Frame([text[: longest + 1]], read, pieces.first(read), inside=True)
    read -= len(text)
    return Frame([], read, pieces.first(read), inside=False)


def _clean(lines: list[bytes], longest: int) -> list[bytes]:
    """Without empty lines and NUL bytes before one, and none longer than one byte over the cap."""
    if not lines:
        return lines
    if min(lines) < b" ":
        lines = [line for line in (line.lstrip(b"\0").rstrip(b"\r") for line in lines) if line]
    if max(map(len, lines), default=0) > longest:
        lines = [line[: longest + 1] for line in lines]
    return lines


def _unwrap(body: bytes, origin: int, pieces: Pieces, longest: int, streams: Sequence[str]) -> list[bytes]:
    """The lines inside the lines: ``2026-11-21T20:00:00.1Z stdout P {"id":`` and the ``F`` that ends them."""
    wanted = {stream.encode() for stream in streams}
    found: list[bytes] = []
    at = origin
    for line in body.split(b"\n"):
        if not _CRI.match(line):
            found.append(line)
        else:
            _, stream, tag, *text = line.split(b" ", 3)
            if stream in wanted:
                _add(found, pieces, stream, tag[:1] == b"P", text[0] if text else b"", at, longest)
        at += len(line) + 1
        if pieces.open:
            _give_up(found, pieces, at, longest)
    return found


def _add(
    found: list[bytes], pieces: Pieces, stream: bytes, partial: bool, text: bytes, at: int, longest: int
) -> None:
    piece = pieces.open.get(stream)
    if not partial:
        found.append(piece.text + text if piece else text)
        pieces.open.pop(stream, None)
    elif piece is None:
        pieces.open[stream] = Piece(text, at)
    else:
        piece.text = (piece.text + text)[: longest + 1]


def _give_up(found: list[bytes], pieces: Pieces, at: int, longest: int) -> None:
    late = [stream for stream, piece in pieces.open.items() if at - piece.since > _WINDOW * longest]
    found.extend(pieces.open.pop(stream).text for stream in late)
