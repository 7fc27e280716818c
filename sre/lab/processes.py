"""Processes that somebody else began: told apart by when they began, so that a number that is used again is safe."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_POLL = 0.05


@dataclass(frozen=True)
class Identity:
    """A process: its number, and when it began in clock ticks since the machine did."""

    pid: int
    began: int

    @property
    def runs(self) -> bool:
        """Whether this very process is there and has not ended."""
        return identify(self.pid) == self

    def end(self, number: signal.Signals, patience: float) -> bool:
        """Send it a signal and wait for its end; whether it has ended within so many seconds."""
        if self.runs:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
        end = time.monotonic() + patience
        while self.runs and time.monotonic() < end:
            time.sleep(_POLL)
        return not self.runs


def identify(pid: int) -> Identity | None:
    """The process that has this number now; None where there is none, or one that only waits to be forgotten."""
    try:
        # The command stands in parentheses and may hold anything (man 5 proc).
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return None
    state, began = fields.split()[0], int(fields.split()[19])
    return None if state in "ZX" else Identity(pid, began)
