"""Loopback over HTTP: ports, and whatever a function knows by path, to as many clients as come."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

from sre.findings import Finding, Refused

HOST = "127.0.0.1"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class Page(NamedTuple):
    """What one address answers; with status 0 nothing at all: the connection is closed."""

    body: bytes
    kind: str = METRICS
    status: int = HTTPStatus.OK


HUNG_UP = Page(b"", TEXT, 0)
BROKEN = Page(b"not serving\n", TEXT, HTTPStatus.INTERNAL_SERVER_ERROR)
_UNKNOWN = Page(b"not here\n", TEXT, HTTPStatus.NOT_FOUND)

Pages = Callable[[str], Page | None]
"""The page at a path, without what stands behind its question mark; None where there is none."""

Post = Callable[[str, bytes], Page | None]
"""Takes what is posted to a path, and may answer something."""


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def usable_port(port: int) -> int:
    """The port itself, or any free one for 0. Raises ``Refused`` where somebody has it."""
    if not port:
        return free_port()
    with socket.socket() as probe:
        # As servers ask for it: what a connection has left behind keeps nobody from listening.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise Refused([_taken(port, error)]) from None
    return port


def ask(url: str, body: bytes | None = None, timeout: float = 10.0) -> bytes:
    """What a page of the lab answers, or what is answered to a post; raises ``OSError`` where nobody does."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=timeout)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        connection.request("GET" if body is None else "POST", path, body)
        response = connection.getresponse()
        if response.status != HTTPStatus.OK:
            raise ConnectionError(f"{url} answers {response.status}")
        return response.read()
    except HTTPException as error:
        raise ConnectionError(f"{url}: {error}") from None
    finally:
        connection.close()


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def serve(pages: Pages, port: int = 0, post: Post | None = None) -> Iterator[str]:
    """Answer until the block ends; the value is the address. Port 0 is any free one.

    Raises ``Refused`` where the port cannot be had.
    """
    server = _listen(port, _handler(pages, post))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Hundreds of targets are scraped at about the same time: none of them may be turned away.
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """A scrape that took too long has hung up; that is its own affair."""


def _listen(port: int, handler: type[BaseHTTPRequestHandler]) -> _Server:
    try:
        return _Server((HOST, port), handler)
    except OSError as error:
        raise Refused([_taken(port, error)]) from None


def _taken(port: int, error: OSError) -> Finding:
    where, why = f"{HOST}:{port}", "nothing could be asked there"
    fix = "give another port with `--port`, or `--port 0` for any free one"
    return Finding(where, f"cannot be listened on: {error.strerror}", why, fix)


def _handler(pages: Pages, post: Post | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 120
        """Seconds after which a silent connection is given up."""
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer(pages(self.path.partition("?")[0]) or _UNKNOWN)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer((post(self.path, body) or Page(b"", TEXT)) if post else _UNKNOWN)

        def _answer(self, page: Page) -> None:
            if not page.status:
                self.close_connection = True
                return
            self.send_response_only(page.status)
            self.send_header("Content-Type", page.kind)
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(page.body)

        def log_message(self, *arguments: object) -> None:
            """A terminal is no access log."""

    return Handler
