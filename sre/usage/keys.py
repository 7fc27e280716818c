"""Salted hashes of API keys: what a configuration may hold in a key's place.

A hash is made for each record, so it has to be fast; and it may be, because keys are long and random: nobody
can try them all, and what is slow on purpose (bcrypt, argon2) protects passwords that people choose. The salt
keeps tables made beforehand, and another exporter's configuration, from telling what a hash stands for. Each
entry carries its salt; keys hashed with the same one are all found by one look-up.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b, sha256

SALT_BYTES = 16
_DIGEST = 24
_WRITTEN = re.compile(r"blake2b-([0-9a-f]{32})-([0-9a-f]{48})")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def hash_key(key: str, salt: bytes) -> str:
    """The entry for ``identity.keys``. ``salt`` are ``SALT_BYTES`` random bytes, the same for all keys of one file.

    The key may be given as clients send it or as LiteLLM's SHA-256 of it: both give the same entry.
    """
    return f"blake2b-{salt.hex()}-{_digest(key, salt).hex()}"


def salt_of(entry: str) -> bytes | None:
    """The salt of an entry; None where the text is none."""
    found = _WRITTEN.fullmatch(entry)
    return bytes.fromhex(found[1]) if found else None


def common_salt(entries: Iterable[str]) -> bytes | None:
    """The salt that new keys of a file should share, where it has any."""
    return next((salt for entry in entries if (salt := salt_of(entry))), None)


class KeyMap:
    """Finds the team of a key. Neither the key nor anything from which it could be told is kept."""

    def __init__(self, teams: Mapping[str, str]) -> None:
        """From entries of ``hash_key`` to teams; raises ``ValueError`` for what is no entry."""
        self._teams: dict[bytes, dict[bytes, str]] = {}
        for entry, team in teams.items():
            found = _WRITTEN.fullmatch(entry)
            if not found:
                raise ValueError("not an entry of `sre exporter hash-key`")
            self._teams.setdefault(bytes.fromhex(found[1]), {})[bytes.fromhex(found[2])] = team

    def team(self, key: str) -> str | None:
        """The team that the key belongs to; None where it belongs to nobody."""
        for salt, teams in self._teams.items():
            if (found := teams.get(_digest(key, salt))) is not None:
                return found
        return None


def _digest(key: str, salt: bytes) -> bytes:
    # Gateways that authenticate pass SHA-256 on (LiteLLM's `user_api_key_hash`), others the key itself.
    bare = key.removeprefix("Bearer ")
    passed = bare if _SHA256.fullmatch(bare) else sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()
    return blake2b(passed.encode(), key=salt, digest_size=_DIGEST).digest()
