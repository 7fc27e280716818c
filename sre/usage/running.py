"""The loop that owns logs, intake and state, in one thread: `Inbox` is the only door to it.

Order is everything here. Lines are counted and the position after them is kept in memory only; then both are
saved in one file; and only what is saved is shown or confirmed: a page is made, and ``Delivery.done`` called,
straight after a save. Where a save fails, counts and positions go back to those saved last: the page then still
shows them, its health says that the disk is full, and the logs are read again once there is room.

The page is ``Intake.expose()`` and, after it, the lines of `vitals`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from sre.findings import Finding, Refused
from sre.usage.inbox import Delivery, Inbox, Scrape
from sre.usage.intake import Intake, Route
from sre.usage.state import State, StateFile
from sre.usage.tail import Position, Tail
from sre.usage.vitals import Vitals, expose

_BATCHES = 16
"""Batches that are read between two looks into the inbox: a tenth of a second, roughly."""
_POLL = 0.25
"""Seconds between two looks at logs that have nothing new."""
_RETRY = 5.0
"""Seconds between two tries to save on a disk that was full."""


@dataclass
class Running:
    """``clock`` gives epoch seconds. ``checkpoint`` is how many seconds counts may stay unsaved.

    ``logs`` and ``intake`` may be replaced between turns: positions of routes that are no more are kept.
    """

    intake: Intake
    inbox: Inbox
    state: StateFile
    logs: Sequence[tuple[Route, Tail]]
    clock: Callable[[], float]
    checkpoint: float = 5.0
    caught_up: bool = field(default=False, init=False)
    """Whether every log has been read to its end once: /-/ready and /metrics answer 503 before."""

    def __post_init__(self) -> None:
        self._saved = b""
        self._saved_at = self._tried_at = self._began_at = self.clock()
        self._failure = ""
        self._counted = self._torn = False
        self._positions: dict[str, Position] = {}
        self._known: set[int] = set()
        self._ends: set[str] = set()
        self._at_end: set[str] = set()

    def start(self) -> None:
        """Go on from the state file; save at once, so that a log that is rotated from now on is known.

        Raises `Refused` for a state file that cannot be used, and where the first one cannot be written.
        """
        data = self.state.read()
        if data is not None:
            self._saved = data
            self._go_back()
        self._adopt()
        if self.save():
            return
        # What was saved before was shown before, and nothing else can be while the disk is full.
        self.caught_up = True
        if data is None:
            what, why = (
                f"nothing can be saved: {self._failure}",
                "Nothing can be counted that cannot be saved.",
            )
            raise Refused([Finding(str(self.state.path), what, why, "Make room there, and start again.")])

    def turn(self, wait: float) -> None:
        """Read some of each log and answer the inbox; waits up to so many seconds where there is nothing to do."""
        self._adopt()
        if self._failure and self._is_past(self._tried_at + _RETRY):
            self.save()
        more = not self._failure and self._read_logs()
        self._answer(self.inbox.take(0 if more else wait))
        if self._counted and self._is_past(self._saved_at + self.checkpoint):
            self.save()

    def _is_past(self, moment: float) -> bool:
        """Whether it is later than that, or the clock was set back."""
        now = self.clock()
        return now >= moment or now < self._tried_at

    def save(self) -> bool:
        """Save what was counted; False where that failed, and counts and positions are those saved before."""
        self._tried_at = self.clock()
        positions = self._positions | {route.name: tail.position for route, tail in self.logs}
        data = self.state.encode(State(self.intake.snapshot(), positions))
        try:
            self.state.save(data)
        except OSError as error:
            self._failure = error.strerror or str(error)
            if self._saved:
                self._go_back()
            return False
        self._saved, self._saved_at, self._failure = data, self._tried_at, ""
        self._positions, self._counted = positions, False
        return True

    def stop(self) -> None:
        """Save, and close the logs and the state file. Raises `Refused` where the last counts could not be saved."""
        unsaved = self._counted and not self._torn and not self.save()
        for _, tail in self.logs:
            tail.close()
        self.state.close()
        if unsaved:
            what = f"what was counted since the last save could not be saved: {self._failure}"
            why = (
                "Nothing is lost: it is read again from the logs, and posts of that time were not confirmed."
            )
            raise Refused(
                [Finding(str(self.state.path), what, why, "Make room there before the next start.")]
            )

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What keeps anything from being read or saved: where, and a sentence that says what to do."""
        logs = [(route.name, tail.problem) for route, tail in self.logs]
        full = f"nothing new is counted, as it cannot be saved ({self._failure}): make room"
        return [one for one in logs if one[1]] + ([(str(self.state.path), full)] if self._failure else [])

    def _adopt(self) -> None:
        """Logs that are new here go on where they were left, if ever they were read."""
        for route, tail in self.logs:
            if id(tail) not in self._known and route.name in self._positions:
                tail.rewind(self._positions[route.name])
        self._known = {id(tail) for _, tail in self.logs}

    def _go_back(self) -> None:
        state = self.state.decode(self._saved)
        try:
            self.intake.restore(state.counts)
        except ValueError as error:
            raise self.state.refused(f"this state file holds {error}", "Counts would be misread.") from None
        self._positions = dict(state.positions)
        for route, tail in self.logs:
            if route.name in self._positions:
                tail.rewind(self._positions[route.name])
        self._counted = False

    def _read_logs(self) -> bool:
        """Count the next lines of every log; whether there are more."""
        more = False
        share = max(1, _BATCHES // max(1, len(self.logs)))
        for route, tail in self.logs:
            more |= self._read_log(route, tail, share)
        self.caught_up = self.caught_up or self._ends >= {route.name for route, _ in self.logs}
        return more

    def _read_log(self, route: Route, tail: Tail, share: int) -> bool:
        for _ in range(share):
            batch = tail.read()
            if not batch.more:
                self._note_end(route.name, tail, waits=batch.waits)
                return False
            self._count(partial(self.intake.take, route, batch.lines))
        self._at_end.discard(route.name)
        return True

    def _note_end(self, name: str, tail: Tail, *, waits: bool) -> None:
        if not waits:
            self._ends.add(name)
        if waits or (tail.problem and tail.condition.backlog):
            self._at_end.discard(name)
        else:
            self._at_end.add(name)

    def _count(self, take: Callable[[], None]) -> None:
        # Half of a batch must never be saved: whatever ends it, its position was not reached.
        self._counted = self._torn = True
        take()
        self._torn = False

    def _answer(self, waiting: Sequence[Delivery | Scrape]) -> None:
        deliveries = [one for one in waiting if isinstance(one, Delivery)]
        if not waiting:
            return
        if not self._failure:
            for one in deliveries:
                self._count(partial(self._take, one))
            if self._counted:
                self.save()
        for one in deliveries:
            one.done(f"they cannot be saved: {self._failure}" if self._failure else None)
        scrapes = [one for one in waiting if isinstance(one, Scrape)]
        page = self._page() if scrapes and self.caught_up else None
        for scrape in scrapes:
            scrape.done(page)

    def _take(self, one: Delivery) -> None:
        one.taken = self.intake.take_body(one.route, one.body)

    def _page(self) -> bytes:
        now = self.clock()
        logs = [Vitals(route.name, self._lag(route, tail, now), tail.condition) for route, tail in self.logs]
        age = now - self._saved_at if self._counted or self._failure else 0.0
        return self.intake.expose() + expose(logs, max(0.0, age), saved=not self._failure)

    def _lag(self, route: Route, tail: Tail, now: float) -> float:
        if route.name in self._at_end:
            return 0.0
        newest = self.intake.last_record(route.name)
        return max(0.0, now - (self._began_at if newest is None else newest))


def run(running: Running, stopped: Callable[[], bool], between: Callable[[], None] = lambda: None) -> None:
    """Turn until ``stopped``; ``between`` is called between turns (a reload, for example)."""
    while not stopped():
        running.turn(_POLL)
        between()
