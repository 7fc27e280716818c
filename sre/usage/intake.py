"""From lines and bodies to counts: decode, identify, account. One bad line never stops the rest."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sre.usage import families
from sre.usage.accounts import Accounts
from sre.usage.formats import Format, Invalid
from sre.usage.identity import Identity
from sre.usage.labels import labels
from sre.usage.progress import Progress, expose
from sre.usage.seen import Seen


@dataclass(frozen=True)
class Route:
    """One way in. ``name`` is the label ``route``: the path as the configuration has it."""

    name: str
    format: Format


class Taken(NamedTuple):
    """What came of the records of one body."""

    ok: int
    invalid: int
    duplicate: int


class Intake:
    """Owns identity, accounts and what is known of each route's health. One thread uses it."""

    def __init__(
        self,
        identity: Identity,
        accounts: Accounts,
        routes: Sequence[str],
        clock: Callable[[], float],
        remembered_ids: int = 50_000,
    ) -> None:
        """``routes`` are the names that the page shows from the start; ``clock`` gives epoch seconds."""
        self._identity, self._accounts, self._clock = identity, accounts, clock
        self._progress = {name: Progress() for name in routes}
        self._seen, self._begun = Seen(remembered_ids), clock()

    def take(self, route: Route, lines: Sequence[bytes]) -> None:
        """Count the lines of a log; whatever is wrong with one is counted by reason."""
        decode, team, add = route.format.decode, self._identity.team, self._accounts.add
        invalid, newest = defaultdict[str, int](int), 0.0
        for line in lines:
            try:
                record, key = decode(line)
            except Invalid as found:
                invalid[found.reason] += 1
                continue
            add(record, team(record.team, key))
            if record.time > newest:  # noqa: PLR1730  (a call takes longer)
                newest = record.time
        self._note(route, len(lines), invalid, newest)

    def take_body(self, route: Route, body: bytes) -> Taken:
        """Count what was posted: array, lines or one object. Ids seen lately are dropped as duplicates."""
        team, add, new = self._identity.team, self._accounts.add, self._seen.take
        invalid, newest, duplicate, count = defaultdict[str, int](int), 0.0, 0, 0
        for read in route.format.decode_body(body):
            count += 1
            if isinstance(read, Invalid):
                invalid[read.reason] += 1
                continue
            record, key = read
            if record.id and not new(route.name, record.id):
                duplicate += 1
                continue
            add(record, team(record.team, key))
            if record.time > newest:  # noqa: PLR1730  (a call takes longer)
                newest = record.time
        return self._note(route, count, invalid, newest, duplicate)

    def last_record(self, route: str) -> float | None:
        """The time of the newest record of a route in epoch seconds; None before any."""
        return self._progress[route].newest

    def skipped(self) -> dict[tuple[str, str], int]:
        """Invalid records by route and reason."""
        return {(name, why): n for name, one in self._progress.items() for why, n in one.invalid.items() if n}

    def expose(self) -> bytes:
        """The accounts, and what came of each route's records."""
        name = families.OVERFLOW.name
        overflow = "".join(f"{name}{labels(label=k)} {n}\n" for k, n in self._accounts.overflow.items())
        progress = expose(self._progress, self._clock(), self._begun)
        own = f"{progress}{families.OVERFLOW.head}{overflow}"
        return self._accounts.expose() + own.encode()

    def snapshot(self) -> dict[str, Any]:
        """Accounts, counts of the routes and ids seen lately: what the state file keeps beside positions."""
        routes = {name: progress.snapshot() for name, progress in self._progress.items()}
        return {"accounts": self._accounts.snapshot(), "routes": routes, "seen": self._seen.snapshot()}

    def restore(self, snapshot: Any) -> None:
        """Go on from a snapshot, whatever was counted since; routes that are no more are forgotten.

        Raises ``ValueError`` where it is no snapshot of these metrics.
        """
        try:
            self._accounts.restore(snapshot["accounts"])
            self._seen.restore(snapshot["seen"])
            for name in self._progress:
                self._progress[name] = Progress()
                if name in snapshot["routes"]:
                    self._progress[name].restore(snapshot["routes"][name])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not counts of this release ({type(error).__name__})") from None

    def _note(
        self, route: Route, count: int, invalid: dict[str, int], newest: float, duplicate: int = 0
    ) -> Taken:
        # A body may still wait when the configuration that knew its route is replaced.
        progress, bad = self._progress.setdefault(route.name, Progress()), sum(invalid.values())
        progress.ok += count - bad - duplicate
        progress.duplicate += duplicate
        for reason, number in invalid.items():
            progress.invalid[reason] += number
        # A clock that runs ahead, or a lie about the time, must not hide that nothing comes any more.
        if newest:
            progress.newest = max(progress.newest or 0.0, min(newest, self._clock()))
        return Taken(count - bad - duplicate, bad, duplicate)
