"""Which model names are shown: those of the roster, or those that the engine answered for."""

from collections.abc import Collection

from sre.usage.labels import OTHER

_MOST = 64
"""Names learned from answers: an engine serves a few, with adapters some dozens."""


class Served:
    """With a roster nothing is learned. Names that a client invents are never shown: they get no answer."""

    def __init__(self, roster: Collection[str] | None = None) -> None:
        self._learns = roster is None
        self._names = {name: name for name in roster or ()}

    def shown(self, name: str | None) -> str:
        """The name as a label's value."""
        return self._names.get(name, OTHER) if name else OTHER

    def learn(self, name: str | None) -> None:
        """Take the name that stands in an answer which is no error, without control characters and cut to its limit."""
        if self._learns and name and len(self._names) < _MOST:
            self._names.setdefault(name, name)
