"""The files of one catalogue folder: what they are called in findings, and what lies there that nothing reads."""

import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sre import content, source
from sre.findings import Finding, Refused

BINDINGS = ("engines", "gpus", "usage")
"""Folders of ``exporters/`` with one binding in each file."""

_READ = {
    "rules": "*.yaml",
    "exporters/signals": "*.yaml",
    **{f"exporters/{kind}": "*.yaml" for kind in BINDINGS},
    "exporters/gateways": "*.yaml",
    "dashboards": "*.yaml",
    "runbooks": "*.md",
}
"""Folder -> the files in it that are read."""

_CONTENT = (".yaml", ".yml", ".md")
_WHY = "what it holds would silently not happen"


def files(folder: Path, part: str) -> list[Path]:
    """The files of one part of a catalogue folder, in the order in which they are read; hidden ones are drafts."""
    return sorted(path for path in (folder / part).glob(_READ[part]) if not path.name.startswith("."))


def called(path: Path) -> str:
    """What findings call a file: built-in content by its place in the product, a team's own as it was given."""
    root = content.root()
    built_in = any(path.is_relative_to(root / part) for part in content.FOLDERS)
    return str(path.relative_to(root)) if built_in else str(path)


def read(path: Path) -> source.Source:
    """A YAML file of a catalogue. Raises ``Refused``, with the name that findings give it."""
    try:
        return replace(source.read(path), name=called(path))
    except Refused as refused:
        raise Refused(_renamed(finding, path) for finding in refused.findings) from None


def read_text(path: Path) -> str:
    """A page of a catalogue. Raises ``Refused``."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"byte {error.object[error.start]:#04x} has no meaning there"
        found = Finding(f"{called(path)}:1", "the file is not UTF-8 text", why, "save it as UTF-8")
    except OSError as error:
        directory = isinstance(error, IsADirectoryError)
        fix = "put a file there, or rename the folder" if directory else "check path and permissions"
        found = Finding(called(path), f"cannot be read: {error.strerror}", "its page would be missing", fix)
    raise Refused([found])


def _renamed(finding: Finding, path: Path) -> Finding:
    return replace(finding, where=called(path) + finding.where.removeprefix(str(path)))


def unread(folder: Path) -> Iterator[Finding]:
    """What is wrong with a team's own folder before any of its files is opened."""
    strays = [*_misspelt(folder, "", content.FOLDERS), *_misspelt(folder, "exporters", _inside("exporters"))]
    strays += [found for part in content.FOLDERS for found in _stray_files(folder, part)]
    yield from strays
    if not strays and not any(files(folder, part) for part in _READ):
        yield Finding(
            str(folder),
            "the folder holds nothing of a catalogue",
            "it was named to be laid over the built-in content, and would change nothing",
            "name the folder that holds " + ", ".join(f"`{part}/`" for part in content.FOLDERS),
        )


def _inside(part: str) -> list[str]:
    return [name.partition("/")[2] for name in _READ if name.startswith(f"{part}/")]


def _misspelt(folder: Path, part: str, known: tuple[str, ...] | list[str]) -> Iterator[Finding]:
    """Folders whose names come close to one that would be read; what else a team keeps beside them is its own."""
    inner = folder / part
    for path in sorted(inner.iterdir()) if inner.is_dir() else ():
        near = difflib.get_close_matches(path.name.casefold(), known, n=1)
        if near and path.name not in known and path.is_dir():
            what = f"nothing reads a folder `{path.name}`"
            yield Finding(str(path), what, _WHY, f"did you mean `{near[0]}`?")


def _stray_files(folder: Path, part: str) -> Iterator[Finding]:
    """Files of content that stand where none is read, or under another suffix."""
    taken = {path for name in _READ if name.split("/")[0] == part for path in files(folder, name)}
    for path in sorted((folder / part).rglob("*")):
        inner = path.relative_to(folder)
        hidden = any(name.startswith(".") for name in inner.parts)
        if path in taken or hidden or path.suffix not in _CONTENT or path.name == "README.md":
            continue
        if path.is_file():
            yield Finding(str(path), "nothing reads this file", _WHY, _place_for(part))


def _place_for(part: str) -> str:
    places = [f"`{name}/{pattern}`" for name, pattern in _READ.items() if name.split("/")[0] == part]
    return "what is read: " + ", ".join(places)
