"""YAML that a person wrote: plain data, the line of every key and value, and findings that point there.

Scalars follow YAML 1.2's core schema, as editors do: ``no`` and ``18:00`` are text, only ``true`` and ``false``
are booleans. Numbers with a point are ``Decimal`` of the very digits written, so 0.10 stays 0.10.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from sre.findings import Finding, Refused, Severity

Loc = tuple[str | int, ...]

MAX_BYTES = 1 << 20
MAX_VALUES = 200_000
MAX_DEPTH = 50

_TAG = "tag:yaml.org,2002:"
_CORE = {
    "null": (r"~|null|Null|NULL|", "~nN" + "\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]{1,18}", "-+0123456789"),
    # Two digits of exponent at most: the exact text of 1e999999999 would fill the memory.
    "float": (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,2})?", "-+.0123456789"),
    "merge": (r"<<", "<"),
}


@dataclass(frozen=True)
class Place:
    """Where one value stands: its own line, its key's line, and the places inside it."""

    line: int
    key: int
    inside: dict[str | int, "Place"] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """One file: its name as the user gave it, its data, and the tree of lines that runs beside the data."""

    name: str
    data: Any
    place: Place

    def where(self, loc: Loc = (), *, key: bool = False) -> str:
        """``file:line`` of the value at ``loc`` (of its key with ``key``), or of what is nearest around it."""
        place = self.place
        for part in loc:
            place = place.inside.get(part, place)
        return f"{self.name}:{place.key if key else place.line}"

    def finding(
        self,
        loc: Loc,
        what: str,
        why: str = "",
        fix: str = "",
        severity: Severity = "error",
        *,
        key: bool = False,
    ) -> Finding:
        return Finding(self.where(loc, key=key), what, why, fix, severity)


def read(path: Path) -> Source:
    """The file's content. Raises ``Refused`` for whatever keeps it from being read; nothing else."""
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Refused([_unreadable(path, error)]) from None
    return parse(name, content)


def parse(name: str, content: bytes) -> Source:
    """The same for bytes that are already here; ``name`` is what findings call them."""
    text = _decode(name, content)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        raise Refused([_syntax(name, text, error)]) from None
    finally:
        loader.dispose()
    if node is None:
        raise Refused(
            [Finding(f"{name}:1", "the file is empty", "there is nothing to read", "write at least one key")]
        )
    reader = _Reader(name)
    data, place = reader.value(node, node.start_mark.line + 1)
    if reader.findings:
        raise Refused(reader.findings)
    return Source(name, data, place)


def suggest(word: str, known: Iterable[str]) -> str:
    """``did you mean `owner`?`` when one of the known words is close, else the list of them."""
    words = sorted(known)
    folded = {w.casefold(): w for w in words}
    near = difflib.get_close_matches(word.casefold()[:80], folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{folded[near[0]]}`?"
    listed = ", ".join(f"`{w}`" for w in words[:20])
    return f"known here: {listed}{', ...' if len(words) > 20 else ''}" if words else ""


def show(value: object) -> str:
    """A value for an error text: short, and with nothing in it that a terminal would act on."""
    text = (
        repr(value) if isinstance(value, str) else str(value) if isinstance(value, Decimal) else _kind(value)
    )
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return (
        {None: "empty", True: "true", False: "false"}.get(value, str(value)) if _small(value) else str(value)
    )


def _small(value: object) -> bool:
    return value is None or isinstance(value, bool)


class _Loader(yaml.CSafeLoader):
    """libyaml's parser with YAML 1.2's scalars and a limit on depth."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    depth = 0

    # The composer calls these two around every value; without a limit, nesting overflows the C stack.
    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH and current_node is not None:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=current_node.start_mark)

    def ascend_resolver(self) -> None:
        self.depth -= 1


for _name, (_pattern, _first) in _CORE.items():
    _Loader.add_implicit_resolver(
        _TAG + _name, re.compile(f"(?:{_pattern})$"), ["" if c == "\0" else c for c in _first]
    )

_TOO_DEEP = f"values are nested more than {MAX_DEPTH} deep"


class _Reader:
    """Turns nodes into data and places; collects what it cannot take instead of stopping at it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.findings: list[Finding] = []
        self._left = MAX_VALUES
        self._open: set[int] = set()

    def value(self, node: yaml.Node, key_line: int) -> tuple[Any, Place]:
        line = node.start_mark.line + 1
        self._left -= 1
        if id(node) in self._open:
            return self._refuse(line, "an alias refers to the value that it stands in", "write the value out")
        if self._left < 0:
            # One finding is enough; what follows is not looked at.
            raise Refused(
                [
                    *self.findings,
                    self._finding(
                        line,
                        f"the file holds or expands to more than {MAX_VALUES} values",
                        "use fewer aliases",
                    ),
                ]
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node), Place(line, key_line)
        self._open.add(id(node))
        found = (
            self._mapping(node, key_line)
            if isinstance(node, yaml.MappingNode)
            else self._list(node, key_line)
        )
        self._open.discard(id(node))
        return found

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text, tag = str(node.value), str(node.tag).removeprefix(_TAG)
        if tag in ("str", "merge"):
            return text
        if tag in _CORE and re.fullmatch(_CORE[tag][0], text):
            return _SCALARS[tag](text)
        return self._refuse(
            node.start_mark.line + 1, f"the tag {show(str(node.tag))} is not read here", "leave the tag out"
        )[0]

    def _list(self, node: yaml.Node, key_line: int) -> tuple[Any, Place]:
        place, data = Place(node.start_mark.line + 1, key_line), []
        for index, item in enumerate(node.value):
            value, place.inside[index] = self.value(item, item.start_mark.line + 1)
            data.append(value)
        return data, place

    def _mapping(self, node: yaml.MappingNode, key_line: int) -> tuple[Any, Place]:
        place, data = Place(node.start_mark.line + 1, key_line), dict[str, Any]()
        merged: list[yaml.Node] = []
        for key, item in node.value:
            line = key.start_mark.line + 1
            if key.tag == _TAG + "merge":
                merged.append(item)
            elif not isinstance(key, yaml.ScalarNode):
                self._refuse(line, "a key is a list or a mapping", "write a plain word as key")
            elif key.value in data:
                self._refuse(
                    line,
                    f"the key `{key.value}` stands here twice (first on line {place.inside[key.value].key})",
                    "keep one of them",
                )
            else:
                data[key.value], place.inside[key.value] = self.value(item, line)
        for item in merged:
            self._merge(item, data, place)
        return data, place

    def _merge(self, node: yaml.Node, data: dict[str, Any], place: Place) -> None:
        """YAML's ``<<``: what is written here wins over what is merged in, the first of several over the next."""
        value, origin = self.value(node, node.start_mark.line + 1)
        for some, its in _mappings(value, origin):
            if not isinstance(some, dict):
                self._refuse(
                    its.line, "`<<` merges something that is not a mapping", "name an anchored mapping"
                )
                continue
            for key in some.keys() - data.keys():
                data[key], place.inside[key] = some[key], its.inside[key]

    def _refuse(self, line: int, what: str, fix: str) -> tuple[None, Place]:
        self.findings.append(self._finding(line, what, fix))
        return None, Place(line, line)

    def _finding(self, line: int, what: str, fix: str) -> Finding:
        return Finding(f"{self.name}:{line}", what, "its meaning would be a guess", fix)


_SCALARS: dict[str, Any] = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": Decimal,
}


def _mappings(value: Any, place: Place) -> Iterator[tuple[Any, Place]]:
    if isinstance(value, list):
        yield from ((item, place.inside[index]) for index, item in enumerate(value))
    else:
        yield value, place


def _decode(name: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise Refused(
            [
                Finding(
                    f"{name}:1",
                    f"the file is larger than {MAX_BYTES >> 20} MiB",
                    "a file of this kind is written by hand",
                    "give the right file, or split it",
                )
            ]
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Refused(
            [
                Finding(
                    f"{name}:{line}",
                    "the file is not UTF-8 text",
                    f"byte {content[error.start]:#04x} has no meaning there",
                    "save it as UTF-8",
                )
            ]
        ) from None


def _unreadable(path: Path, error: OSError | ValueError) -> Finding:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    fix = (
        "give the path of a file"
        if isinstance(error, IsADirectoryError)
        else "check the path and its permissions"
    )
    return Finding(str(path), f"cannot be read: {reason}", "nothing can be done without it", fix)


def _syntax(name: str, text: str, error: yaml.YAMLError) -> Finding:
    if isinstance(error, yaml.reader.ReaderError):
        # libyaml counts bytes here.
        line = text.encode()[: error.position].count(b"\n") + 1
        return Finding(
            f"{name}:{line}",
            f"the character U+{int(error.character):04X} may not stand in YAML",
            "it is invisible and mostly a copying accident",
            "remove it",
        )
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark else 1
    problem = getattr(error, "problem", None) or "not valid YAML"
    context = getattr(error, "context", None)
    return Finding(
        f"{name}:{line}",
        f"not valid YAML: {problem}" + (f" ({context})" if context else ""),
        "nothing behind this place can be read",
        _hint(text, line, problem),
    )


def _hint(text: str, line: int, problem: str) -> str:
    lines = text.split("\n")
    here = lines[line - 1] if line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        return "indent with spaces: YAML does not allow tabs there"
    if "mapping values are not allowed" in problem:
        return "put quotes around text that contains `: `, or check the indentation"
    if "alias" in problem:
        return "define the anchor (`&name`) above its first use (`*name`)"
    return "check quotes, brackets and indentation on this line and the one above"
