"""Every usage metric, made from records in this one place; no clock, no network, no disk, one thread."""

from sre.usage.record import UsageRecord


class Accounts:
    """Counters and histograms of all records so far, with closed label sets under a cap."""

    def add(self, record: UsageRecord, team: str) -> None:
        """Count one record for a team that ``Identity`` decided."""
        raise NotImplementedError

    def expose(self) -> bytes:
        """The text exposition of all usage metrics, ``# HELP`` and ``# TYPE`` included."""
        raise NotImplementedError

    def snapshot(self) -> object:
        """All counts as lists, dicts, strings and numbers, for msgspec to encode."""
        raise NotImplementedError

    def restore(self, snapshot: object) -> None:
        """Go on from a snapshot, decoded; names that the roster no longer holds go to ``other``."""
        raise NotImplementedError
