"""Who consumed: decided from what the gateway authenticated or from the key map, never from a client's word."""

from collections.abc import Collection, Mapping

from sre.usage.keys import KeyMap
from sre.usage.labels import OTHER, UNASSIGNED, clean
from sre.usage.record import UsageRecord


class Identity:
    """Decides the team of a record. Holds hashes of keys, never a key."""

    def __init__(
        self, teams: Collection[str] | None = None, keys: Mapping[str, str] | None = None, longest: int = 128
    ) -> None:
        """``teams`` is the roster; None lets names in as they come (``Accounts`` caps them)."""
        self._roster = None if teams is None else {team: team for team in teams}
        self._keys = KeyMap(keys) if keys else None
        self._longest = longest

    def team(self, record: UsageRecord, key: str | None, trusted: bool) -> str:
        """A name of the roster, ``other`` or ``unassigned``.

        ``key`` is looked up before the record's own team is: whoever holds a mapped key is known for certain.
        ``trusted`` says that the record's team may be taken, because the gateway authenticated it or because
        the route is trusted.
        """
        name = self._keys.team(key) if key and self._keys else None
        if name is None and trusted:
            name = record.team
        if not name:
            return UNASSIGNED
        if self._roster is None:
            return clean(name, self._longest) or UNASSIGNED
        return self._roster.get(name, OTHER)
