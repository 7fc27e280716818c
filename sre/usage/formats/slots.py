"""The fields that a format reads: each has a slot, with the paths at which it may stand."""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from sre.usage.formats.paths import Path

Values = Sequence[Any]
"""What stands in each slot."""


class Slots:
    """``absent`` is what stands for nothing: no key, null, and some words."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        self.absent: frozenset[object] = frozenset({UNSET, None, "", "-", "None", *words})
        self.paths: list[tuple[Path, ...]] = []

    def add(self, *paths: Path) -> int:
        """The number of a new slot."""
        self.paths.append(paths)
        return len(self.paths) - 1
