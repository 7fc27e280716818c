"""Paths into a record: keys from the outside in, joined by `/`; a number counts the entries of a list.

The paths of a format become one struct that has the fields at their ends and nothing else: msgspec skips the
rest of a line, prompts and answers with it, without making an object of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Path = tuple[str, ...]

_LEAF = int | float | str | bool | None | UnsetType
"""What a field may be in JSON, or that it is not there; a list or mapping makes the line one of a wrong type."""


def split(text: str) -> Path:
    """``metadata/usage/input_tokens`` -> its keys."""
    return tuple(text.split("/"))


@dataclass
class Node:
    """One key of the tree that all paths make: a ``leaf`` where one ends, ``embedded`` where JSON stands as text.

    A ``loose`` one may hold anything, and is passed over where that is no mapping.
    """

    leaf: bool = False
    loose: bool = False
    embedded: bool = False
    inside: dict[str, "Node"] = field(default_factory=dict)
    struct: type[msgspec.Struct] = msgspec.Struct

    @property
    def listed(self) -> bool:
        """Whether it holds a list, of which entries are asked for by their number."""
        return bool(self.inside) and all(key.isdigit() for key in self.inside)

    def null(self) -> msgspec.Struct:
        """What stands in for a null, or for anything else that has no fields: all of them are null."""
        return self.struct(**dict.fromkeys(self.struct.__struct_fields__))


def tree(paths: Iterable[Path], embedded: str | None, loose: Iterable[Path]) -> Node:
    """The root of all paths, with its structs made."""
    root = Node()
    for path in paths:
        _grow(root, path).leaf = True
    for path in loose:
        _grow(root, path).loose = True
    if embedded in root.inside:
        root.inside[embedded].embedded = True
    _make(root)
    return root


def _grow(node: Node, path: Path) -> Node:
    for key in path:
        node = node.inside.setdefault(key, _entry(node) if key.isdigit() else Node())
    return node


def _entry(node: Node) -> Node:
    """Entries of a list are alike: all numbers lead to one node."""
    return next(iter(node.inside.values()), Node())


def attribute(key: str) -> str:
    """The attribute of a struct that holds a key: in hexadecimal, any key is an identifier."""
    return "f_" + key.encode().hex()


def _make(node: Node) -> None:
    """The struct of a node, and of those below. What is absent reads as an empty struct, so nothing has to ask."""
    for inner in node.inside.values():
        _make(inner)
    if node.listed:
        node.struct = _entry(node).struct
        return
    fields = [(attribute(key), *_typed(inner)) for key, inner in node.inside.items()]
    names = {attribute(key): key for key in node.inside}
    node.struct = msgspec.defstruct("Fields", fields, rename=names, frozen=True, gc=False)


def _typed(node: Node) -> tuple[Any, Any]:
    """Type and default of what a key holds."""
    if not node.inside or node.embedded:
        return _LEAF, UNSET
    if node.listed:
        return list[node.struct] | None | UnsetType, UNSET  # type: ignore[name-defined]
    held: Any = node.struct | None
    if node.loose:
        held |= list[msgspec.Raw]
    return (held | _LEAF if node.leaf or node.loose else held), node.struct()
