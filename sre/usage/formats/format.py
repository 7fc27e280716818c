"""One gateway's format, ready to decode."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sre.usage.formats.bodies import pieces
from sre.usage.formats.fields import Fields
from sre.usage.formats.invalid import Invalid, reason_of
from sre.usage.formats.model import GatewayFormat, Rule
from sre.usage.formats.reading import Read, make_reader
from sre.usage.formats.slots import Slots

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
        rules: Sequence[Rule],
        finishes: Mapping[str, str],
        *,
        trusted: bool = False,
    ) -> None:
        self.name = name
        slots = Slots(spec.absent or ())
        self._record = make_reader(spec, slots, rules, finishes, trusted=trusted)
        self._fields = Fields(slots, spec.embedded)
        self._parse = self._fields.parse
        self._values = self._fields.values

    def decode(self, line: bytes) -> Read:
        """One line of a log. Raises ``Invalid`` and nothing else."""
        if len(line) > MAX_LINE_BYTES:
            raise Invalid("too_long")
        try:
            return self._record(self._values(self._parse(line)))
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
            yield from (
                self._outcome(lambda piece: self._values(self._parse(piece)), piece) for piece in pieces(body)
            )
        else:
            yield from (self._outcome(self._values, one) for one in found)

    def _parsed(self, body: bytes) -> Sequence[Any] | None:
        """All records of a body in which nothing is wrong."""
        array = body[:64].lstrip()[:1] == b"["
        try:
            return self._fields.parse_array(body) if array else self._fields.parse_lines(body)
        except _BAD:
            return None

    def _outcome(self, values: Callable[[Any], Sequence[Any]], given: Any) -> Read | Invalid:
        try:
            return self._record(values(given))
        except Invalid as invalid:
            # A traceback would hold on to the record.
            return invalid.with_traceback(None)
        except _BAD as error:
            return Invalid(reason_of(error, given if isinstance(given, bytes) else b""))
