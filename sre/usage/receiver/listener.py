"""The listening socket, in a thread of its own: it only reads and writes, and never counts.

asyncio with h11 rather than a thread for each connection: a thousand slow clients cost a thousand small objects,
every wait has a deadline, and h11 is the parser that httpx and uvicorn rely on, in Python alone.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sre.findings import Finding, Refused
from sre.usage.config import Listen
from sre.usage.receiver.connection import Application, Connection

_HANDSHAKE = 5.0
_BACKLOG = 512


class Listener:
    """Answers from ``start`` to ``stop``. ``context`` may be replaced while it runs: new connections use it."""

    def __init__(
        self,
        address: Listen,
        application: Application,
        connections: int,
        seconds: float,
        context: ssl.SSLContext | None = None,
        log: Callable[..., None] = lambda *_, **__: None,
    ) -> None:
        """Takes the address, and raises ``Refused`` where it cannot be had."""
        self.context = context
        self._application, self._most, self._seconds, self._log = application, connections, seconds, log
        self._open = dict[Connection, None]()
        self._tasks = set[asyncio.Task[None]]()
        self._socket = _listen(address)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="listener", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready, self._stopped = threading.Event(), asyncio.Event()

    @property
    def port(self) -> int:
        """The port that it has."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Close everything; answers that are on their way are given a moment."""
        if self._loop:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()
        self._socket.close()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._surprised)
        server = await asyncio.start_server(self._serve, sock=self._socket, backlog=_BACKLOG, limit=1 << 18)
        self._ready.set()
        await self._stopped.wait()
        server.close()
        for connection in [one for one in self._open if one.waiting]:
            connection.drop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, self._application, self._seconds)
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            if len(self._open) >= self._most and not self._make_room():
                await connection.turn_away()
                return
            self._open[connection] = None
            if self.context:
                await writer.start_tls(self.context, ssl_handshake_timeout=_HANDSHAKE)
            await connection.serve()
        except (OSError, ssl.SSLError, TimeoutError):
            # No handshake: nobody is there to be told.
            connection.drop()
        finally:
            self._open.pop(connection, None)
            self._tasks.discard(task)

    def _make_room(self) -> bool:
        """Close the oldest connection that has no request going on: whoever sends slowly gives way to the others."""
        idle = next((one for one in self._open if one.waiting), None)
        if idle:
            self._open.pop(idle)
            idle.drop()
        return idle is not None

    def _surprised(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Only the kind of the error: its text and its frames may hold what was sent.
        error = context.get("exception")
        self._log("the listener failed", error=type(error).__name__ if error else "unknown")


def _listen(address: Listen) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, where = found[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(where)
        except OSError:
            listening.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fix = "stop what has the port (perhaps another exporter), or choose another address as `listen`"
        finding = Finding(
            f"{address}", f"cannot be listened on: {reason}", "nobody could scrape or post", fix
        )
        raise Refused([finding]) from None
    return listening
