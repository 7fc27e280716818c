"""Many files put in place and taken away as one step, with a way back from every point of it.

Invariant: whatever stops the process, and wherever, the folder afterwards holds all old files or all new
ones, at the latest once `recover` has run, which every later write does first.

1. Stage, in a hidden folder inside the target, the one place that is surely on its file system (the target
   may be a mount point, or its parent read-only): new files are written and synced, old ones get a second
   name by hard link. Nothing visible changes; a full disk shows here.
2. The journal appears. From now on a way back is on disk.
3. Commit: renames and unlinks only, which need no space, with signals held back to the end. An error rolls back at
   once; SIGKILL or a power cut in these few milliseconds leaves the journal, and `recover` rolls back.
4. The journal goes: the point of no return. What is left of the stage is rubbish.

The whole folder is not exchanged with a finished twin: a container that mounts it would go on seeing the old,
now empty folder, and files that others keep in it would have to move.
"""

import errno
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import ParamSpec, Protocol, TypeVar

STAGE = ".sre-write"
"""The hidden folder of a write in progress, or of one that was killed."""

_HELD = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Perform(Protocol):
    """Carries out one change to the disk; the seam at which a test lets the machine die."""

    def __call__(self, operation: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what ``operation`` returns, raise what it raises."""


def perform(operation: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Just do it."""
    return operation(*args, **kwargs)


class Unfinished(OSError):
    """The commit failed and so did the way back; the journal lies there for the next run."""


@dataclass(frozen=True)
class Step:
    """One path of the commit: ``new`` is the SHA-256 of what comes (None: removed), ``old`` says what was."""

    path: str
    new: str | None
    old: bool


def swap(folder: Path, put: Mapping[str, bytes], remove: Iterable[str], perform: Perform = perform) -> None:
    """Put and remove files under ``folder``, in the order given, all or none.

    Paths are relative and have been checked. Raises OSError with the old files in place, or `Unfinished`.
    """
    steps = [Step(path, _sha256(data), (folder / path).exists()) for path, data in put.items()]
    steps += [Step(path, None, old=True) for path in remove]
    folders = _missing_folders(folder, put)
    with ExitStack() as held:
        with _way_back(folder, perform):
            _stage(folder, put, steps, perform)
            _write_journal(folder, steps, folders, perform)
            held.enter_context(_signals_held())
            _commit(folder, steps, folders, perform)
        with suppress(OSError):
            _discard(folder, perform)
            _prune(folder, (step.path for step in steps if step.new is None), perform)


def recover(folder: Path, perform: Perform = perform) -> None:
    """Undo a write that was killed, if there was one; harmless at any time and repeatable after a crash."""
    journal = folder / STAGE / "journal.json"
    if journal.exists():
        steps, folders = _read_journal(journal)
        for number, step in enumerate(steps):
            _undo(folder, number, step, perform)
        _prune(folder, (f"{made}/x" for made in folders), perform)
        _sync_folders(folder, steps, perform)
        _forget(journal, perform)
    _discard(folder, perform)


def safe(path: str) -> bool:
    """Tell whether a relative POSIX path stays inside its folder, shows as it is and is not ours to use."""
    parts = path.split("/")
    return (
        all(part not in ("", ".", "..") and len(part.encode(errors="replace")) <= 255 for part in parts)
        and "\\" not in path
        and path.isprintable()
        and parts[0] != STAGE
    )


@contextmanager
def _way_back(folder: Path, perform: Perform) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        try:
            recover(folder, perform)
        except OSError as worse:
            raise Unfinished(worse.errno, worse.strerror, worse.filename) from error
        raise


@contextmanager
def _signals_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stage(folder: Path, put: Mapping[str, bytes], steps: Sequence[Step], perform: Perform) -> None:
    perform(os.mkdir, folder / STAGE)
    for number, step in enumerate(steps):
        if step.old:
            _second_name(folder / step.path, _spare(folder, number), perform)
        if step.new is not None:
            perform(_create, _fresh(folder, number), put[step.path], folder / step.path)
    for number, step in enumerate(steps):  # the first sync after the last write carries most of the rest
        if step.new is not None:
            perform(_sync, _fresh(folder, number))


def _write_journal(folder: Path, steps: Sequence[Step], folders: Sequence[str], perform: Perform) -> None:
    stage = folder / STAGE
    text = json.dumps({"steps": [asdict(step) for step in steps], "folders": list(folders)})
    perform(_create, stage / "journal.part", text.encode())
    perform(_sync, stage / "journal.part")
    perform(os.replace, stage / "journal.part", stage / "journal.json")
    perform(_sync, stage)
    perform(_sync, folder)


def _read_journal(journal: Path) -> tuple[list[Step], list[str]]:
    with suppress(ValueError, KeyError, TypeError):
        held = json.loads(journal.read_bytes())
        steps = [Step(**step) for step in held["steps"]]
        folders = [str(name) for name in held["folders"]]
        if all(safe(path) for path in [*folders, *(step.path for step in steps)]):
            return steps, folders
    raise OSError(errno.EINVAL, "not a journal of this program; remove it", str(journal))


def _commit(folder: Path, steps: Sequence[Step], folders: Sequence[str], perform: Perform) -> None:
    for name in folders:
        perform(os.mkdir, folder / name)
    for number, step in enumerate(steps):
        if step.new is None:
            perform(os.unlink, folder / step.path)
        else:
            perform(os.replace, _fresh(folder, number), folder / step.path)
    _sync_folders(folder, steps, perform)
    _forget(folder / STAGE / "journal.json", perform)


def _undo(folder: Path, number: int, step: Step, perform: Perform) -> None:
    target, spare = folder / step.path, _spare(folder, number)
    if step.old and spare.exists():
        # Two names of one file, that is a step not yet taken: rename() then does nothing, by POSIX.
        perform(os.replace, spare, target)
    elif not step.old and target.is_file() and _sha256(target.read_bytes()) == step.new:
        perform(os.unlink, target)


def _forget(journal: Path, perform: Perform) -> None:
    perform(os.unlink, journal)
    # On disk before the spare files go: a journal that outlives them would undo without a way back.
    with suppress(OSError):
        perform(_sync, journal.parent)


def _discard(folder: Path, perform: Perform) -> None:
    if os.path.lexists(folder / STAGE):
        perform(shutil.rmtree, folder / STAGE)


def _prune(folder: Path, paths: Iterable[str], perform: Perform) -> None:
    parents = {parent for path in paths for parent in PurePosixPath(path).parents if parent.name}
    for parent in sorted(parents, key=lambda parent: len(parent.parts), reverse=True):
        with suppress(OSError):  # not empty, or not there: both are fine
            perform(os.rmdir, folder / parent)


def _sync_folders(folder: Path, steps: Iterable[Step], perform: Perform) -> None:
    for parent in sorted({(folder / step.path).parent for step in steps} | {folder}):
        if parent.is_dir():
            perform(_sync, parent)


def _missing_folders(folder: Path, paths: Iterable[str]) -> list[str]:
    """Folders to be made, each after the one that holds it."""
    parents = {str(parent) for path in paths for parent in PurePosixPath(path).parents if parent.name}
    return sorted(parent for parent in parents if not (folder / parent).is_dir())


def _create(path: Path, data: bytes, like: Path | None = None) -> None:
    with path.open("xb") as file:
        file.write(data)
        if like is not None and like.exists():
            os.fchmod(file.fileno(), like.stat().st_mode & 0o777)


def _second_name(path: Path, name: Path, perform: Perform) -> None:
    try:
        perform(os.link, path, name)
    except OSError:  # no hard links on this file system, or not for a file of another user
        perform(shutil.copy2, path, name)
        perform(_sync, name)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot sync folders
            raise
    finally:
        os.close(handle)


def _fresh(folder: Path, number: int) -> Path:
    return folder / STAGE / f"{number}.new"


def _spare(folder: Path, number: int) -> Path:
    return folder / STAGE / f"{number}.old"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
