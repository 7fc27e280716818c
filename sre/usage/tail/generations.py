"""A log and its rotated files, as they lie in the folder: NAME.2.gz, NAME.1, NAME."""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

_ROTATED = re.compile(r"[.-](\d+(?:[-.T_]?\d+)*)(\.gz)?")
_COUNT = 5
"""A suffix of more digits than this is a date or a time: the larger one is the newer one."""


@dataclass(frozen=True)
class File:
    """One file of a log, as it was when the folder was looked at. ``size`` and ``changed`` (ns) are the disk's."""

    path: Path
    device: int
    inode: int
    size: int
    changed: int
    regular: bool

    @property
    def identity(self) -> tuple[int, int]:
        return self.device, self.inode

    @property
    def packed(self) -> bool:
        return self.path.suffix == ".gz"


class Unsettled(OSError):
    """The folder changed while it was looked at: a rotation is under way."""


def generations(path: Path) -> list[File]:
    """The files of a log, oldest first and the log itself last, where it exists.

    Raises OSError where the folder cannot be read. A packed file beside the same file unpacked is still being
    written, and left out.
    """
    # A folder is not read in one step: between two of them, a file that moves from one name to the next can be
    # seen twice or never. Only what two looks agree on is taken.
    before = _look(path)
    for _ in range(20):
        after = _look(path)
        if [(f.path, f.inode) for f in before] == [(f.path, f.inode) for f in after]:
            return after
        before = after
    raise Unsettled(f"{path.parent}: its files are being renamed")


def _look(path: Path) -> list[File]:
    found: dict[str, tuple[tuple[int, int, str], File]] = {}
    with os.scandir(path.parent) as entries:
        for entry in entries:
            order = _order(entry.name, path.name)
            file = order and _file(Path(entry.path))
            if order and file:
                found[entry.name] = (order, file)
    unpacked = [one for name, one in found.items() if name.removesuffix(".gz") not in found.keys() - {name}]
    return [file for _, file in sorted(unpacked, key=lambda one: one[0])]


def _order(name: str, log: str) -> tuple[int, int, str] | None:
    """Sorts dated files by date, then counted ones from the highest number down, then the log; None for others."""
    if name == log:
        return (2, 0, "")
    match = _ROTATED.fullmatch(name, len(log)) if name.startswith(log) else None
    if not match:
        return None
    digits = re.sub(r"\D", "", match[1])
    return (1, -int(digits), name) if len(digits) <= _COUNT else (0, 0, digits)


def _file(path: Path) -> File | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    regular = stat.S_ISREG(status.st_mode)
    return File(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, regular)
