"""Ids of records that were counted lately, so that a body that is sent again counts once."""

from hashlib import blake2b
from typing import Any

_SIZE = 8


class Seen:
    """Remembers the last ``most`` ids at least, and twice as many at most: 8 bytes of hash for each.

    Two generations take turns: when the younger one is full, the older one is forgotten whole.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._young, self._old = set[bytes](), set[bytes]()

    def take(self, route: str, record: str) -> bool:
        """Whether the id is new on its route; from now on it is not."""
        digest = blake2b(f"{route}\0{record}".encode("utf-8", "replace"), digest_size=_SIZE).digest()
        if digest in self._young or digest in self._old:
            return False
        self._young.add(digest)
        if len(self._young) >= self._most:
            self._young, self._old = set(), self._young
        return True

    def snapshot(self) -> list[bytes]:
        """The older generation and the younger one, hash after hash."""
        return [b"".join(self._old), b"".join(self._young)]

    def restore(self, snapshot: Any) -> None:
        """Go on from a snapshot, whatever was seen since."""
        self._old, self._young = (
            {data[at : at + _SIZE] for at in range(0, len(data), _SIZE)} for data in snapshot
        )
