"""The function that a person would write by hand to read one format, written and compiled once.

A line is read in the time of a few function calls; a closure for each of twenty fields would be twenty calls.
Only names made here stand in its text: whatever a format's file says is bound to such a name, never written.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from sre.usage.formats.invalid import Invalid
from sre.usage.formats.paths import Node, Path, attribute


class Writing:
    """Lines of a function whose one argument ``line`` is an instance of the root's struct."""

    def __init__(self, root: Node, absent: frozenset[object]) -> None:
        """``absent`` is what stands for nothing in a field, as ``absent`` does in the lines."""
        self._lines: list[str] = []
        self._bound: dict[str, Any] = {"absent": absent}
        self._depth = 1
        self._root = root
        self._nodes: dict[Path, str] = {(): "line"}
        self._open((), root)

    def add(self, *lines: str) -> None:
        self._lines += ["    " * self._depth + line for line in lines]

    @contextmanager
    def inside(self, head: str) -> Iterator[None]:
        """A line, and what is added within it."""
        self.add(head)
        self._depth += 1
        yield
        self._depth -= 1

    def bind(self, value: Any) -> str:
        """A name for a value from outside."""
        name = f"x{len(self._bound)}"
        self._bound[name] = value
        return name

    def pick(self, variable: str, paths: Sequence[Path] | None) -> None:
        """Sets a variable to what stands at the first path where something does."""
        depth = self._depth
        for number, path in enumerate(paths or ()):
            if number:
                self.add(f"if {variable} in absent:")
                self._depth += 1
            self.add(f"{variable} = {self._field(path)}")
        self._depth = depth
        if not paths:
            self.add(f"{variable} = None")

    def compile(self, name: str) -> Callable[[Any], Any]:
        text = "\n".join(["def read(line):", *self._lines])
        exec(compile(text, f"<gateway format {name}>", "exec"), self._bound)  # noqa: S102 - no word of a user in it
        return self._bound["read"]  # type: ignore[no-any-return]

    def _field(self, path: Path) -> str:
        node = self._root
        for key in path:
            node = node.inside[key]
        value = f"{self._nodes[path[:-1]]}.{attribute(path[-1])}"
        return f"{self.bind(_plain)}({value})" if node.inside else value

    def _open(self, path: Path, node: Node) -> None:
        """Variables for all that holds fields below a node, so that every field is one step from one of them."""
        for key, inner in node.inside.items():
            if not inner.inside:
                continue
            value, here = f"{self._nodes[path]}.{attribute(key)}", (*path, key)
            variable, null = self._variable(here), self.bind(inner.null())
            if inner.listed:
                self.add(f"{variable} = {value}")
                self._open_entries(here, inner, null)
                continue
            if inner.embedded:
                parse = self.bind(_parser(inner))
                self.add(f"{variable} = {null} if {value} in absent else {parse}({value})")
            else:
                self.add(f"{variable} = {value}")
                self.add(f"if {variable}.__class__ is not {self.bind(inner.struct)}: {variable} = {null}")
            self._open(here, inner)

    def _open_entries(self, path: Path, node: Node, null: str) -> None:
        entries = self._nodes[path]
        for key, inner in node.inside.items():
            here, number = (*path, key), int(key)
            there = f"{entries}.__class__ is list and len({entries}) > {number}"
            self.add(f"{self._variable(here)} = {entries}[{number}] if {there} else {null}")
            self._open(here, inner)

    def _variable(self, path: Path) -> str:
        self._nodes[path] = f"n{len(self._nodes)}"
        return self._nodes[path]


def _parser(node: Node) -> Callable[[Any], msgspec.Struct]:
    decode = msgspec.json.Decoder(node.struct).decode

    def parse(text: Any) -> msgspec.Struct:
        if not isinstance(text, str):
            raise Invalid("wrong_type")
        return decode(text)

    return parse


def _plain(value: Any) -> Any:
    """What stands where a field or something else may: what has parts is no value."""
    return None if isinstance(value, msgspec.Struct | list) else value
