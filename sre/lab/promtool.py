"""promtool as a child: several at once in a folder of their own, and what each of them got for its questions.

An expectation that cannot hold makes promtool print what it got instead (cmd/promtool/unittest.go of 2.42).
"""

import os
import re
import signal
import subprocess
import time
from ast import literal_eval
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sre.findings import Finding, Refused

NEVER = [{"labels": '{never="this"}', "value": 0}]
"""Samples that nothing gives."""

_GOT = re.compile(r"^ {4}expr: .*\n {8}exp: .*\n {8}got: (.*)$", re.MULTILINE)
_SERIES = re.compile(r'\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\} (\S+?)(?:, |$)')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_PAUSE = 0.02
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Its heap is small and full of short-lived samples: collecting it rarely saves a third of the time.
_THRIFT = {"GOGC": "800", "GOMAXPROCS": "1"}


@dataclass(frozen=True)
class Got:
    """One series of an answer; ``labels`` without the metric's name, where the expression was not asked for it."""

    labels: dict[str, str]
    value: float


@dataclass
class _Child:
    name: str
    process: "subprocess.Popen[bytes]"
    said: Path

    def answers(self, questions: int) -> list[list[Got]]:
        """What it got, question by question; raises ``Refused`` where it did not come to its end."""
        said = self.said.read_text(encoding="utf-8", errors="replace")
        found = answers(said)
        if self.process.returncode != 1 or len(found) != questions:
            raise Refused([self._broken(said, len(found), questions)])
        return found

    def _broken(self, said: str, found: int, questions: int) -> Finding:
        code = self.process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        words = " ".join(line.strip() for line in said.splitlines() if line.strip())[-600:]
        return Finding(
            self.name,
            f"promtool {how} after {found} of {questions} answers" + (f": {words}" if words else ""),
            "what is missing here is not known, so nothing is shown of the rest either",
            "run it again; if it ends like this again, look at the memory and disk space that are left, "
            "and at `promtool --version`: it must be 2.42 or newer",
        )


def answers(said: str) -> list[list[Got]]:
    """What promtool says that it got, question by question."""
    return [
        [Got(_labels(inside), float(value)) for inside, value in _SERIES.findall(got)]
        for got in _GOT.findall(said)
    ]


def _labels(inside: str) -> dict[str, str]:
    # Go and Python quote alike, as far as labels go.
    return {name: str(literal_eval(f'"{value}"')) for name, value in _LABEL.findall(inside)}


def run(
    program: str, folder: Path, files: Sequence[tuple[str, Path]], questions: int, at_once: int
) -> Iterator[tuple[int, list[list[Got]]]]:
    """Answers to each test file with its number, as they come. ``files`` are named by what they are about.

    Ends every child when it is left, for whatever reason. Raises ``Refused`` as soon as one has died.
    """
    waiting, running = list(enumerate(files))[::-1], dict[int, _Child]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                number, (name, file) = waiting.pop()
                with _undisturbed():
                    running[number] = _start(program, folder, name, file)
            for number in [n for n, child in running.items() if child.process.poll() is not None]:
                yield number, running.pop(number).answers(questions)
            time.sleep(_PAUSE)
    finally:
        for child in running.values():
            child.process.kill()
            child.process.wait()


def _start(program: str, folder: Path, name: str, file: Path) -> _Child:
    said = file.with_suffix(".said")
    # Its storage lies under TMPDIR, and stays there when it is killed.
    own = {**os.environ, **_THRIFT, "TMPDIR": str(folder)}
    with said.open("wb") as output:
        command = [program, "test", "rules", file.name]
        process = subprocess.Popen(
            command, cwd=file.parent, env=own, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    return _Child(name, process, said)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A signal waits until the child that is being started is known, so that it can be ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
