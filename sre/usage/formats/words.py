"""Words of a record as they are kept; each is cleaned once, for a log holds few of them, often."""

from collections.abc import Callable
from typing import Any

from sre.usage.formats.invalid import Invalid

LONGEST = 256
"""Characters of a name that are kept; a roster has none as long."""

_REMEMBERED = 4096
"""A client that makes up names fills so many places and no more."""


class Memory(dict[Any, Any]):
    """Answers of a function, as a dictionary: to look one up is a single step of the interpreter's own."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        super().__init__()
        self._answer = answer

    def __missing__(self, asked: Any) -> Any:
        answer = self._answer(asked)
        if _weigh(asked) <= LONGEST:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[asked] = answer
        return answer


def _weigh(value: object) -> int:
    """Characters that it costs to remember a value."""
    if isinstance(value, tuple):
        return sum(map(_weigh, value))
    return len(value) if isinstance(value, str) else 1


def name(absent: frozenset[object]) -> Callable[[Any], str | None]:
    """A name as it is kept, None for what stands for nothing. Raises ``Invalid`` for what is no text."""

    def clean(value: Any) -> str | None:
        if value in absent:
            return None
        if not isinstance(value, str):
            raise Invalid("wrong_type")
        return value[:LONGEST].strip() or None

    return clean


def identify(absent: frozenset[object]) -> Callable[[Any], str]:
    """An id as it is kept; one that would have to be cut could stand for another, so it makes the line invalid."""

    def read(value: Any) -> str:
        if value in absent:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise Invalid("wrong_type")
        if len(str(value)) > LONGEST:
            raise Invalid("too_long")
        return str(value)

    return read
