"""One request on its way through the engine: what was asked, what came back, how it ended."""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from sre.usage.asgi.events import Events
from sre.usage.asgi.kept import Kept, last_member
from sre.usage.asgi.reply import Reply
from sre.usage.asgi.shapes import UNREADABLE, Problem, decode_question

Message = MutableMapping[str, Any]

_LONGEST_ERROR = 1 << 16
_NO_ROUTE = (404, 405)


class Call:
    """Sees each ASGI message of one request. ``ended`` says that the answer is whole."""

    __slots__ = (
        "_asked", "_begun", "_body", "_clock", "_events", "cancelled", "counted", "ended", "reply", "requested",
        "status", "team", "ttft",
    )  # fmt: skip

    def __init__(self, team: str, reply: Reply, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that never step back."""
        self.team, self.reply = team, reply
        self.requested: str | None = None
        self.ttft: float | None = None
        self.status = 0
        self.cancelled = self.ended = self.counted = False
        self._clock, self._begun = clock, clock()
        self._asked: Kept | None = Kept()
        self._events: Events | None = None
        self._body: Kept | None = None

    def seconds(self) -> float:
        """How long the call has taken so far."""
        return max(self._clock() - self._begun, 0.0)

    def see_request(self, message: Message) -> None:
        """Learn which model is asked for, and when the client goes."""
        if message["type"] == "http.disconnect":
            self.cancelled = self.cancelled or not self.ended
        elif self._asked is not None:
            self._asked.add(message.get("body", b""))
            if not message.get("more_body", False):
                content, self._asked = self._asked.content(), None
                self.requested = _model(content)

    def see_answer(self, message: Message) -> None:
        """Read what the engine sends, before the client gets it: no byte is held back or changed."""
        if message["type"] == "http.response.start":
            self._start(message)
        elif message["type"] == "http.response.body":
            self._read(message.get("body", b""))
            self.ended = not message.get("more_body", False)

    def finish(self) -> None:
        """Read what could only be read at the end."""
        if self._events:
            for data in self._events.rest():
                self.reply.read_event(data)
        elif self._body and self.status >= 400:
            self.reply.read_error(self._body.content(), self.status)
        elif self._body:
            self.reply.read(self._body.content())
        self._events = self._body = None

    def is_inference(self) -> bool:
        """False where the engine has no such path: it answered without having read what was asked."""
        return self.status not in _NO_ROUTE or self._asked is None

    def error_type(self) -> str | None:
        """What failed; None for a success."""
        if self.cancelled:
            return "client_cancelled"
        if self.reply.error_type:
            return self.reply.error_type
        if self.status >= 400:
            return self.reply.classify(Problem(), self.status)
        # Nothing was answered, the answer broke off, or the engine says in it that it failed.
        broken = not self.status or not self.ended or self.reply.finish_reason == "error"
        return "server_error" if broken else None

    def _start(self, message: Message) -> None:
        self.status = message["status"]
        headers = {bytes(name).lower(): bytes(value) for name, value in message.get("headers", ())}
        kind = headers.get(b"content-type", b"")
        if headers.get(b"content-encoding", b"identity") != b"identity":
            return
        if self.status >= 400:
            self._body = Kept(_LONGEST_ERROR, _LONGEST_ERROR)
        elif kind.startswith(b"text/event-stream"):
            self._events = Events()
        elif b"json" in kind:
            self._body = Kept()

    def _read(self, body: bytes) -> None:
        if self._events:
            self._read_events(self._events.feed(body))
        elif self._body is not None:
            self._body.add(body)

    def _read_events(self, events: Iterable[bytes]) -> None:
        for data in events:
            self.reply.read_event(data)
            if self.ttft is None and self.reply.started:
                self.ttft = self.seconds()


def _model(content: bytes) -> str | None:
    try:
        return decode_question(content).model
    except UNREADABLE:
        # Too long to be kept whole, or not what the engine will take: the name may still be in it.
        found = last_member(content, "model")
    return found.decode().strip('"') if found and found.startswith(b'"') else None
