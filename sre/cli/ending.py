"""How a run ends when it cannot go on: a signal, or output that nobody takes. Neither shows a traceback.

Imports nothing that is slow: an interrupt must find this in place before anything else is loaded.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

UNSAID = 4
"""Exit code where standard output or standard error cannot be written."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CLOSED = 128 + signal.SIGPIPE


class Ended(SystemExit):
    """A signal asked for the end; the exit code is the shell's own for it."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP unwind the program in order and end it with 128 and their number.

    The first of them counts: while the program unwinds, no other is heard.
    """
    # Only the main thread may ask for signals; what the caller ignores, as nohup does, stays ignored.
    mine = _SIGNALS if threading.current_thread() is threading.main_thread() else ()
    before = {one: old for one in mine if (old := signal.getsignal(one)) not in (signal.SIG_IGN, None)}
    for one in before:
        signal.signal(one, _end)
    try:
        yield
    except Ended as ended:
        name = signal.Signals(int(str(ended.code)) - 128).name
        _say(f"sre: ended by {name}; no file is half-written.")
        # On its way out the program hears no more of them: its exit code is that of the first.
        before.clear()
        raise
    finally:
        for one, old in before.items():
            signal.signal(one, old)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    # Whoever is impatient must not break off the tidying up that the first signal began.
    for one in _SIGNALS:
        # Not SIG_IGN: of a second signal that has already come, Python would say that it is ignored, with a traceback.
        signal.signal(one, _unheard)
    raise Ended(128 + number)


def _unheard(_number: int, _frame: FrameType | None) -> None:
    """The end has begun."""


@contextmanager
def ended_by_output() -> Iterator[None]:
    """Where standard output or error takes no more: quietly on a closed pipe, else with the reason."""
    try:
        yield
    except OSError as error:
        # Files and servers are answered for where they are used; and what concerns a file names it.
        if error.filename is not None:
            raise
        if isinstance(error, BrokenPipeError):
            _silence()
            sys.exit(_CLOSED)
        _say(f"standard output: error: cannot be written: {error.strerror}\n"
             "    why: what was said there is not complete; no file is half-written\n"
             "    fix: free space where it goes, or send it elsewhere")  # fmt: skip
        _silence()
        sys.exit(UNSAID)


def _silence() -> None:
    # Python flushes once more at its end; what still waits must go somewhere.
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _say(text: str) -> None:
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201
