"""Artefacts onto disk: all of them or none, and a comparison that writes nothing.

What an earlier run wrote is known from the folder's ``manifest.json``, whose ``artefacts`` object maps each
path to the SHA-256 of its text. Those files are replaced and, when no longer wanted, removed; any other file
belongs to somebody else and is neither touched nor overwritten. A file whose bytes are right keeps its mtime.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from sre import swap
from sre.diff import diff
from sre.findings import Finding, Refused

MANIFEST = "manifest.json"
_BLOCK = 4096
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHOLE = "Nothing was changed: the files of the run before are whole."
_CURES = {
    errno.EACCES: "Give this user write permission there, or name another directory with -o.",
    errno.EPERM: "Give this user write permission there, or name another directory with -o.",
    errno.EROFS: "The file system is read-only: name another directory with -o.",
    errno.ENOSPC: "Free {room} there (the new files need room beside the old ones) and run this again.",
    errno.EDQUOT: "This user's disk quota is used up: free {room} there and run this again.",
    errno.EFBIG: "A file is larger than this process may write: raise `ulimit -f` and run this again.",
    errno.EXDEV: "A folder inside is a mount point: name the directory on that file system with -o.",
    errno.ENOTDIR: "A file stands where a folder is needed: name another directory with -o.",
    errno.EEXIST: "A file stands where a folder is needed: name another directory with -o.",
}


@dataclass(frozen=True, order=True)
class Artefact:
    """One file to be written: a relative POSIX path and its whole text (UTF-8, newlines as ``\\n``), or its bytes."""

    path: str
    text: str
    data: bytes | None = None
    """What is no text (a workbook, Parquet); ``text`` is empty then."""

    @property
    def content(self) -> bytes:
        """As it will lie on disk."""
        return self.text.encode() if self.data is None else self.data


@dataclass(frozen=True)
class Written:
    """What a run did to the directory; paths as in `Artefact`, each list sorted."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, order=True)
class Difference:
    """One file that is not as it would be written; ``text`` is a unified diff, bounded, for ``differs``."""

    path: str
    kind: Literal["differs", "missing", "stale"]
    text: str = ""


def digest(text: str) -> str:
    """Return the SHA-256 of a text as it will lie on disk, the way the manifest records it."""
    return hashlib.sha256(text.encode()).hexdigest()


def write(artefacts: Iterable[Artefact], directory: Path, perform: swap.Perform = swap.perform) -> Written:
    """Make the directory hold these artefacts and none left by an earlier run; all or nothing (see `swap`).

    Raises `Refused` with the old files in place: a path that leads out of the directory, a file of somebody
    else in the way, or a disk that cannot take the new files.
    """
    wanted = _wanted(artefacts)
    with _disk_errors(directory, wanted), _opened(directory, perform) as folder:
        swap.recover(folder, perform)
        old = _owned(folder)
        _refuse([*_strangers(wanted, old, folder), *_blocked(wanted, folder)])
        put = {path: data for path, data in wanted.items() if _bytes(folder / path) != data}
        remove = _stale(wanted, old, folder)
        if put or remove:
            swap.swap(folder, put, remove, perform)
    return Written(tuple(sorted(put)), tuple(sorted(wanted.keys() - put.keys())), tuple(remove))


def check(artefacts: Iterable[Artefact], directory: Path) -> list[Difference]:
    """Compare the directory with the artefacts; sorted by path, empty when `write` would do nothing.

    Changes nothing on disk. Raises `Refused` where the directory cannot be read.
    """
    wanted = _wanted(artefacts)
    with _disk_errors(directory, wanted):
        found = [_difference(path, data, directory) for path, data in wanted.items()]
        stale = [Difference(path, "stale") for path in _stale(wanted, _owned(directory), directory)]
    return sorted([difference for difference in found if difference] + stale)


def _wanted(artefacts: Iterable[Artefact]) -> dict[str, bytes]:
    """Bytes by path, the manifest last: until it is replaced, the old one still tells what was."""
    artefacts = sorted(artefacts, key=lambda artefact: (artefact.path == MANIFEST, artefact))
    _refuse(finding for artefact in artefacts for finding in _unfit(artefact))
    _refuse(_collisions([artefact.path for artefact in artefacts]))
    return {artefact.path: artefact.content for artefact in artefacts}


def _unfit(artefact: Artefact) -> Iterator[Finding]:
    if not swap.safe(artefact.path):
        yield Finding(
            ascii(artefact.path),
            "this path leads out of the output directory, or no file can have it as its name",
            "Files outside the directory belong to somebody else.",
            "Use plain names between single slashes.",
        )
    try:
        _ = artefact.content
    except UnicodeEncodeError as error:
        yield Finding(
            ascii(artefact.path),
            f"character {error.start + 1} of the text is half a character (a lone surrogate)",
            "It has no UTF-8 form, so that no file can hold it.",
            "Replace that character in the name or text that it comes from.",
        )


def _collisions(paths: Sequence[str]) -> Iterator[Finding]:
    folded = [path.casefold() for path in paths]
    counts = Counter(folded)
    folders = {str(parent) for path in folded for parent in PurePosixPath(path).parents}
    for path, name in zip(paths, folded, strict=True):
        if counts[name] > 1 or name in folders:
            yield Finding(
                path,
                "two artefacts want this path, or one of them wants it as a folder",
                "Only one of them would survive; on some file systems case does not tell names apart.",
                "Rename one of the two.",
            )


def _strangers(wanted: Mapping[str, bytes], old: frozenset[str] | None, folder: Path) -> Iterator[Finding]:
    """Files of others that would be overwritten; one that already holds the right bytes is no loss."""
    known = frozenset() if old is None else old | {MANIFEST}
    reason = f"; {folder} has no {MANIFEST} of ours that lists it" if old is None else ""
    for path in sorted(wanted.keys() - known):
        if _bytes(folder / path) not in (None, wanted[path]):
            yield Finding(
                str(folder / path),
                "this file was not written by `sre generate` or `sre chargeback`, and it would be overwritten",
                f"What it holds would be lost{reason}.",
                "Move or remove the file, or name another directory with -o.",
            )


def _blocked(wanted: Mapping[str, bytes], folder: Path) -> Iterator[Finding]:
    """Folders, links and other things that stand where a file or a folder of ours belongs."""
    folders = {str(parent) for path in wanted for parent in PurePosixPath(path).parents if parent.name}
    needs = [(name, stat.S_ISDIR, "folder") for name in folders]
    needs += [(path, stat.S_ISREG, "file") for path in wanted]
    for path, fits, kind in sorted(needs, key=lambda need: need[0]):
        mode = _mode(folder / path)
        if mode is not None and not fits(mode):
            yield Finding(
                str(folder / path),
                f"a {kind} belongs here, and this is {_kind(mode)}",
                "What lies behind it could be overwritten or lost.",
                "Move it out of the way, or name another directory with -o.",
            )


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISLNK, "a symbolic link"), (stat.S_ISDIR, "a folder"), (stat.S_ISREG, "a file"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "a device, pipe or socket")


def _owned(folder: Path) -> frozenset[str] | None:
    """Paths that an earlier run wrote; None without a manifest of ours, also where it names paths outside."""
    try:
        held = json.loads((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, IsADirectoryError, ValueError, RecursionError):
        return None
    artefacts = held.get("artefacts") if isinstance(held, dict) else None
    if not isinstance(artefacts, dict):
        return None
    fit = all(swap.safe(path) and _SHA256.fullmatch(str(value)) for path, value in artefacts.items())
    return frozenset(artefacts) if fit else None


def _stale(wanted: Mapping[str, bytes], old: frozenset[str] | None, folder: Path) -> list[str]:
    gone = (old or frozenset()) - wanted.keys()
    return sorted(path for path in gone if _is_file(folder / path) and _inside(path, folder))


def _inside(path: str, folder: Path) -> bool:
    return not any((folder / parent).is_symlink() for parent in PurePosixPath(path).parents if parent.name)


def _difference(path: str, data: bytes, folder: Path) -> Difference | None:
    if _mode(folder / path) is None:
        return Difference(path, "missing")
    if not _is_file(folder / path):
        return Difference(path, "differs", "a folder, a link or a device stands where the file belongs\n")
    found = (folder / path).read_bytes()
    return None if found == data else Difference(path, "differs", diff(path, found, data))


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if _is_file(path) else None


def _is_file(path: Path) -> bool:
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def _mode(path: Path) -> int | None:
    """File type and permissions of the thing itself, not of what a link points to; None where nothing is."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def _opened(directory: Path, perform: swap.Perform) -> Iterator[Path]:
    """Make the directory if need be, and keep a second run out of it; made in vain, it goes again."""
    made = [folder for folder in (directory, *directory.parents) if not os.path.lexists(folder)]
    try:
        for folder in reversed(made):
            perform(Path.mkdir, folder, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with suppress(OSError):  # a file system without locks is used without
                fcntl.flock(handle, fcntl.LOCK_EX)  # a killed run's lock goes with it
            yield directory
        finally:
            os.close(handle)
    except BaseException:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def _disk_errors(directory: Path, wanted: Mapping[str, bytes]) -> Iterator[None]:
    try:
        yield
    except swap.Unfinished as error:
        finding = Finding(
            str(directory),
            f"writing failed half-way, and so did putting the old files back: {_reason(error)}",
            f"Old and new files are mixed; {directory / swap.STAGE} holds what restores the old ones.",
            "Cure the cause and run this again: it first restores the old files.",
        )
        raise Refused([finding]) from error
    except OSError as error:
        cure = _CURES.get(error.errno or 0, "Cure the cause, or name another directory with -o.")
        cure = cure.format(room=_room(directory, wanted))
        finding = Finding(str(directory), f"this directory cannot be used: {_reason(error)}", _WHOLE, cure)
        raise Refused([finding]) from error


def _room(directory: Path, wanted: Mapping[str, bytes]) -> str:
    """The size of all files that are new or other than on disk, in whole blocks as a disk counts them."""
    with suppress(OSError):
        wanted = {path: data for path, data in wanted.items() if _bytes(directory / path) != data}
    blocks = sum(-(-len(data) // _BLOCK) for data in wanted.values())
    return f"{blocks * _BLOCK >> 10:,} KiB"


def _reason(error: OSError) -> str:
    return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)


def _refuse(findings: Iterable[Finding]) -> None:
    found = list(findings)
    if found:
        raise Refused(found)
