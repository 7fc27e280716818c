"""Pages over HTTP on loopback: whatever a function knows by path, to as many clients as come."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from sre.findings import Finding, Refused

HOST = "127.0.0.1"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class Page(NamedTuple):
    """What one address answers."""

    body: bytes
    kind: str = METRICS


Pages = Callable[[str], Page | None]
"""The page at a path, without what stands behind its question mark; None where there is none."""


@contextmanager
def serve(pages: Pages, port: int = 0) -> Iterator[str]:
    """Answer until the block ends; the value is the address. Port 0 is any free one.

    Raises ``Refused`` where the port cannot be had.
    """
    server = _listen(port, _handler(pages))
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
    # Thousands of targets are scraped at about the same time: none of them may be turned away.
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """A scrape that took too long has hung up; that is its own affair."""


def _listen(port: int, handler: type[BaseHTTPRequestHandler]) -> _Server:
    try:
        return _Server((HOST, port), handler)
    except OSError as error:
        where, why = f"{HOST}:{port}", "nothing could be asked there"
        fix = "give another port with `--port`, or `--port 0` for any free one"
        raise Refused([Finding(where, f"cannot be listened on: {error.strerror}", why, fix)]) from None


def _handler(pages: Pages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 120
        """Seconds after which a silent connection is given up."""
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            page = pages(self.path.partition("?")[0])
            status, body = (
                (HTTPStatus.OK, page) if page else (HTTPStatus.NOT_FOUND, Page(b"not here\n", TEXT))
            )
            self.send_response(status)
            self.send_header("Content-Type", body.kind)
            self.send_header("Content-Length", str(len(body.body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body.body)

        def log_message(self, *arguments: object) -> None:
            """A terminal is no access log."""

    return Handler
