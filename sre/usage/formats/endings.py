"""How a request ended: success or error, and an error of which type."""

from collections.abc import Callable, Sequence
from typing import Any

from sre.usage.formats.errors import ErrorRules
from sre.usage.formats.invalid import Invalid
from sre.usage.formats.model import Ending
from sre.usage.record import ERROR_TYPES, ErrorType, Outcome

_TYPES: dict[str, ErrorType] = {known: known for known in ERROR_TYPES}


class Endings:
    """What the values of a line's fields mean for one format."""

    def __init__(self, spec: Ending, rules: ErrorRules, absent: frozenset[object]) -> None:
        self._spec = spec
        self._rules = rules
        self._absent = absent

    def remembered(self, seen: Sequence[str]) -> Callable[[Any], Outcome]:
        """``outcome`` of one value, where only one field tells, or of a tuple of them: both can be looked up."""
        if len(seen) == 1:
            return lambda value: self.outcome(**{seen[0]: value})
        return lambda values: self.outcome(**dict(zip(seen, values or (), strict=True)))

    def outcome(self, word: Any = None, code: Any = None, flags: Any = None, error: Any = None) -> Outcome:
        """From what the fields hold. Raises ``Invalid`` where nothing tells."""
        spec = self._spec
        word, code, flags, error = map(self._text, (word, code, flags, error))
        if error or (spec.failure_flags and not set(spec.failure_flags).isdisjoint(flags.split(","))):
            return "error"
        if word and word not in (*spec.success, *spec.failure):
            raise Invalid("wrong_type")
        if word:
            return "success" if word in spec.success else "error"
        if code:
            return "success" if code in spec.success_codes else "error"
        if spec.otherwise is None:
            raise Invalid("missing")
        return spec.otherwise

    def error(self, decided: Any, kind: Any, code: Any, flags: Any, message: Any) -> ErrorType:
        """From a type of our own list, where there is one, else by the rules."""
        known = _TYPES.get(self._text(decided))
        return known or self._rules.decide(*map(self._text, (kind, code, flags, message)))

    def _text(self, value: Any) -> str:
        return "" if value in self._absent else str(value)
