"""One gateway's format, ready to decode."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sre.usage.formats.bodies import pieces
from sre.usage.formats.errors import ErrorRules
from sre.usage.formats.invalid import Invalid, reason_of
from sre.usage.formats.model import GatewayFormat
from sre.usage.formats.reading import Read, make_reader

MAX_LINE_BYTES = 1_000_000
"""A longer line of a log is no record: whoever reads logs would have to hold it whole."""

_BAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Format:
    """A format of one route; ``name`` is the stem of its file.

    The team of a record may be believed as it stands: what a client can choose is only read on a trusted route.
    """

    def __init__(
        self,
        name: str,
        spec: GatewayFormat,
        rules: ErrorRules,
        finishes: Mapping[str, str],
        *,
        trusted: bool = False,
    ) -> None:
        self.name = name
        struct, self._record = make_reader(name, spec, rules, finishes, trusted=trusted)
        one = msgspec.json.Decoder(struct)
        self._parse, self._parse_lines = one.decode, one.decode_lines
        self._parse_array = msgspec.json.Decoder(list[struct]).decode  # type: ignore[valid-type]

    def decode(self, line: bytes) -> Read:
        """One line of a log. Raises ``Invalid`` and nothing else."""
        if len(line) > MAX_LINE_BYTES:
            raise Invalid("too_long")
        try:
            return self._record(self._parse(line))
        except _BAD as error:
            reason = reason_of(error, line)
        # Raised out here it has no context: those errors, or the frames that they hold, know the line.
        raise Invalid(reason)

    def decode_body(self, body: bytes) -> Iterator[Read | Invalid]:
        """A body that is a JSON array, lines of JSON, or objects in a row; a bad record is given, not raised.

        A record may be as long as the body: whoever takes bodies bounds them.
        """
        found = self._parsed(body)
        if found is None:
            yield from map(self._piece, pieces(body))
        else:
            yield from map(self._given, found)

    def _parsed(self, body: bytes) -> Sequence[Any] | None:
        """All lines of a body in which nothing is wrong."""
        try:
            return (self._parse_array if body[:64].lstrip()[:1] == b"[" else self._parse_lines)(body)
        except _BAD:
            return None

    def _piece(self, piece: bytes) -> Read | Invalid:
        try:
            return self._given(self._parse(piece))
        except _BAD as error:
            return Invalid(reason_of(error, piece))

    def _given(self, line: Any) -> Read | Invalid:
        try:
            return self._record(line)
        except Invalid as invalid:
            return Invalid(invalid.reason)  # without the traceback, whose frames hold on to the line
        except _BAD as error:
            return Invalid(reason_of(error, b""))
