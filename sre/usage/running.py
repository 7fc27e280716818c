"""The loop that owns logs, intake and state, in one thread: `Inbox` is the only door to it.

Order is everything here. Lines are counted and the position after them is kept in memory only; then both are
saved in one file; and only what is saved is shown or confirmed: a page is made, and ``Delivery.done`` called,
straight after a save. Where a save fails, counts and positions go back to those saved last: the page then still
shows them, its health says that the disk is full, and the logs are read again once there is room.

The page is ``Intake.expose(now)`` and, after it, the families of this module (nobody else writes them):
llm_exporter_lag_seconds, llm_exporter_checkpoint_age_seconds, llm_exporter_backlog_bytes, llm_exporter_lost_bytes_total,
llm_exporter_log_readable, llm_exporter_state_saved. Needed of ``Intake`` for that:
``last_record(route: str) -> float | None``, the time of the newest record of a route.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sre.usage.inbox import Inbox
from sre.usage.intake import Intake, Route
from sre.usage.state import StateFile
from sre.usage.tail import Tail


@dataclass
class Running:
    """``clock`` gives epoch seconds. ``checkpoint`` is how many seconds counts may stay unsaved."""

    intake: Intake
    inbox: Inbox
    state: StateFile
    logs: Sequence[tuple[Route, Tail]]
    clock: Callable[[], float]
    checkpoint: float = 5.0
    caught_up: bool = field(default=False, init=False)
    """Whether every log has been read to its end once: /-/ready and /metrics answer 503 before."""

    def start(self) -> None:
        """Go on from the state file; save at once, so that a log that is rotated from now on is known."""
        raise NotImplementedError

    def turn(self, wait: float) -> None:
        """Read some of each log and answer the inbox; waits up to so many seconds where there is nothing to do."""
        raise NotImplementedError

    def stop(self) -> None:
        """Save, and close the logs and the state file."""
        raise NotImplementedError


def run(running: Running, stopped: Callable[[], bool], between: Callable[[], None] = lambda: None) -> None:
    """Turn until ``stopped``; ``between`` is called between turns (a reload, for example)."""
    raise NotImplementedError
