"""Who keeps a lab running: a process of its own that ends when it is told to, or when one of the programs dies."""

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from sre.findings import Finding, Unreachable
from sre.lab.demonstration import Addresses
from sre.lab.lab import Lab, Setup, Watch, opened
from sre.lab.processes import identify
from sre.lab.register import Entry, Register, own_identity

_PATIENCE = 180.0
"""Seconds in which a lab is up: far more than it needs, for the machine may be busy."""
_POLL = 0.1


def keep(
    setup: Setup, file: Path, fault: str, register: Register, watch: Watch, ready: Callable[[Entry], None]
) -> None:
    """Run a lab in this process until a signal ends it. ``ready`` is told once, when it can be looked at.

    Raises ``Refused`` where one runs already and for bad input, ``Unreachable`` where a program dies.
    """
    with ExitStack() as stack:
        stack.enter_context(register.kept())
        lab = stack.enter_context(opened(setup, watch))
        if fault:
            lab.broken.strike(fault)
        entry = _entry(lab, file)
        stack.enter_context(register.entered(entry))
        ready(entry)
        lab.keep_on()


def _entry(lab: Lab, file: Path) -> Entry:
    programs = (identify(program.process.pid) for program in lab.programs.programs)
    return Entry(
        own_identity(),
        tuple(one for one in programs if one),
        str(lab.programs.folder),
        str(file),
        lab.plan.fleet.name,
        lab.pace,
        time.time(),
        Addresses(lab.world.url, lab.programs.server.url, lab.programs.alertmanager),
    )


def start(command: Sequence[str], register: Register) -> Entry | int:
    """Run the command, which keeps a lab, in the background until the lab is up; its exit code where it ends before.

    Whatever interrupts this ends the command as well. What it objects to is in the register's log.
    """
    register.make()
    with register.log.open("wb") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    entry = None
    try:
        end = time.monotonic() + _PATIENCE
        while entry is None and child.poll() is None:
            if time.monotonic() > end:
                raise Unreachable([_slow()])
            time.sleep(_POLL)
            entry = register.read()
            entry = entry if entry and entry.keeper.pid == child.pid else None
        return entry or child.wait()
    finally:
        if entry is None and child.poll() is None:
            child.terminate()
            child.wait()


def _slow() -> Finding:
    what, why = f"it was not up after {_PATIENCE:g} s", "there is nothing to look at yet"
    return Finding("lab", what, why, "try again while the machine is less busy")
