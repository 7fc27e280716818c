"""Killed at any moment, while its log is written and rotated, an exporter ends with the counts of the log."""

import gzip
import json
import os
import queue
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sre.lab.pages import free_port
from sre.usage.record import TOKEN_CLASSES, Tokens, UsageRecord, to_line

NURSERY = Path(__file__).parent / "fixtures" / "usage_nursery.py"
KILLS = 100
COMMANDS = 6
CONFIGURATION = """\
version: 1
listen: 127.0.0.1:{port}
state: exporter.state
roster: {{teams: [search, support], models: [llama, mistral]}}
routes:
  - {{kind: tail, path: access.jsonl, format: usage, trusted: true}}
"""
SEED = 20261121
_GROWING = re.compile(r"\w+_(?:total|bucket|count|sum)(?:{|$)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Writer:
    """A gateway that writes records, and what rotates its log behind its back; it knows the true counts."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.log, self.dice = folder / "access.jsonl", dice
        self.handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.begun = b""
        self.true: Counter[tuple[str, ...]] = Counter()
        self.number = 0

    def act(self) -> None:
        action = self.dice.random()
        if action < 0.95:
            self.append(self.dice.randint(1, 20))
        elif action < 0.97:
            self.rename()
        elif action < 0.985:
            self.copy_and_truncate()
        else:
            self.pack()

    def append(self, count: int) -> None:
        data = self.begun + b"".join(self.line() for _ in range(count))
        cut = self.dice.randrange(len(data)) if self.dice.random() < 0.3 else len(data)
        # What is left to write must not look like the beginning of a record.
        cut = len(data) if data[cut : cut + 1] == b"{" else cut
        os.write(self.handle, data[:cut])
        self.begun = data[cut:]

    def line(self) -> bytes:
        self.number += 1
        if self.dice.random() < 0.02:
            self.true["records", "invalid"] += 1
            return b'{"id":"r-%d","time":true}\n' % self.number
        team, model = self.dice.choice(["search", "support"]), self.dice.choice(["llama", "mistral"])
        tokens = Tokens(*(self.dice.randint(0, 5000) for _ in TOKEN_CLASSES))
        record = UsageRecord(
            id=f"r-{self.number}",
            time=1795000000.0 + self.number,
            team=team,
            model=model,
            tokens=tokens,
            outcome="success",
        )
        self.true["records", "ok"] += 1
        self.true["requests", team, model] += 1
        for name in TOKEN_CLASSES:
            self.true["tokens", team, model, name] += getattr(tokens, name)
        return to_line(record).rstrip(b"\n") + b"\n"

    def finish(self) -> None:
        os.write(self.handle, self.begun)
        self.begun = b""

    def rename(self) -> None:
        self.shift()
        self.log.rename(self.log.with_name("access.jsonl.1"))
        self.append(self.dice.randint(1, 3))
        self.finish()
        os.close(self.handle)
        self.handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def copy_and_truncate(self) -> None:
        self.shift()
        self.log.with_name("access.jsonl.1").write_bytes(self.log.read_bytes())
        os.truncate(self.log, 0)

    def pack(self) -> None:
        for number in (3, 2, 1):
            file = self.log.with_name(f"access.jsonl.{number}")
            if file.exists():
                packed = file.with_name(file.name + ".gz")
                packed.write_bytes(gzip.compress(file.read_bytes(), 1))
                file.unlink()

    def shift(self) -> None:
        # Nothing is ever deleted: what was gone before it could be read, nobody could have counted.
        files = {int(f.suffixes[1][1:]): f for f in self.log.parent.glob("access.jsonl.*")}
        for number in sorted(files, reverse=True):
            name = files[number].name.replace(f".jsonl.{number}", f".jsonl.{number + 1}")
            files[number].rename(self.log.with_name(name))


class Nursery:
    """Starts exporters, and tells what pages they showed."""

    def __init__(self, folder: Path) -> None:
        # Its folder is not on the path, where pytest imports from.
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
        self.process = subprocess.Popen(
            [sys.executable, str(NURSERY), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.children: queue.Queue[int] = queue.Queue()
        self.pages: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        """Whatever is one whole line; the pieces that the dead leave are none."""
        assert self.process.stdout
        for line in self.process.stdout:
            with suppress(ValueError):
                found = json.loads(line)
                (self.pages if isinstance(found, str) else self.children).put(found)

    def start(self, seed: int, dies_at: int | None) -> int:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"seed": seed, "dies_at": dies_at}) + "\n")
        self.process.stdin.flush()
        return self.children.get(timeout=60)

    def shown(self) -> Iterator[str]:
        for _ in range(self.pages.qsize()):
            yield self.pages.get()

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)
        self.reader.join()
        assert self.process.stdout
        self.process.stdout.close()


def alive(child: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(child, 0)
        return True
    return False


def end(child: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    while alive(child):
        time.sleep(0.001)


def samples(page: str) -> dict[str, float]:
    """Every sample that may only grow: counters, and the parts of histograms."""
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines if _GROWING.match(name)}


def counted(page: str) -> Counter[tuple[str, ...]]:
    """The counts of a page under the names that the writer gives them; zeros left out."""
    found: Counter[tuple[str, ...]] = Counter()
    for name, value in samples(page).items():
        label = dict(_LABEL.findall(name))
        if name.startswith("llm_exporter_records_total"):
            found["records", label["result"]] += int(value)
        elif name.startswith("llm_requests_total"):
            found["requests", label["team"], label["model"]] += int(value)
        elif name.startswith("llm_tokens_total"):
            found["tokens", label["team"], label["model"], label["class"]] += int(value)
    return +found


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    one = Nursery(tmp_path)
    yield one
    one.close()


def test_counts_are_those_of_the_log_after_a_hundred_kills(
    tmp_path: Path, nursery: Nursery, until: Callable[..., None]
):
    """Killed a hundred times, also between write and rename, it counts each line once, and no scrape sees less."""
    dice = random.Random(SEED)  # noqa: S311
    writer = Writer(tmp_path, dice)
    last: dict[tuple[str, ...], float] = {}
    pages = 0
    # What is rotated before an exporter was ever started is not its log.
    child = nursery.start(0, None)
    until((tmp_path / "exporter.state").exists, "the first state")
    end(child)
    for number in range(KILLS):
        # Every other one ends itself between two changes to the disk, or on one of its way there.
        dies_at = dice.randint(0, 40) if number % 2 else None
        child = nursery.start(dice.randrange(1 << 32), dies_at)
        acts, wanted, shown = dice.randint(1, 15), dice.randint(0, 2), 0
        deadline = time.monotonic() + 10
        while (
            alive(child) and time.monotonic() < deadline and (acts or dies_at is not None or shown < wanted)
        ):
            if acts:
                acts -= 1
                writer.act()
            time.sleep(dice.uniform(0, 0.01))
            shown += check(nursery, last)
        end(child)
        pages += shown + check(nursery, last)
    writer.append(1)
    writer.finish()
    child = nursery.start(1, None)
    deadline = time.monotonic() + 60
    found: Counter[tuple[str, ...]] = Counter()
    while found != writer.true and time.monotonic() < deadline:
        with suppress(queue.Empty):
            page = nursery.pages.get(timeout=1)
            pages += 1
            assert grown(page, last)
            found = counted(page)
    end(child)
    assert found == writer.true
    assert pages > KILLS / 4
    assert "lost_bytes_total" in page
    assert 'lost_bytes_total{route="access"} 0' in page


def test_the_command_itself_survives_kills(
    tmp_path: Path, until: Callable[..., None], fetch: Callable[..., bytes]
):
    """`sre exporter run`, killed while it starts, reads or is scraped, ends with the counts of the log, too."""
    dice, last, port = random.Random(SEED), dict[str, float](), free_port()  # noqa: S311
    writer = Writer(tmp_path, dice)
    (tmp_path / "exporter.yaml").write_text(CONFIGURATION.format(port=port))
    pages: list[str] = []

    def scrape() -> bool:
        with suppress(OSError):
            pages.append(fetch(f"http://127.0.0.1:{port}/metrics").decode())
            assert grown(pages[-1], last)
            return True
        return False

    def complete() -> bool:
        return scrape() and counted(pages[-1]) == writer.true

    for kill in range(COMMANDS):
        with command(tmp_path) as process:
            if kill == 0:
                until((tmp_path / "exporter.state").exists, "the first state")
            wanted = len(pages) + dice.randint(0, 3)
            for _ in range(dice.randint(5, 30)):
                writer.act()
                time.sleep(dice.uniform(0, 0.02))
            if kill % 3:
                until(lambda: scrape() and len(pages) > wanted, "a few scrapes")  # noqa: B023
            process.kill()
    writer.append(1)
    writer.finish()
    with command(tmp_path) as process:
        until(complete, "the counts of the log")
        process.terminate()
        assert process.wait(30) == 0


@contextmanager
def command(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [sys.executable, "-m", "sre.cli", "exporter", "run", "--config", "exporter.yaml"]
    with (folder / "journal").open("ab") as journal:
        process = subprocess.Popen(arguments, cwd=folder, stderr=journal)
        try:
            yield process
        finally:
            process.kill()
            process.wait(30)


def check(nursery: Nursery, last: dict[tuple[str, ...], float]) -> int:
    """Every page shown so far; the number of them."""
    return sum(grown(page, last) for page in nursery.shown())


def grown(page: str, last: dict[tuple[str, ...], float]) -> bool:
    now = samples(page)
    shrunk = {name: (last[name], now.get(name)) for name in last if now.get(name, -1.0) < last[name]}
    assert not shrunk
    last.update(now)
    return True
