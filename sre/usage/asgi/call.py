"""One request on its way through the engine: what was asked, what came back, how it ended."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from sre.usage.asgi.events import Events
from sre.usage.asgi.kept import Kept
from sre.usage.asgi.reply import Reply
from sre.usage.asgi.shapes import Problem, decode_question
from sre.usage.record import UsageRecord

Message = MutableMapping[str, Any]

_LONGEST_ERROR = 1 << 16


class Call:
    """Sees each ASGI message of one request; ``record`` is what it comes to. Knows no clock but the one given."""

    __slots__ = (
        "_asked", "_begun", "_body", "_clock", "_events", "_reply", "_status", "cancelled", "ended", "requested",
        "team", "ttft",
    )  # fmt: skip

    def __init__(self, team: str, reply: Reply, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that only grow."""
        self.team, self.requested = team, None
        self.cancelled = self.ended = False
        self.ttft: float | None = None
        self._reply, self._clock, self._begun = reply, clock, clock()
        self._asked: Kept | None = Kept()
        self._events: Events | None = None
        self._body: Kept | None = None
        self._status = 0
