"""A request and its answer, as far as the exporter needs them."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """``headers`` by lower-case name. They hold secrets, so a request is never logged and never kept.

    ``certified`` says that the connection showed a certificate that the configured authority signed. ``body``
    can be read once; reading it raises ``Cut`` where it does not come whole or in time.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    certified: bool
    body: AsyncIterator[bytes] = field(repr=False)


@dataclass(frozen=True)
class Response:
    """``sent`` is called once it is taken, or will not be."""

    status: HTTPStatus
    body: bytes
    kind: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: Callable[[], None] = lambda: None


class Cut(Exception):
    """A request that ended before it was whole."""


class Declined(Exception):
    """Carries the answer to a request that is not served."""

    def __init__(self, response: Response, reason: str = "") -> None:
        """``reason`` is the word under which refused posts are counted."""
        self.response, self.reason = response, reason
        super().__init__(response.status)


def say(status: HTTPStatus, sentence: str, **headers: str) -> Response:
    """An answer of one sentence; underscores in names of headers stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, f"{sentence}\n".encode(), TEXT, named)
