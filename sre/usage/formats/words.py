"""Words of a record as we keep them, each cleaned once: a log holds few of them, often."""

from collections.abc import Callable
from typing import Any

from sre.usage.formats.invalid import Invalid

LONGEST = 256
"""Characters of a name that are kept; a roster has none as long."""

_REMEMBERED = 4096
"""A client that makes up names fills this memory and no more."""


class Memory(dict[Any, Any]):
    """Answers of a function, as a dictionary: looking one up is a single step of the interpreter's own."""

    def __init__(self, answer: Callable[[Any], Any], weight: Callable[[Any], int]) -> None:
        super().__init__()
        self._answer = answer
        self._weight = weight

    def __missing__(self, asked: Any) -> Any:
        answer = self._answer(asked)
        if self._weight(asked) <= LONGEST:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[asked] = answer
        return answer


def weigh(value: object) -> int:
    """Characters that remembering a value costs."""
    if isinstance(value, tuple):
        return sum(map(weigh, value))
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
