"""Any interleaving of writing, rotating, packing, reading, saving and crashing gives each line once, in order."""

import gzip
import os
import shutil
import tempfile
import time
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sre.usage.tail import Position, Tail

KEEP = 40
LONGEST = 400


class Log(RuleBasedStateMachine):
    """A log with one writer, rotated by others, and a reader that may die at any moment.

    The writer behaves as writers do: before it opens the new file it ends the line that it has begun. A
    truncated file it goes on with where it was in the line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.log = self.folder / "access.jsonl"
        self.written: list[bytes] = []
        self.begun = b""
        self.copied = False
        self.later = 0.0

    @initialize(exists=st.booleans(), history=st.booleans(), chunk=st.integers(1, 900))
    def start(self, exists: bool, history: bool, chunk: int) -> None:
        self.number, self.chunk = 0, chunk
        if history:
            (self.folder / "access.jsonl.1").write_bytes(self.line() + b"\n")
        self.writer = self.open() if exists or history else None
        self.read_lines: list[bytes] = []
        self.tail = self.reader(None)
        self.saved: tuple[Position, int] = (self.tail.position, 0)

    def open(self) -> int:
        return os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def reader(self, position: Position | None) -> Tail:
        return Tail(
            self.log, position, longest=LONGEST, chunk=self.chunk, clock=lambda: time.time() + self.later
        )

    def line(self) -> bytes:
        self.number += 1
        return b'{"id":"r-%d","pad":"%s"}' % (self.number, b"x" * (self.number * 37 % 300))

    def write(self, data: bytes) -> None:
        if self.writer is None:
            self.writer = self.open()
        os.write(self.writer, data)

    # Between a copy and the truncation nothing is written here: that would be lost to everybody.
    @precondition(lambda self: not self.copied)
    @rule(count=st.integers(1, 6))
    def append(self, count: int) -> None:
        self.finish()
        lines = [self.line() for _ in range(count)]
        self.write(b"".join(line + b"\n" for line in lines))
        self.written += lines

    @precondition(lambda self: not self.copied and not self.begun)
    @rule(part=st.integers(1, 30))
    def begin(self, part: int) -> None:
        line = self.line()
        self.write(line[:part])
        self.written.append(line)
        self.begun = line[part:] + b"\n"

    @precondition(lambda self: not self.copied)
    @rule()
    def finish(self) -> None:
        if self.begun:
            self.write(self.begun)
            self.begun = b""

    def shift(self) -> None:
        for number in range(KEEP, 0, -1):
            for ending in ("", ".gz"):
                old = self.folder / f"access.jsonl.{number}{ending}"
                if old.exists():
                    old.rename(self.folder / f"access.jsonl.{number + 1}{ending}")

    @precondition(lambda self: not self.copied and self.log.exists())
    @rule()
    def rename(self) -> None:
        self.shift()
        self.log.rename(self.folder / "access.jsonl.1")

    @precondition(lambda self: not self.copied)
    @rule()
    def reopen(self) -> None:
        self.finish()
        if self.writer is not None:
            os.close(self.writer)
        self.writer = self.open()

    @precondition(lambda self: not self.copied and self.log.exists() and self.writer_is_live())
    @rule()
    def copy(self) -> None:
        self.shift()
        shutil.copyfile(self.log, self.folder / "access.jsonl.1")
        self.copied = True

    def writer_is_live(self) -> bool:
        return self.writer is not None and os.fstat(self.writer).st_ino == self.log.stat().st_ino

    @precondition(lambda self: self.copied)
    @rule()
    def truncate(self) -> None:
        os.truncate(self.log, 0)
        self.copied = False

    @precondition(lambda self: not self.copied)
    @rule(number=st.integers(1, 3), members=st.booleans())
    def pack(self, number: int, members: bool) -> None:
        file = self.folder / f"access.jsonl.{number}"
        if not file.exists() or (
            self.writer is not None and os.fstat(self.writer).st_ino == file.stat().st_ino
        ):
            return
        data = file.read_bytes()
        half = len(data) // 2 if members else len(data)
        packed = file.with_name(file.name + ".gz")
        packed.write_bytes(gzip.compress(data[:half]) + (gzip.compress(data[half:]) if members else b""))
        file.unlink()

    @precondition(lambda self: not self.copied)
    @rule()
    def age(self) -> None:
        for file in self.folder.iterdir():
            if file != self.log:
                os.utime(file, (1e9, 1e9))

    @rule(times=st.integers(1, 4))
    def read(self, times: int) -> None:
        for _ in range(times):
            self.read_lines += self.tail.read().lines

    @rule()
    def save(self) -> None:
        self.saved = (self.tail.position, len(self.read_lines))

    @rule()
    def crash(self) -> None:
        self.tail.close()
        self.go_back()
        self.tail = self.reader(self.saved[0])

    @rule()
    def full_disk(self) -> None:
        self.go_back()
        self.tail.rewind(self.saved[0])

    def go_back(self) -> None:
        del self.read_lines[self.saved[1] :]

    @invariant()
    def nothing_is_read_twice_or_out_of_order(self) -> None:
        if hasattr(self, "read_lines"):
            assert self.read_lines == self.written[: len(self.read_lines)]

    def teardown(self) -> None:
        if not hasattr(self, "read_lines"):
            return
        if self.copied:
            self.truncate()
        self.finish()
        # What looks like a copy under way is waited for.
        self.later = 60.0
        for _ in range(20_000):
            batch = self.tail.read()
            self.read_lines += batch.lines
            if not batch.more:
                break
        assert self.read_lines == self.written
        assert self.tail.condition.lost == 0
        self.tail.close()
        if self.writer is not None:
            os.close(self.writer)
        shutil.rmtree(self.folder)


def test_every_line_is_read_once_and_in_order():
    """Whatever happens to a log and its reader, each line is read exactly once, in the order of writing."""
    run_state_machine_as_test(Log, settings=settings(max_examples=120, stateful_step_count=50))
