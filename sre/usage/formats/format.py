"""One gateway's format, ready to decode."""

from collections.abc import Iterator

from sre.usage.formats.invalid import Invalid
from sre.usage.record import UsageRecord

Read = tuple[UsageRecord, str | None]
"""A record and the key it came with: a secret, to be forgotten as soon as the team is known."""


class Format:
    """``name`` is the stem of the format's file."""

    name: str

    def decode(self, line: bytes) -> Read:
        """One line. Raises ``Invalid`` and nothing else."""
        raise NotImplementedError

    def decode_body(self, body: bytes) -> Iterator[Read | Invalid]:
        """A body that is a JSON array, lines of JSON, or one object; bad records are given, not raised."""
        raise NotImplementedError
