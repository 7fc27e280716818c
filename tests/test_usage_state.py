"""The state file: whole, of this release, of one process; and what a page shows while it cannot be saved."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sre.findings import Refused
from sre.usage.accounts import Accounts
from sre.usage.formats import load_format
from sre.usage.identity import Identity
from sre.usage.inbox import Delivery, Inbox, Scrape
from sre.usage.intake import Intake, Route
from sre.usage.running import Running
from sre.usage.state import State, StateFile
from sre.usage.tail import Mark, Place, Position, Tail

POSITION = Position((Place(Mark(1, 22, 256, "ab"), 333, 300, 4444),), (Mark(1, 23, 12, "cd"),), 55, "/log")


def record(number: int) -> bytes:
    said = b'{"id":"r-%d","time":"2026-11-21T20:00:00Z","team":"search","model":"llama","outcome":"success",'
    return said % number + b'"tokens":{"output":7}}\n'


class Disk:
    """A disk that has no room where it is told so."""

    full: str = ""

    def __call__(self, operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if operation.__name__ == self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return operation(*args, **kwargs)


class Exporter:
    """One without a listener, on a disk that may be full."""

    def __init__(self, folder: Path) -> None:
        self.disk, self.now = Disk(), 1795000100.0
        self.route = Route("access", load_format("usage", [], trusted=True))
        intake = Intake(Identity(["search"]), Accounts(["search"], ["llama"]), ["access"], lambda: self.now)
        logs = [(self.route, Tail(folder / "access.jsonl"))]
        state = StateFile(folder / "state" / "exporter.state", self.disk)
        self.running = Running(intake, Inbox(), state, logs, lambda: self.now)

    def scrape(self) -> str | None:
        pages: list[bytes | None] = []
        self.running.inbox.put(Scrape(pages.append))
        end = time.monotonic() + 30
        while not pages:
            assert time.monotonic() < end
            self.running.turn(0)
        return pages[0].decode() if pages[0] is not None else None

    def value(self, name: str) -> float:
        page = self.scrape()
        assert page is not None
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name))

    def post(self, body: bytes) -> str | None:
        answers: list[str | None] = []
        self.running.inbox.put(Delivery(self.route, body, answers.append))
        self.running.turn(0)
        return answers[0]


REQUESTS = 'llm_requests_total{team="search",model="llama",outcome="success"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exporter.state"


def test_what_was_saved_is_loaded(path: Path):
    """Counts and positions come back as they were; before the first save there are none."""
    file = StateFile(path)
    assert file.load() is None
    state = State({"accounts": [1, 2.5, "a"]}, {"./access.jsonl": POSITION})
    file.save(file.encode(state))
    assert file.load() == state


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_state(path: Path, step: str):
    """On a full disk the file saved before stays whole, and nothing is left beside it."""
    disk = Disk()
    file = StateFile(path, disk)
    file.save(file.encode(State(1, {})))
    disk.full = step
    with pytest.raises(OSError, match="No space left"):
        file.save(file.encode(State(2, {})))
    assert file.load() == State(1, {})
    assert sorted(one.name for one in path.parent.iterdir()) == ["exporter.state", "exporter.state.lock"]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[:-1], "damaged"),
        (lambda data: data.replace(b"r-route", b"r-rouTe"), "damaged"),
        (lambda _: b"", "no state file"),
        (lambda data: b"\0" * len(data), "no state file"),
        (lambda _: b'{"counts": 1}', "no state file"),
        (lambda data: data.replace(b"state 1 ", b"state 2 "), "version 2"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_an_error(path: Path, damage: Callable[[bytes], bytes], what: str):
    """A damaged, foreign or newer file is refused with what to do, and left as it is."""
    file = StateFile(path)
    file.save(file.encode(State("counts", {"r-route": POSITION})))
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(Refused, match=what) as refused:
        file.load()
    assert "move it away" in refused.value.findings[0].fix
    assert path.read_bytes() == before


def test_a_second_exporter_is_kept_out(path: Path):
    """Two processes never count into one state file; the second one is told whose it is."""
    first = StateFile(path)
    with pytest.raises(Refused, match=f"another exporter \\(process {os.getpid()}\\)"):
        StateFile(path)
    first.close()
    StateFile(path).close()


def test_an_exporter_goes_on_where_it_was(tmp_path: Path):
    """Stopped and started again, it counts what came meanwhile, and nothing twice."""
    log = tmp_path / "access.jsonl"
    log.write_bytes(record(1) + record(2))
    one = Exporter(tmp_path)
    one.running.start()
    one.running.turn(0)
    assert one.value(REQUESTS) == 2
    one.running.stop()
    with log.open("ab") as file:
        file.write(record(3))
    two = Exporter(tmp_path)
    two.running.start()
    two.running.turn(0)
    assert two.value(REQUESTS) == 3
    assert two.value("llm_exporter_lag_seconds") == 0


def test_nothing_new_is_shown_while_it_cannot_be_saved(tmp_path: Path):
    """On a full disk the page stays what it was and says why; once there is room, what came meanwhile is counted."""
    log = tmp_path / "access.jsonl"
    log.write_bytes(record(1))
    one = Exporter(tmp_path)
    one.running.start()
    one.running.turn(0)
    assert one.value(REQUESTS) == 1
    one.disk.full = "fsync"
    with log.open("ab") as file:
        file.write(record(2))
    one.now += 30
    assert one.value(REQUESTS) == 1
    assert one.value("llm_exporter_state_saved") == 0
    assert one.value("llm_exporter_checkpoint_age_seconds") == 30
    assert "No space left" in str(one.post(record(3)))
    assert "make room" in one.running.problems[0][1]
    one.disk.full = ""
    one.now += 30
    one.running.turn(0)
    assert one.post(record(3)) is None
    assert one.value(REQUESTS) == 3
    assert one.value("llm_exporter_state_saved") == 1
    assert one.running.problems == []


def test_a_damaged_state_keeps_the_exporter_from_starting(tmp_path: Path):
    """An exporter whose state is damaged does not begin at zero, and does not overwrite the file."""
    one = Exporter(tmp_path)
    one.running.start()
    one.running.stop()
    state = tmp_path / "state" / "exporter.state"
    state.write_bytes(state.read_bytes()[:-3])
    before = state.read_bytes()
    two = Exporter(tmp_path)
    with pytest.raises(Refused, match="damaged"):
        two.running.start()
    two.running.stop()
    assert state.read_bytes() == before


def test_nothing_is_begun_that_cannot_be_saved(tmp_path: Path):
    """Where not even the first state can be written, the exporter does not start."""
    one = Exporter(tmp_path)
    one.disk.full = "write"
    with pytest.raises(Refused, match="nothing can be saved"):
        one.running.start()
    one.running.stop()


def test_what_was_saved_is_shown_where_nothing_can_be_saved(tmp_path: Path):
    """Started on a full disk, an exporter shows what it saved before, and says that it can save no more."""
    log = tmp_path / "access.jsonl"
    log.write_bytes(record(1))
    one = Exporter(tmp_path)
    one.running.start()
    one.running.turn(0)
    one.running.stop()
    with log.open("ab") as file:
        file.write(record(2))
    two = Exporter(tmp_path)
    two.disk.full = "write"
    two.running.start()
    assert two.value(REQUESTS) == 1
    assert two.value("llm_exporter_state_saved") == 0
    two.disk.full = ""
    two.now += 30
    two.running.turn(0)
    assert two.value(REQUESTS) == 2


def test_a_log_that_is_away_is_shown(tmp_path: Path):
    """A log that does not exist shows as not readable, and the problem says what is waited for."""
    one = Exporter(tmp_path)
    one.running.start()
    one.running.turn(0)
    assert one.value("llm_exporter_log_readable") == 0
    assert "does not exist" in one.running.problems[0][1]


def test_a_page_waits_until_every_log_was_read_to_its_end(tmp_path: Path):
    """Before the exporter has caught up there is no page: its counts would look like a burst."""
    (tmp_path / "access.jsonl").write_bytes(b"".join(map(record, range(200_000))))
    one = Exporter(tmp_path)
    one.running.start()
    pages: list[bytes | None] = []
    one.running.inbox.put(Scrape(pages.append))
    one.running.turn(0)
    assert pages == [None]
    while not one.running.caught_up:
        one.running.turn(0)
    assert one.value(REQUESTS) == 200_000
