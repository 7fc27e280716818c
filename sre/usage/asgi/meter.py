"""From calls to records: who called, which model, how it ended. Then into the metrics and, where asked, the log."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Any

from sre.usage.asgi.call import Call, Message
from sre.usage.asgi.errors import Classify
from sre.usage.asgi.log import Log
from sre.usage.asgi.metrics import ROUTE, Metrics
from sre.usage.asgi.paths import asks_for_inference
from sre.usage.asgi.reply import Reply
from sre.usage.asgi.served import Served
from sre.usage.identity import Identity
from sre.usage.labels import UNASSIGNED, clean
from sre.usage.record import UsageRecord, to_line

_KEYS = (b"authorization", b"x-api-key", b"api-key")
"""Headers in which clients send keys: OpenAI's, Anthropic's, Azure's."""
_LONGEST = 128


@dataclass
class Meter:
    """One for each process of the engine's API server; used by its event loop alone.

    ``header`` names the one whose word is taken for the team; None where no header is trusted. ``metrics`` and
    ``log`` may each be None.
    """

    identity: Identity
    served: Served
    classify: Classify
    finishes: Mapping[str, str]
    metrics: Metrics | None = None
    log: Log | None = None
    header: bytes | None = None
    pool: str | None = None
    clock: Callable[[], float] = time.perf_counter
    now: Callable[[], float] = time.time
    _ids: Any = field(default_factory=count, init=False, repr=False)
    # Ids are made here: those of engines repeat a header that clients set, and a client that always sends the
    # same would have all its requests but the first taken for duplicates.
    _process: str = field(default_factory=lambda: os.urandom(9).hex(), init=False, repr=False)

    def begin(self, scope: Message) -> Call | None:
        """A call to watch, where the request asks for inference."""
        if not asks_for_inference(scope):
            return None
        return Call(self._team(scope), Reply(self.classify, self.finishes), self.clock)

    def count(self, call: Call) -> None:
        """Count a call that is over; a second time does nothing."""
        if call.counted or not call.is_inference():
            return
        call.counted = True
        record = self.record(call)
        self.served.learn(record.model)
        if self.metrics:
            self.metrics.add(record, call.team, self.served.shown(record.model or record.requested_model))
        if self.log:
            self.log.put(to_line(record))

    def stumble(self) -> None:
        """Count a request that could not be watched to its end."""
        if self.metrics:
            self.metrics.note(ROUTE, "failed")

    def close(self) -> None:
        """Give the log's last lines time to be written."""
        if self.log:
            self.log.close()

    def record(self, call: Call) -> UsageRecord:
        """What a call came to."""
        call.finish()
        error = call.error_type()
        return UsageRecord(
            id=f"{self._process}-{os.getpid()}-{next(self._ids)}",
            time=round(self.now(), 6),
            outcome="error" if error else "success",
            team=None if call.team == UNASSIGNED else call.team,
            model=_short(call.reply.model),
            requested_model=_short(call.requested),
            pool=self.pool,
            tokens=call.reply.tokens(),
            ttft_seconds=None if call.ttft is None else round(call.ttft, 6),
            duration_seconds=round(call.seconds(), 6),
            finish_reason=call.reply.finish_reason,
            error_type=error,
        )

    def _team(self, scope: Message) -> str:
        """Decided at once, so that no key is kept; only its hash is handed on."""
        key, name = None, None
        for header, value in scope["headers"]:
            header = header.lower()
            if header in _KEYS:
                key = key or _hashed(bytes(value))
            elif header == self.header:
                name = bytes(value).decode("utf-8", "replace")
        return self.identity.team(name, key)


def _hashed(value: bytes) -> str:
    # Hashed even where it looks like a hash: a client that knows only the hash of a key does not hold the key.
    bare = value[7:] if value[:7].lower() == b"bearer " else value
    return sha256(bare.strip()).hexdigest()


def _short(name: str | None) -> str | None:
    return clean(name, _LONGEST) or None if name else None
