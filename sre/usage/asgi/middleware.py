"""The ASGI application around an engine. Whatever goes wrong in here, the engine's answer stays as it is."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sre.usage.asgi.call import Call
    from sre.usage.asgi.meter import Meter

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger("sre.usage")


class UsageMiddleware:
    """Counts what passes through ``app``; see docs/exporters.md for what is counted when.

    Every broad ``except`` in this class keeps one promise: accounting fails open. An exception's text may quote
    a prompt, so its class and place alone are logged.
    """

    def __init__(self, app: App, meter: "Meter | None" = None) -> None:
        """Configured by environment variables (``sre.usage.asgi.settings``) where no ``meter`` is given."""
        self._app = app
        self._meter = meter or _meter_from_environment()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._begin(scope) if self._meter and scope["type"] == "http" else None
        if call is None:
            await self._app(scope, receive, send)
            if self._meter and scope["type"] == "lifespan":
                self._meter.close()
            return
        try:
            await self._app(scope, *self._watched(call, receive, send))
        finally:
            self._count(call)

    def _watched(self, call: "Call", receive: Receive, send: Send) -> tuple[Receive, Send]:
        """The same two ends of the connection, seen by the call."""

        async def receive_seen() -> Message:
            message = await receive()
            try:
                call.see_request(message)
            except Exception as error:  # noqa: BLE001
                self._stumble(error)
            return message

        async def send_seen(message: Message) -> None:
            self._see_answer(call, message)
            await send(message)
            if call.ended:
                self._count(call)

        return receive_seen, send_seen

    def _see_answer(self, call: "Call", message: Message) -> None:
        try:
            if not call.counted:
                call.see_answer(message)
        except Exception as error:  # noqa: BLE001
            call.counted = True  # as far as it goes: one failure for each request
            self._stumble(error)

    def _begin(self, scope: Scope) -> "Call | None":
        try:
            return self._meter.begin(scope) if self._meter else None
        except Exception as error:  # noqa: BLE001
            self._stumble(error)
            return None

    def _count(self, call: "Call") -> None:
        try:
            if self._meter:
                self._meter.count(call)
        except Exception as error:  # noqa: BLE001
            self._stumble(error)

    def _stumble(self, error: Exception) -> None:
        try:
            _log.warning("usage of a request was not counted: %s", _place(error))
            if self._meter:
                self._meter.stumble()
        except Exception:  # noqa: BLE001, S110
            pass  # nothing is left that could be tried


def _meter_from_environment() -> "Meter | None":
    """None where metering cannot start: the engine serves without it, and its log says why."""
    try:
        from sre.usage.asgi.settings import meter_from

        return meter_from()
    except Exception as error:  # noqa: BLE001
        _log.error("usage is not counted: %s", _place(error))
        return None


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"
    return f"{type(error).__name__} at {where}"
