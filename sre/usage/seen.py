"""Ids of records that were counted lately, so that a body that is sent again counts once."""

from hashlib import blake2b
from typing import Any

_SIZE = 8


class Seen:
    """Remembers the last ``most`` ids at least, and twice as many at most: 8 bytes of hash for each.

    Two generations take turns: when the younger one is full, the older one is forgotten whole. Beside each set lie
    its hashes in a row, so that a snapshot, which is made for each body, costs a copy and no search.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._young, self._old = set[bytes](), set[bytes]()
        self._young_row, self._old_row = bytearray(), b""

    def take(self, route: str, record: str) -> bool:
        """Whether the id is new on its route; from now on it is not."""
        digest = blake2b(f"{route}\0{record}".encode("utf-8", "replace"), digest_size=_SIZE).digest()
        if digest in self._young or digest in self._old:
            return False
        self._young.add(digest)
        self._young_row += digest
        if len(self._young) >= self._most:
            self._young, self._old = set(), self._young
            self._young_row, self._old_row = bytearray(), bytes(self._young_row)
        return True

    def snapshot(self) -> list[bytes]:
        """The older generation and the younger one, hash after hash."""
        return [self._old_row, bytes(self._young_row)]

    def restore(self, snapshot: Any) -> None:
        """Go on from a snapshot, whatever was seen since."""
        self._old_row, self._young_row = bytes(snapshot[0]), bytearray(snapshot[1])
        self._old, self._young = set(_each(self._old_row)), set(_each(snapshot[1]))


def _each(row: bytes) -> list[bytes]:
    return [row[at : at + _SIZE] for at in range(0, len(row), _SIZE)]
