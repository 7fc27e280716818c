"""YAML nodes as plain data, with the line of every key and value beside it.

Scalars follow YAML 1.2's core schema, as editors do: ``no`` and ``18:00`` are text, only ``true`` and
``false`` are booleans. Numbers with a point are ``Decimal`` of the very digits written: 0.10 stays 0.10.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

MAX_VALUES = 200_000
MAX_DEPTH = 50

_TAG = "tag:yaml.org,2002:"
_CORE: dict[str, tuple[str, list[str]]] = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]{1,18}", list("-+0123456789")),
    # Two digits of exponent at most: the exact text of 1e999999999 would fill the memory.
    "float": (
        r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,2})?",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
_VALUES: dict[str, Callable[[str], object]] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": Decimal,
    "merge": str,
    "str": str,
}


@dataclass(frozen=True)
class Place:
    """Where one value stands: its own line, its key's line, and the places inside it. Lines count from 1."""

    line: int
    key: int
    inside: dict[str | int, "Place"] = field(default_factory=dict)


@dataclass(frozen=True)
class Flaw:
    """Something that YAML allows and this reader does not, because its meaning would be a guess."""

    line: int
    what: str
    fix: str


class Loader(yaml.CSafeLoader):
    """libyaml's composer with YAML 1.2's scalars and a limit on depth."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own
    depth = 0

    # The C composer calls these two around every value; without a limit, nesting overflows the C stack.
    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Count one level down. Raises ``yaml.MarkedYAMLError`` below ``MAX_DEPTH``."""
        self.depth += 1
        if self.depth > MAX_DEPTH and current_node is not None:
            problem = f"values are nested more than {MAX_DEPTH} deep"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=current_node.start_mark)

    def ascend_resolver(self) -> None:
        """Count one level up."""
        self.depth -= 1


for _name, (_pattern, _first) in _CORE.items():
    Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})\\Z"), _first)


class _TooMuch(Exception):
    """The values ran out before the file did."""


def plain(node: yaml.Node) -> tuple[Any, Place, list[Flaw]]:
    """Data (dict, list, str, int, Decimal, bool, None), its places, and what was left out of it."""
    reading = _Reading()
    try:
        return *reading.value(node, _line(node)), reading.flaws
    except _TooMuch:
        return None, Place(1, 1), reading.flaws


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Reading:
    """One pass over the nodes; collects what it cannot take instead of stopping at it."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self._left = MAX_VALUES
        self._open = set[int]()

    def value(self, node: yaml.Node, key: int) -> tuple[Any, Place]:
        self._left -= 1
        if self._left < 0:
            # Aliases of aliases multiply: a kilobyte can stand for a billion values.
            self._flaw(_line(node), f"the file expands to more than {MAX_VALUES} values", "use fewer aliases")
            raise _TooMuch
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node), Place(_line(node), key)
        if id(node) in self._open:
            self._flaw(_line(node), "an alias refers to the value that it stands in", "write the value out")
            return None, Place(_line(node), key)
        if node.tag not in (_TAG + "map", _TAG + "seq"):
            self._tagged(node)
        self._open.add(id(node))
        found = self._mapping(node, key) if isinstance(node, yaml.MappingNode) else self._list(node, key)
        self._open.discard(id(node))
        return found

    def _scalar(self, node: yaml.ScalarNode) -> object:
        text, kind = str(node.value), str(node.tag).removeprefix(_TAG)
        if kind in _VALUES and (kind == "str" or re.fullmatch(_CORE[kind][0], text)):
            return _VALUES[kind](text)
        self._tagged(node)
        return None

    def _tagged(self, node: yaml.Node) -> None:
        self._flaw(_line(node), f"the tag {str(node.tag)[:60]!r} is not read here", "leave the tag out")

    def _list(self, node: yaml.Node, key: int) -> tuple[Any, Place]:
        place, data = Place(_line(node), key), list[Any]()
        for index, item in enumerate(node.value):
            value, place.inside[index] = self.value(item, _line(item))
            data.append(value)
        return data, place

    def _mapping(self, node: yaml.MappingNode, key_line: int) -> tuple[Any, Place]:
        place, data = Place(_line(node), key_line), dict[str, Any]()
        merged = [item for key, item in node.value if key.tag == _TAG + "merge"]
        for key, item in node.value:
            if key.tag != _TAG + "merge":
                self._entry(key, item, data, place)
        for item in merged:
            self._merge(item, data, place)
        return data, place

    def _entry(self, key: yaml.Node, item: yaml.Node, data: dict[str, Any], place: Place) -> None:
        name, line = key.value, _line(key)
        if not isinstance(key, yaml.ScalarNode):
            self._flaw(line, "a key is a list or a mapping", "write a plain word as key")
        elif name in data:
            what = f"the key {name[:60]!r} stands here twice, first on line {place.inside[name].key}"
            self._flaw(line, what, "keep one of them")
        else:
            data[name], place.inside[name] = self.value(item, line)

    def _merge(self, node: yaml.Node, data: dict[str, Any], place: Place) -> None:
        """YAML's ``<<``: what is written here wins over what is merged, an earlier mapping over a later."""
        for some, its in _each(*self.value(node, _line(node))):
            if not isinstance(some, dict):
                self._flaw(
                    its.line, "`<<` merges something that is not a mapping", "name an anchored mapping"
                )
                continue
            for key in [key for key in some if key not in data]:
                data[key], place.inside[key] = some[key], its.inside[key]

    def _flaw(self, line: int, what: str, fix: str) -> None:
        self.flaws.append(Flaw(line, what, fix))


def _each(value: Any, place: Place) -> Iterator[tuple[Any, Place]]:
    if isinstance(value, list):
        yield from ((item, place.inside[index]) for index, item in enumerate(value))
    else:
        yield value, place
