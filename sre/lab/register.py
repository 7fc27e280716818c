"""What is known of the lab that runs on: one for each user, in a folder that only they can read."""

import fcntl
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from stat import S_ISDIR

from sre.findings import Finding, Refused
from sre.lab.demonstration import Addresses
from sre.lab.processes import Identity, identify

_PATIENCE = 20.0
"""Seconds in which a keeper ends in order."""
_FOLDER = "sre-lab-"


@dataclass(frozen=True)
class Entry:
    """A lab: who keeps it, what it has started and where, and what it is."""

    keeper: Identity
    programs: tuple[Identity, ...]
    folder: str
    fleet: str
    name: str
    pace: int
    since: float
    """Unix time at which it was ready."""
    addresses: Addresses

    @property
    def runs(self) -> bool:
        """Whether it is kept."""
        return self.keeper.runs


@dataclass(frozen=True)
class Register:
    """The register in a folder, which is there while a lab is."""

    folder: Path

    @classmethod
    def own(cls, environ: Mapping[str, str] = os.environ) -> "Register":
        """That of this user; raises ``Refused`` where its folder is somebody else's."""
        runtime = environ.get("XDG_RUNTIME_DIR")
        folder = Path(runtime) / "sre" if runtime else Path(tempfile.gettempdir()) / f"sre-{os.getuid()}"
        if folder.is_symlink() or folder.exists():
            about = folder.lstat()
            if not S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o022:
                raise Refused([_unfit(folder, "is not a folder of yours alone")])
        return cls(folder)

    def make(self) -> None:
        """Let its folder be there; raises ``Refused`` where it cannot."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Refused([_unfit(self.folder, f"cannot be made: {error.strerror}")]) from None

    @property
    def log(self) -> Path:
        """What the keeper says."""
        return self.folder / "lab.log"

    @property
    def _file(self) -> Path:
        return self.folder / "lab.json"

    def read(self) -> Entry | None:
        """The lab that was entered last and not taken out, whether it still runs or not."""
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
            return Entry(
                **{
                    **told,
                    "keeper": Identity(**told["keeper"]),
                    "programs": tuple(Identity(**one) for one in told["programs"]),
                    "addresses": Addresses(**told["addresses"]),
                }
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """One lab at a time: the block is alone; raises ``Refused`` where another is in it."""
        self.make()
        with (self.folder / "lab.lock").open("w") as lock:
            try:
                # The kernel lets go of it with the process, however that ends.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refused([taken(self.read())]) from None
            self.clear()
            yield

    @contextmanager
    def entered(self, entry: Entry) -> Iterator[None]:
        """The lab is known until the block ends."""
        half = self._file.with_suffix(".half")
        half.write_text(json.dumps(asdict(entry)), encoding="utf-8")
        half.replace(self._file)
        try:
            yield
        finally:
            self._file.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the folder with all that it holds, unless a lab is in it."""
        if not self.folder.is_dir():
            return
        with suppress(Refused, OSError), self.kept():
            for name in ("lab.log", "lab.lock"):
                (self.folder / name).unlink(missing_ok=True)
            self.folder.rmdir()

    def clear(self) -> tuple[Entry | None, bool]:
        """End whatever is entered, and forget it: the entry, and whether its keeper ended it in order."""
        entry = self.read()
        if entry is None:
            return None, True
        in_order = entry.runs and entry.keeper.end(signal.SIGTERM, _PATIENCE)
        if not in_order:
            for one in (entry.keeper, *entry.programs):
                one.end(signal.SIGKILL, _PATIENCE)
            # Nobody else may be named there: what is removed is a folder that the lab makes.
            if Path(entry.folder).name.startswith(_FOLDER):
                shutil.rmtree(entry.folder, ignore_errors=True)
            self._file.unlink(missing_ok=True)
        return entry, in_order


def _unfit(folder: Path, what: str) -> Finding:
    fix = "name a folder of your own: XDG_RUNTIME_DIR=/path sre lab ..."
    return Finding(str(folder), what, "what runs would not be known, or not be safe", fix)


def require(register: Register) -> Entry:
    """The lab that runs; raises ``Refused`` where none does."""
    entry = register.read()
    if entry and entry.runs:
        return entry
    what, why = "no lab runs", "there is nothing that could be broken or mended"
    raise Refused([Finding("lab", what, why, "start one with `sre lab up FLEET`")])


def taken(entry: Entry | None) -> Finding:
    """What somebody reads who wants a second lab."""
    where = f" ({entry.fleet}, Prometheus at {entry.addresses.prometheus})" if entry else ", or is about to"
    return Finding(
        "lab",
        f"one runs already{where}",
        "two at once would take each other's ports and processors",
        "look at it with `sre lab status`, or stop it with `sre lab down`",
    )


def own_identity() -> Identity:
    """Who asks."""
    found = identify(os.getpid())
    assert found
    return found
