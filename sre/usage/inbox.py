"""What the HTTP side asks of the one thread that counts: bodies to take, pages to show. Bounded."""

from collections.abc import Callable
from dataclasses import dataclass

from sre.usage.intake import Route


@dataclass(frozen=True)
class Delivery:
    """One posted body. ``done`` is called (from the counting thread) once its counts are saved; with an error
    text where they could not be: the sender is then answered 503 and sends again.
    """

    route: Route
    body: bytes
    done: Callable[[str | None], None]


@dataclass(frozen=True)
class Scrape:
    """A request for /metrics: ``done`` gets the page, made after a save; None where it cannot be shown yet (503)."""

    done: Callable[[bytes | None], None]


class Inbox:
    """A queue between threads, bounded in bytes. ``running`` empties it in each turn of its loop:
    ``intake.take_body`` for each delivery, one save for all, then every ``done``.
    """

    def put(self, one: Delivery | Scrape) -> bool:
        """False where it is full: nothing was taken."""
        raise NotImplementedError

    def take(self, wait: float) -> list[Delivery | Scrape]:
        """All that waits, oldest first; waits up to so many seconds for the first one."""
        raise NotImplementedError
