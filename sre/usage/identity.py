"""Who consumed: decided from what the gateway authenticated or from the key map, never from a client's word."""

from sre.usage.record import UsageRecord

OTHER = "other"
"""A name that the roster does not hold."""
UNASSIGNED = "unassigned"
"""No name at all."""


class Identity:
    """Decides the team of a record. Holds hashes of keys, never a key."""

    def team(self, record: UsageRecord, key: str | None, trusted: bool) -> str:
        """A name of the roster, ``other`` or ``unassigned``."""
        raise NotImplementedError
