"""Paths into a record: keys from the outside in, joined by `/`; a number counts the entries of a list.

The paths of a format become one struct that has the fields at their ends and nothing else: msgspec skips the
rest of a line, prompts and answers with it, without making an object of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Path = tuple[str, ...]
Getter = Callable[[Any], Any]

_LEAF = int | float | str | bool | None | UnsetType
"""What a field may be in JSON, or that it is not there; a list or mapping makes the line one of a wrong type."""

_NEVER = "f_"
"""An attribute that every struct has, and that is never set."""


def split(text: str) -> Path:
    """``metadata/usage/input_tokens`` -> its keys."""
    return tuple(text.split("/"))


@dataclass
class _Node:
    """One key of the tree that all paths make; a ``leaf`` where one ends."""

    leaf: bool = False
    inside: dict[str, "_Node"] = field(default_factory=dict)


class Shape:
    """Slots, one for each list of alternative paths, and how to fill them from what was decoded."""

    def __init__(self, slots: Sequence[Sequence[Path]], absent: frozenset[object]) -> None:
        """``absent`` are values that stand for nothing: the next alternative is tried then."""
        self._tree = _tree(path for paths in slots for path in paths)
        self.type = _struct(self._tree)
        self._absent = absent
        direct = [self._direct(paths) for paths in slots]
        first = [
            ".".join(map(_attribute, paths[0])) if plain else _NEVER
            for plain, paths in zip(direct, slots, strict=True)
        ]
        self._at_once = attrgetter(*first, _NEVER)
        self._each = [[_careful(path) for path in paths] for paths in slots]
        later = [getters[plain:] for plain, getters in zip(direct, self._each, strict=True)]
        self._later = [(slot, getters) for slot, getters in enumerate(later) if getters]

    def _direct(self, paths: Sequence[Path]) -> bool:
        """Whether the first path leads through keys alone, to a field that is nothing but a field."""
        if not paths or any(key.isdigit() for key in paths[0]):
            return False
        node = self._tree
        for key in paths[0]:
            node = node.inside[key]
        return not node.inside

    def values(self, found: Any) -> list[Any]:
        """What stands in each slot of an instance of ``type``, ``UNSET`` where its field is not there."""
        try:
            values = list(self._at_once(found))
        except AttributeError:  # null where a path goes on
            return [self._first(found, getters) for getters in self._each]
        for slot, getters in self._later:
            if values[slot] in self._absent:
                values[slot] = self._first(found, getters)
        return values

    def _first(self, found: Any, getters: Iterable[Getter]) -> Any:
        """The first alternative that says something; else null where one of them is null."""
        best: Any = UNSET
        for get in getters:
            value = get(found)
            if value not in self._absent:
                return value
            best = value if best is UNSET else best
        return best


def _tree(paths: Iterable[Path]) -> _Node:
    root = _Node()
    for path in paths:
        node = root
        for key in path:
            node = node.inside.setdefault(key, _Node())
        node.leaf = True
    return root


def _struct(node: _Node) -> type[msgspec.Struct]:
    """What is absent reads as an empty struct, not as None: one C call can reach through to the leaves then."""
    fields = [(_attribute(key), *_typed(inner)) for key, inner in node.inside.items()]
    names = {_attribute(key): key for key in node.inside}
    return msgspec.defstruct(
        "Fields", [*fields, (_NEVER, UnsetType, UNSET)], rename=names, frozen=True, gc=False
    )


def _typed(node: _Node) -> tuple[Any, Any]:
    """Type and default of what a key holds."""
    if not node.inside:
        return _LEAF, UNSET
    if all(key.isdigit() for key in node.inside):
        entry = _Node(
            inside={key: inner for item in node.inside.values() for key, inner in item.inside.items()}
        )
        return list[_struct(entry)] | None | UnsetType, UNSET  # type: ignore[misc]
    inner = _struct(node)
    return (inner | _LEAF if node.leaf else inner | None), inner()


def _attribute(key: str) -> str:
    """Any key is an identifier in hexadecimal."""
    return _NEVER + key.encode().hex()


def _careful(path: Path) -> Getter:
    """What stands at a path; None where null or anything but a mapping stands on the way."""
    steps: list[Getter] = [itemgetter(int(k)) if k.isdigit() else attrgetter(_attribute(k)) for k in path]

    def get(node: Any) -> Any:
        try:
            for step in steps:
                node = step(node)
        except (AttributeError, IndexError, TypeError):
            return None
        return None if isinstance(node, msgspec.Struct) else node

    return get
