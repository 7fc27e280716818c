"""From lines and bodies to counts: decode, identify, account. One bad line never stops the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from sre.usage.formats import Format


@dataclass(frozen=True)
class Route:
    """One way in. ``name`` is the label ``route``: the path as the configuration has it."""

    name: str
    format: Format
    trusted: bool = False


class Intake:
    """Owns identity, accounts and what is known of each route's health. One thread uses it."""

    def take(self, route: Route, lines: Sequence[bytes]) -> None:
        """Count the lines of a log; whatever is wrong with one is counted by reason."""
        raise NotImplementedError

    def take_body(self, route: Route, body: bytes) -> None:
        """Count what was posted: array, lines or one object. Ids seen lately are dropped as duplicates."""
        raise NotImplementedError

    def expose(self, now: float) -> bytes:
        """The whole page of /metrics: accounts, then the exporter's own health at the epoch second ``now``."""
        raise NotImplementedError

    def snapshot(self) -> object:
        """Accounts, counts of the routes and ids seen lately: what the state file keeps beside positions."""
        raise NotImplementedError

    def restore(self, snapshot: object) -> None:
        raise NotImplementedError
