"""One connection: requests in, answers out, each within its time. Parsing is left to h11."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus

import h11

from sre.usage.receiver.message import Cut, Request, Response, say

Application = Callable[[Request], Awaitable[Response]]

_CHUNK, _SLICE = 1 << 16, 1 << 18
_HEAD = 16 << 10
"""Bytes of a request's line and headers; more are answered 431."""
_LINGER = 2.0
"""Seconds for which the rest of a refused body is read and thrown away, so that its sender gets to the answer."""


class Connection:
    """Answers until the other side goes, breaks the rules or takes too long.

    ``waiting`` is true while no request is there whole with its headers: such a connection may be closed at any
    time to make room.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        application: Application,
        seconds: float,
    ) -> None:
        self._reader, self._writer, self._application, self._seconds = reader, writer, application, seconds
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
        self.waiting = True

    async def serve(self) -> None:
        """Until the connection is closed; raises nothing."""
        try:
            while await self._answer_one():
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await self._refuse(error)
        except (OSError, ssl.SSLError, TimeoutError, Cut, asyncio.IncompleteReadError):
            # The other side has gone, or takes too long: nobody is there to be told.
            pass
        finally:
            await self._close()

    def drop(self) -> None:
        """Close at once."""
        self._writer.transport.abort()

    async def turn_away(self) -> None:
        """Answer 503 without having read anything."""
        with suppress(OSError, TimeoutError, h11.LocalProtocolError):
            await self._send(_FULL, whole=False)
        await self._close()

    async def _answer_one(self) -> bool:
        """Whether another request may follow."""
        self.waiting = True
        async with asyncio.timeout(self._seconds):
            head = await self._event()
        if not isinstance(head, h11.Request):
            return False
        self.waiting = False
        response = await self._application(self._request(head))
        try:
            whole = self._whole()
            await self._send(response, whole=whole, silent=head.method == b"HEAD")
        finally:
            response.sent()
        if not whole:
            await self._linger()
        return whole and self._http.our_state is h11.DONE

    def _whole(self) -> bool:
        """Whether nothing of the request is left unread."""
        if self._http.their_state is h11.SEND_BODY:
            self._http.next_event()
        return self._http.their_state is h11.DONE

    def _request(self, head: h11.Request) -> Request:
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        path = head.target.decode("ascii", "replace").partition("?")[0]
        peer = self._writer.get_extra_info("peercert")
        return Request(head.method.decode("ascii"), path, headers, bool(peer), self._body())

    async def _body(self) -> AsyncIterator[bytes]:
        # One time for all of it: a byte now and then keeps nothing open.
        end = asyncio.get_running_loop().time() + self._seconds
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            self._writer.write(_bytes(self._http.send(go_on)))
        try:
            while True:
                async with asyncio.timeout_at(end):
                    event = await self._event()
                if not isinstance(event, h11.Data):
                    break
                yield bytes(event.data)
        except (h11.RemoteProtocolError, OSError, TimeoutError) as error:
            raise Cut(type(error).__name__) from None
        if not isinstance(event, h11.EndOfMessage):
            raise Cut("closed")

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_CHUNK))
        return event

    async def _send(self, response: Response, *, whole: bool = True, silent: bool = False) -> None:
        """``whole`` says that the request was read to its end: only then can another one follow on this connection."""
        headers = [("Content-Type", response.kind), ("Content-Length", str(len(response.body)))]
        headers += [*response.headers.items(), *([] if whole else [("Connection", "close")])]
        async with asyncio.timeout(self._seconds):
            head = h11.Response(status_code=response.status, headers=headers, reason=response.status.phrase)
            self._writer.write(_bytes(self._http.send(head)))
            body = b"" if silent else response.body
            for at in range(0, len(body), _SLICE):
                # A slice at a time: what waits to be taken is small, however slowly a page is.
                self._writer.write(_bytes(self._http.send(h11.Data(data=body[at : at + _SLICE]))))
                await self._writer.drain()
            self._http.send(h11.EndOfMessage())
            await self._writer.drain()

    async def _refuse(self, error: h11.RemoteProtocolError) -> None:
        status = HTTPStatus(error.error_status_hint)
        sentence = (
            "The request's headers are too long." if status == 431 else "This is not a request of HTTP/1.1."
        )
        with suppress(OSError, TimeoutError, h11.LocalProtocolError):
            if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                await self._send(say(status, sentence), whole=False)
                await self._linger()

    async def _linger(self) -> None:
        with suppress(OSError, TimeoutError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            async with asyncio.timeout(_LINGER):
                while await self._reader.read(_CHUNK):
                    pass

    async def _close(self) -> None:
        self._writer.close()
        with suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(_LINGER):
                await self._writer.wait_closed()


_FULL = say(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections are open: try again.", Retry_After="1")


def _bytes(data: bytes | None) -> bytes:
    return data or b""
