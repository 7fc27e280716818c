"""What the HTTP side asks of the one thread that counts: bodies to take, pages to show. Bounded in bytes."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from sre.usage.intake import Route, Taken


@dataclass
class Delivery:
    """One posted body, and, once it was counted, what came of it.

    ``done`` is called (from the counting thread) once its counts are saved; with an error text where they could
    not be: the sender is then answered 503 and sends again.
    """

    route: Route
    body: bytes
    done: Callable[[str | None], None]
    taken: Taken | None = None


@dataclass(frozen=True)
class Scrape:
    """A request for /metrics: ``done`` gets the page, made after a save; None where it cannot be shown yet (503)."""

    done: Callable[[bytes | None], None]


class Inbox:
    """A queue between threads. ``running`` empties it in each turn of its loop: ``intake.take_body`` for each
    delivery (its result is put into ``taken``), one save for all, then every ``done``.
    """

    def __init__(self, most_bytes: int = 64 << 20) -> None:
        self._most, self._used = most_bytes, 0
        self._waiting = deque[Delivery | Scrape]()
        self._lengths = Counter[str]()
        self._some = threading.Condition()
        self._closed = False

    def reserve(self, size: int) -> bool:
        """Room for a body of so many bytes, before it is here; False where there is none."""
        with self._some:
            if self._used + size > self._most:
                return False
            self._used += size
            return True

    def release(self, size: int) -> None:
        """Give room back, once the body is counted or will not come."""
        with self._some:
            self._used -= size

    def put(self, one: Delivery | Scrape) -> bool:
        """False where nobody will take it any more."""
        with self._some:
            if self._closed:
                return False
            self._waiting.append(one)
            if isinstance(one, Delivery):
                self._lengths[one.route.name] += 1
            self._some.notify()
            return True

    def take(self, wait: float) -> list[Delivery | Scrape]:
        """All that waits, oldest first; waits up to so many seconds for the first one."""
        with self._some:
            if not self._waiting and wait > 0:
                self._some.wait(wait)
            taken = list(self._waiting)
            self._waiting.clear()
            self._lengths.clear()
            return taken

    def length(self, route: str) -> int:
        """Bodies of a route that wait to be counted."""
        with self._some:
            return self._lengths[route]

    def wake(self) -> None:
        """End the wait of ``take``: something else is to be done, such as to stop."""
        with self._some:
            self._some.notify()

    def close(self) -> None:
        """Let nothing in any more; what waits already can still be taken."""
        with self._some:
            self._closed = True
