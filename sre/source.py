"""A file that a person wrote: its data, and findings that point at its lines."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from sre.findings import Finding, Refused, Severity
from sre.nodes import Flaw, Loader, Place, plain

Loc = tuple[str | int, ...]
"""A path into the data, like ``("pools", 0, "engine")``; what pydantic calls ``loc``."""

MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """One file: its name as the user gave it, its data, and the tree of lines that runs beside the data."""

    name: str
    data: Any
    place: Place

    def where(self, loc: Loc = (), *, key: bool = False) -> str:
        """``file:line`` of the value at ``loc`` (its key's with ``key``), or of what is nearest around it."""
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
        """A finding about the value at ``loc``, or about its key."""
        return Finding(self.where(loc, key=key), what, why, fix, severity)


def read(path: Path) -> Source:
    """The YAML file at ``path``. Raises ``Refused`` for whatever keeps it from being read; nothing else."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Refused([_unreadable(path, error)]) from None
    return parse(str(path), content)


def parse(name: str, content: bytes) -> Source:
    """The same for bytes that are already here; ``name`` is what findings call them."""
    text = _decode(name, content)
    node = _compose(name, text)
    if node is None:
        raise Refused(
            [Finding(f"{name}:1", "the file is empty", "it says nothing", "write at least one key")]
        )
    data, place, flaws = plain(node)
    if flaws:
        raise Refused(_flawed(name, flaw) for flaw in flaws)
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
    text = _text(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case int() | Decimal():
            return str(value)
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return repr(value)


def _decode(name: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        what, why = f"the file is larger than {MAX_BYTES >> 20} MiB", "a file of this kind is written by hand"
        raise Refused([Finding(name, what, why, "give the right file, or split it")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"{name}:{_lines_before(content, error.start)}"
        why = f"byte {content[error.start]:#04x} has no meaning there"
        raise Refused([Finding(where, "the file is not UTF-8 text", why, "save it as UTF-8")]) from None


def _lines_before(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _compose(name: str, text: str) -> yaml.Node | None:
    loader = Loader(text)
    try:
        return loader.get_single_node()
    except yaml.YAMLError as error:
        raise Refused([_syntax(name, text, error)]) from None
    finally:
        loader.dispose()


def _unreadable(path: Path, error: OSError | ValueError) -> Finding:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    fix = "give the path of a file" if isinstance(error, IsADirectoryError) else "check path and permissions"
    return Finding(str(path), f"cannot be read: {reason}", "nothing can be done without it", fix)


def _flawed(name: str, flaw: Flaw) -> Finding:
    return Finding(f"{name}:{flaw.line}", flaw.what, "its meaning would be a guess", flaw.fix)


def _syntax(name: str, text: str, error: yaml.YAMLError) -> Finding:
    if isinstance(error, yaml.reader.ReaderError):
        # libyaml counts bytes here, and names no line.
        where = f"{name}:{_lines_before(text.encode(), error.position)}"
        what = f"the character U+{int(error.character):04X} may not stand in YAML"
        return Finding(where, what, "it is invisible, and mostly an accident of copying", "remove it")
    if not isinstance(error, yaml.MarkedYAMLError):
        return Finding(f"{name}:1", f"not valid YAML: {error}", "none of it can be read", "check the file")
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    problem = error.problem or "not valid YAML"
    what = f"not valid YAML: {problem}" + (f" ({error.context})" if error.context else "")
    return Finding(
        f"{name}:{line}", what, "nothing behind this place can be read", _hint(text, line, problem)
    )


def _hint(text: str, line: int, problem: str) -> str:
    here = (text.split("\n")[line - 1 : line] or [""])[0]
    if "\t" in here[: len(here) - len(here.lstrip())]:
        return "indent with spaces: YAML does not allow tabs there"
    if "mapping values are not allowed" in problem:
        return "put quotes around text that contains `: `, or check the indentation"
    if "alias" in problem:
        return "define the anchor (`&name`) above its first use (`*name`)"
    if "document" in problem:
        return "keep one document: no second `---`"
    return "check quotes, brackets and indentation on this line and the one above"
