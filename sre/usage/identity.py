"""Who consumed: decided from what the gateway authenticated or from the key map, never from a client's word."""

from collections.abc import Collection, Mapping

from sre.usage.keys import KeyMap
from sre.usage.labels import OTHER, UNASSIGNED, clean


class Identity:
    """Decides teams. Holds hashes of keys, never a key."""

    def __init__(
        self, teams: Collection[str] | None = None, keys: Mapping[str, str] | None = None, longest: int = 128
    ) -> None:
        """``teams`` is the roster; None lets names in as they come (``Accounts`` caps them)."""
        self._roster = None if teams is None else {team: team for team in teams}
        self._keys = KeyMap(keys) if keys else None
        self._longest = longest

    def team(self, name: str | None, key: str | None) -> str:
        """A name of the roster, ``other`` or ``unassigned``.

        ``name`` is a record's team: what the gateway authenticated, or a header's word on a route that is
        trusted (formats give no other). ``key`` is looked up first: whoever holds a mapped key is known for certain.
        """
        if key and self._keys and (mapped := self._keys.team(key)):
            name = mapped
        if not name:
            return UNASSIGNED
        if self._roster is None:
            return clean(name, self._longest) or UNASSIGNED
        return self._roster.get(name, OTHER)
