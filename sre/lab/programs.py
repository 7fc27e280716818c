"""The real programs of the lab: found, started in a folder of their own, watched, and stopped by process id."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sre.findings import Finding, Refused, Unreachable

PACKAGES = {
    "prometheus": (("prometheus",), "prometheus"),
    "promtool": (("promtool",), "prometheus"),
    "alertmanager": (("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager"),
    "amtool": (("amtool",), "prometheus-alertmanager"),
}
"""Program -> the names under which it may lie on PATH (Debian's first), and Debian's package."""

_PATIENCE = 60.0
"""Seconds for a program to be ready: far more than it needs, for the machine may be busy."""
# Go collects garbage whenever its heap has doubled; the lab's heaps are small, and processors are what it lacks.
_THRIFT = {"GOGC": "400"}
_LAST = 10
"""Lines of a log that are shown where a program died."""
_LAST_WORDS = 0.5
"""Seconds in which a program that has hung up is seen to have ended."""


def find(*wanted: str, path: str | None = None) -> dict[str, str]:
    """The programs' files, by name. ``path`` stands in for PATH; raises ``Refused`` with one finding for all."""
    found = {name: _which(name, path) for name in wanted}
    missing = [name for name, file in found.items() if file is None]
    if missing:
        packages = " ".join(dict.fromkeys(PACKAGES[name][1] for name in missing))
        raise Refused(
            [
                Finding(
                    "PATH",
                    f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not on PATH",
                    "the compiled rules are run in the real programs, not in look-alikes",
                    f"run `apt-get install --no-install-recommends {packages}`; elsewhere, put them on PATH",
                )
            ]
        )
    return {name: file for name, file in found.items() if file is not None}


def _which(name: str, path: str | None) -> str | None:
    return next((file for one in PACKAGES[name][0] if (file := shutil.which(one, path=path))), None)


@contextmanager
def folder(prefix: str = "sre-lab-") -> Iterator[Path]:
    """A folder that is gone when the block ends, however it ends."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        yield Path(name)


@dataclass
class Program:
    """A running program; ``name`` is what a person calls it."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stopped: bool = field(default=False)

    def check(self) -> None:
        """Raise ``Unreachable`` with its last words where it has died."""
        code = self.process.poll()
        if code is not None and not self.stopped:
            raise Unreachable([self._death(code)])

    def _death(self, code: int) -> Finding:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST:]
        said = "its log ends with:\n      " + "\n      ".join(lines) if lines else "its log is empty"
        return Finding(
            self.name,
            f"it {how} in the middle of the run; {said}",
            "what it had seen until then is not the whole, so nothing is shown of it",
            "run it again; memory and disk are what it lacks most often",
        )

    def stop(self) -> None:
        """End it at once, and whatever it has started: what they have written is not kept."""
        self.stopped = True
        # The number of one that has been waited for may be somebody else's by now.
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(
    name: str, arguments: Sequence[str], where: Path, ready: Callable[[], bool], patience: float = _PATIENCE
) -> Iterator[Program]:
    """The program runs in the folder ``where`` until the block ends; the block begins once it is ready.

    Where the block finds a server that does not answer because this program has died, it is told how that died.
    """
    log, started = where / f"{name}.log", list[Program]()

    def start() -> None:
        with log.open("wb") as sink:
            # A session of its own: an interrupt at the terminal reaches only us, and we end it in order.
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=where,
                env={**os.environ, **_THRIFT},
                start_new_session=True,
            )
        started.append(Program(name, process, log))

    # Signals interrupt the main thread alone: in another one no child can be born and not be known.
    birth = threading.Thread(target=start)
    try:
        birth.start()
        birth.join()
        _wait(started[0], ready, patience)
        yield started[0]
    except Unreachable:
        # A program that dies hangs up first: its own end says more than the broken connection.
        time.sleep(_LAST_WORDS)
        for program in started:
            program.check()
        raise
    finally:
        birth.join()
        for program in started:
            program.stop()


def _wait(program: Program, ready: Callable[[], bool], patience: float) -> None:
    end = time.monotonic() + patience
    while not ready():
        program.check()
        if time.monotonic() > end:
            what = f"it was not ready after {patience:g} s"
            why, fix = "nothing can be proven without it", "try again while the machine is less busy"
            raise Unreachable([Finding(program.name, what, why, fix)])
        time.sleep(0.05)
    program.check()
