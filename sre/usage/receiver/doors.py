"""Who may come in: bearer tokens, of which only hashes are kept, and certificates."""

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

from sre.usage.receiver.message import Declined, Request, say


@dataclass(frozen=True)
class Door:
    """``token`` is the hash of the bearer token that is asked for, None where there is none."""

    token: bytes | None = None
    certificate: bool = False

    def pass_through(self, request: Request) -> None:
        """Raises ``Declined`` for whoever may not; with a token and an authority both are asked for."""
        if self.certificate and not request.certified:
            sentence = "This path asks for a client certificate of the configured authority."
            raise Declined(say(HTTPStatus.FORBIDDEN, sentence), "unauthorized")
        if self.token and not hmac.compare_digest(self.token, _shown(request)):
            sentence = "This path asks for its bearer token: `Authorization: Bearer TOKEN`."
            raise Declined(say(HTTPStatus.UNAUTHORIZED, sentence, WWW_Authenticate="Bearer"), "unauthorized")


def make_door(environ: Mapping[str, str], variable: str | None, *, certificate: bool = False) -> Door:
    """The door for the token in an environment variable; ``KeyError`` where it is not there."""
    return Door(_hash(os.fsencode(environ[variable].strip())) if variable else None, certificate)


def _shown(request: Request) -> bytes:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    # Latin-1 gives back the bytes that were sent, whatever they are.
    return _hash(token.strip().encode("latin-1") if scheme.lower() == "bearer" else b"")


def _hash(token: bytes) -> bytes:
    return sha256(token).digest()
