"""Server-sent events out of pieces of bytes that may be cut anywhere, also inside a line end."""

from collections.abc import Iterator

from sre.usage.asgi.kept import Kept

_FIELD = b"data:"


class Events:
    """The data of one stream's events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    Engines send one event a piece: that case costs two searches. Of an event longer than ``Kept`` keeps, the
    end comes out.
    """

    __slots__ = ("_data", "_line", "_returned")

    def __init__(self) -> None:
        self._line, self._data = Kept(), Kept()
        self._returned = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the data of every event that this piece completes."""
        if not self._line and not self._data and _is_one_event(piece):
            self._returned = False
            yield piece[6:-2]
        else:
            yield from self._cut(piece)

    def rest(self) -> Iterator[bytes]:
        """Yield what a stream that ended inside an event left behind."""
        yield from self._end_line()
        yield from self._end_event()

    def _cut(self, piece: bytes) -> Iterator[bytes]:
        if self._returned and piece.startswith(b"\n"):
            piece = piece[1:]
            self._returned = False
        if piece:
            self._returned = piece.endswith(b"\r")
        for line in piece.splitlines(keepends=True):
            content = line.rstrip(b"\r\n")
            self._line.add(content)
            if len(content) < len(line):
                yield from self._end_line()

    def _end_line(self) -> Iterator[bytes]:
        if not self._line:
            yield from self._end_event()
            return
        line, cut, self._line = self._line.content(), self._line.cut, Kept()
        if not cut and not line.startswith(_FIELD):
            return
        if self._data:
            self._data.add(b"\n")
        self._data.add(line if cut else line[len(_FIELD) :].removeprefix(b" "))

    def _end_event(self) -> Iterator[bytes]:
        if self._data:
            data, self._data = self._data.content(), Kept()
            yield data


def _is_one_event(piece: bytes) -> bool:
    ends = piece.startswith(b"data: ") and piece.endswith(b"\n\n")
    return ends and piece.find(b"\n") == len(piece) - 2 and b"\r" not in piece
