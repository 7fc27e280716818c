"""Things counted in words: `1 replica`, `2 replicas`, `a, b, c and 57 more pools`."""

from collections.abc import Sequence


def count(number: int, thing: str, several: str = "") -> str:
    """The number with its noun; ``several`` is the plural where an s does not make it."""
    return f"{number} {thing if number == 1 else several or f'{thing}s'}"


def few(names: Sequence[str], limit: int, thing: str) -> str:
    """The first names, and how many more there are; one more is named rather than counted."""
    if len(names) <= limit + 1:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {count(len(names) - limit, f'more {thing}')}"
