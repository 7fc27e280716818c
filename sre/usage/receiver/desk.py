"""What each path answers: ingest routes, the page of metrics, health, and a sentence for everything else."""

import asyncio
import gzip
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Generic, TypeVar

from sre.usage import families
from sre.usage.inbox import Delivery, Inbox, Scrape
from sre.usage.intake import Route
from sre.usage.labels import labels
from sre.usage.receiver.bodies import Room, receive
from sre.usage.receiver.doors import Door
from sre.usage.receiver.message import EXPOSITION, HTML, JSON, Cut, Declined, Request, Response, say

T = TypeVar("T")

REFUSALS = ("unauthorized", "too_large", "busy", "encoding", "unreadable", "cut")
_SCRAPES = 16
"""Pages that are made or taken at once: each is held in memory until it is taken."""


@dataclass(frozen=True)
class Ingest:
    """One path that takes posts."""

    route: Route
    door: Door


@dataclass(frozen=True)
class Rules:
    """What a configuration says of the HTTP side; replaced as a whole when it is read again."""

    ingest: Mapping[str, Ingest]
    metrics: Door
    body_bytes: int
    seconds: float


class Desk:
    """The application behind the listener. All but ``rules`` is used by the listener's thread alone."""

    def __init__(
        self, inbox: Inbox, rules: Rules, ready: Callable[[], bool], more: Callable[[], str] = lambda: ""
    ) -> None:
        """``ready`` tells whether every log was caught up with; ``more`` are lines for the end of the page."""
        self.rules = rules
        self._inbox, self._ready, self._more = inbox, ready, more
        self._refused, self._scrapes = Counter[tuple[str, str]](), 0

    async def answer(self, request: Request) -> Response:
        """The answer to one request; raises ``Cut`` where there is nobody to answer."""
        try:
            if ingest := self.rules.ingest.get(request.path):
                return await self._ingest(ingest, request)
            return await self._show(request)
        except Declined as declined:
            return declined.response

    async def _ingest(self, ingest: Ingest, request: Request) -> Response:
        name = ingest.route.name
        _allow(request, "POST")
        try:
            ingest.door.pass_through(request)
            async with receive(request, self._inbox, self.rules.body_bytes) as (body, room):
                return await self._count(ingest.route, body, room)
        except Declined as declined:
            self._refused[name, declined.reason] += 1
            raise
        except Cut:
            self._refused[name, "cut"] += 1
            raise

    async def _count(self, route: Route, body: bytes, room: Room) -> Response:
        if not body.strip():
            raise Declined(say(HTTPStatus.BAD_REQUEST, "The body is empty."), "unreadable")
        answer, release = _Answer[str | None](), room.hand_over()

        def done(error: str | None) -> None:
            # Room is needed until it is counted, also where its sender waits no longer.
            release()
            answer.give(error)

        delivery = Delivery(route, body, done)
        if not self._inbox.put(delivery):
            done("the exporter is being stopped")
        error = await answer.within(self.rules.seconds, "the exporter has too much to do")
        if error is not None:
            sentence = f"The records could not be counted ({error}): send them again."
            raise Declined(say(HTTPStatus.SERVICE_UNAVAILABLE, sentence, Retry_After="5"), "busy")
        if (taken := delivery.taken) is None:
            return Response(HTTPStatus.OK, b"{}\n", JSON)
        if taken.invalid and not taken.ok and not taken.duplicate:
            sentence = f"None of its {taken.invalid} records can be read as `{route.format.name}`; /metrics tells why."
            raise Declined(say(HTTPStatus.BAD_REQUEST, sentence), "unreadable")
        counts = ",".join(f'"{name}":{count}' for name, count in taken._asdict().items())
        return Response(HTTPStatus.OK, f"{{{counts}}}\n".encode(), JSON)

    async def _show(self, request: Request) -> Response:
        pages = {"/": self._landing, "/-/healthy": self._healthy, "/-/ready": self._readiness}
        if request.path == "/metrics":
            _allow(request, "GET", "HEAD")
            self.rules.metrics.pass_through(request)
            return await self._metrics(request)
        if request.path not in pages:
            paths = ", ".join((*pages, "/metrics", *self.rules.ingest))
            raise Declined(say(HTTPStatus.NOT_FOUND, f"Nothing is here; there are {paths}."))
        _allow(request, "GET", "HEAD")
        return pages[request.path]()

    async def _metrics(self, request: Request) -> Response:
        if self._scrapes >= _SCRAPES:
            sentence = "Too many scrapes at once: try again."
            raise Declined(say(HTTPStatus.SERVICE_UNAVAILABLE, sentence, Retry_After="1"))
        self._scrapes += 1
        try:
            return await self._packed(request)
        except BaseException:
            self._scraped()
            raise

    async def _packed(self, request: Request) -> Response:
        page = await self._page()
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(HTTPStatus.OK, page, EXPOSITION, sent=self._scraped)
        packed = await asyncio.to_thread(gzip.compress, page, 1)
        return Response(HTTPStatus.OK, packed, EXPOSITION, {"Content-Encoding": "gzip"}, self._scraped)

    def _scraped(self) -> None:
        self._scrapes -= 1

    async def _page(self) -> bytes:
        answer = _Answer[bytes | None]()
        if not self._inbox.put(Scrape(answer.give)):
            raise Declined(say(HTTPStatus.SERVICE_UNAVAILABLE, "The exporter is being stopped."))
        page = await answer.within(self.rules.seconds, None)
        if page is None:
            raise Declined(_NOT_YET)
        return page + self.expose().encode() + self._more().encode()

    def expose(self) -> str:
        """Lines about the HTTP side itself."""
        names = [ingest.route.name for ingest in self.rules.ingest.values()]
        queue = (f"{families.QUEUE.name}{labels(route=n)} {self._inbox.length(n)}\n" for n in names)
        name = families.REQUESTS_REFUSED.name
        refused = (
            f"{name}{labels(route=n, reason=reason)} {self._refused[n, reason]}\n"
            for n in names
            for reason in REFUSALS
        )
        return "".join((families.QUEUE.head, *queue, families.REQUESTS_REFUSED.head, *refused))

    def _healthy(self) -> Response:
        return say(HTTPStatus.OK, "The exporter runs.")

    def _readiness(self) -> Response:
        return say(HTTPStatus.OK, "Every log has been caught up with.") if self._ready() else _NOT_YET

    def _landing(self) -> Response:
        links = "".join(
            f'<li><a href="{path}">{path}</a></li>' for path in ("/metrics", "/-/healthy", "/-/ready")
        )
        posts = "".join(
            f"<li>{escape(path)}: {escape(one.route.format.name)}</li>"
            for path, one in self.rules.ingest.items()
        )
        text = f"<!doctype html><title>sre exporter</title><h1>sre exporter</h1><ul>{links}</ul>"
        text += f"<p>Records are posted to</p><ul>{posts}</ul>" if posts else ""
        return Response(HTTPStatus.OK, text.encode(), HTML)


_NOT_YET = say(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The exporter still reads what its logs hold; until then its counts would look like a burst.",
    Retry_After="5",
)


def _allow(request: Request, *methods: str) -> None:
    if request.method not in methods:
        sentence = f"This path takes {' and '.join(methods)} alone."
        raise Declined(say(HTTPStatus.METHOD_NOT_ALLOWED, sentence, Allow=", ".join(methods)))


class _Answer(Generic[T]):
    """What another thread will say; where it says it too late, it is forgotten."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[T] = self._loop.create_future()

    def give(self, value: T) -> None:
        """Called in the other thread."""
        # The listener may be gone by then.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, value)

    async def within(self, seconds: float, otherwise: T) -> T:
        """The answer, or ``otherwise`` where there is none in time."""
        try:
            async with asyncio.timeout(seconds):
                return await self._future
        except TimeoutError:
            return otherwise

    def _settle(self, value: T) -> None:
        if not self._future.done():
            self._future.set_result(value)
