"""How a request ended: success or error, and an error of which type."""

from collections.abc import Sequence
from typing import Any

from sre.usage.formats.errors import Symptoms, decide
from sre.usage.formats.invalid import Invalid
from sre.usage.formats.model import Ending, Rule
from sre.usage.record import ERROR_TYPES, ErrorType, Outcome

_TYPES: dict[str, ErrorType] = {known: known for known in ERROR_TYPES}


class Endings:
    """What the values of a line's fields mean for one format."""

    def __init__(self, spec: Ending, rules: Sequence[Rule], absent: frozenset[object]) -> None:
        self._spec = spec
        self._rules = rules
        self._absent = absent

    def outcome(self, fields: tuple[Any, Any, Any, Any]) -> Outcome:
        """From word, code, flags and error. Raises ``Invalid`` where nothing tells."""
        spec, (word, code, flags, error) = self._spec, map(self._text, fields)
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

    def error(self, decided: Any, *symptoms: Any) -> ErrorType:
        """From a type of our own list, where there is one, else from class, code, flags and message."""
        return _TYPES.get(self._text(decided)) or decide(self._rules, Symptoms(*map(self._text, symptoms)))

    def _text(self, value: Any) -> str:
        return "" if value in self._absent else str(value)
