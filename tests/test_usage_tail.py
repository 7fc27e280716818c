"""What can happen to a log, one thing at a time."""

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.usage.tail import Position, Tail


def line(number: int) -> bytes:
    return b'{"id":"r-%04d","outcome":"success","pad":"%s"}' % (number, b"x" * 250)


def lines(first: int, last: int) -> bytes:
    return b"".join(line(number) + b"\n" for number in range(first, last))


def numbers(found: list[bytes]) -> list[int]:
    return [int(one[9:13]) for one in found]


def drain(tail: Tail) -> list[bytes]:
    found: list[bytes] = []
    while (batch := tail.read()).more:
        found += batch.lines
    return found


def again(tail: Tail) -> Tail:
    """The reader that starts after this one was killed."""
    position = tail.position
    tail.close()
    return Tail(tail.path, position)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.jsonl"


def test_the_first_start_reads_the_log_from_its_beginning(log: Path):
    """A first start reads the whole log, and nothing that was rotated away before."""
    log.with_name("access.jsonl.1").write_bytes(lines(1, 3))
    log.write_bytes(lines(3, 6))
    assert numbers(drain(Tail(log))) == [3, 4, 5]


def test_a_torn_last_line_waits_for_its_end(log: Path):
    """A line that is not written to its end is read once it is, also by the reader that starts after a crash."""
    log.write_bytes(lines(1, 2) + line(2)[:40])
    tail = Tail(log)
    assert numbers(drain(tail)) == [1]
    tail = again(tail)
    assert drain(tail) == []
    with log.open("ab") as file:
        file.write(line(2)[40:] + b"\n")
    assert numbers(drain(tail)) == [2]


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path):
    """Without folder or file the reader waits and says so; once they come, it reads from the beginning."""
    log = tmp_path / "logs" / "access.jsonl"
    tail = Tail(log)
    assert drain(tail) == []
    assert "does not exist" in tail.condition.problem
    log.parent.mkdir()
    tail = again(tail)
    assert drain(tail) == []
    assert "does not exist" in tail.condition.problem
    log.write_bytes(lines(1, 3))
    assert numbers(drain(tail)) == [1, 2]
    assert tail.condition.problem == ""


def test_a_log_that_vanishes_is_waited_for(log: Path):
    """A log that was removed is said to be missing; what comes in its place is read from its beginning."""
    log.write_bytes(lines(1, 3))
    tail = Tail(log)
    drain(tail)
    log.unlink()
    assert drain(tail) == []
    assert "does not exist" in tail.condition.problem
    log.write_bytes(lines(3, 4))
    assert numbers(drain(again(tail))) == [3]


def test_what_was_created_and_rotated_while_nobody_read_is_found(log: Path):
    """A log that came, and was rotated, while the exporter was down is read with all its files."""
    tail = Tail(log)
    drain(tail)
    log.with_name("access.jsonl.2.gz").write_bytes(gzip.compress(lines(1, 3)))
    log.with_name("access.jsonl.1").write_bytes(lines(3, 5))
    log.write_bytes(lines(5, 6))
    assert numbers(drain(again(tail))) == [1, 2, 3, 4, 5]


def test_dated_files_are_read_in_the_order_of_their_dates(log: Path):
    """Rotated files may carry dates, as logrotate's dateext and the kubelet write them."""
    log.write_bytes(lines(1, 2))
    tail = Tail(log)
    drain(tail)
    log.rename(log.with_name("access.jsonl-20261120"))
    log.with_name("access.jsonl-20261121.gz").write_bytes(gzip.compress(lines(2, 4)))
    log.write_bytes(lines(4, 5))
    assert numbers(drain(again(tail))) == [2, 3, 4]


def test_alike_lines_are_told_apart_by_their_files(log: Path):
    """Files that hold the very same bytes are each counted: their inodes tell them apart."""
    log.write_bytes(line(1) + b"\n")
    tail = Tail(log)
    found = drain(tail)
    for _ in range(3):
        for number in (2, 1):
            old = log.with_name(f"access.jsonl.{number}")
            if old.exists():
                old.rename(log.with_name(f"access.jsonl.{number + 1}"))
        log.rename(log.with_name("access.jsonl.1"))
        log.write_bytes(line(1) + b"\n")
        tail = again(tail)
        found += drain(tail)
    assert len(found) == 4


def test_another_file_with_the_same_inode_is_read_from_its_beginning(log: Path):
    """A file with the old one's inode and other bytes is another file, however long it is."""
    log.write_bytes(lines(1, 3))
    tail = Tail(log)
    drain(tail)
    log.write_bytes(lines(3, 9))
    assert numbers(drain(again(tail))) == [3, 4, 5, 6, 7, 8]


def test_bytes_that_are_known_to_be_lost_are_counted(log: Path):
    """What was seen in the log and truncated away before it was read is lost, and counted."""
    log.write_bytes(lines(1, 3))
    tail = Tail(log)
    drain(tail)
    with log.open("ab") as file:
        file.write(line(3)[:100])
    drain(tail)
    log.write_bytes(lines(4, 5))
    assert numbers(drain(tail)) == [4]
    assert tail.condition.lost == 100


def test_a_copy_that_lacks_the_last_lines_is_not_read_again(log: Path):
    """Where more was read than was copied before the truncation, the copy adds nothing."""
    log.write_bytes(lines(1, 3))
    tail = Tail(log)
    copied = log.read_bytes()
    with log.open("ab") as file:
        file.write(lines(3, 5))
    assert numbers(drain(tail)) == [1, 2, 3, 4]
    log.with_name("access.jsonl.1").write_bytes(copied)
    log.write_bytes(b"")
    tail = again(tail)
    assert drain(tail) == []
    log.write_bytes(lines(5, 6))
    assert numbers(drain(again(tail))) == [5]


def test_a_link_that_leads_elsewhere_is_followed(tmp_path: Path):
    """Where the log's name is a link, the old target is read to its end before the new one."""
    old, new, log = tmp_path / "0.log", tmp_path / "1.log", tmp_path / "container.log"
    old.write_bytes(lines(1, 3))
    log.symlink_to(old)
    tail = Tail(log)
    assert numbers(drain(tail)) == [1, 2]
    with old.open("ab") as file:
        file.write(lines(3, 5))
    new.write_bytes(lines(5, 7))
    log.unlink()
    log.symlink_to(new)
    assert numbers(drain(again(tail))) == [3, 4, 5, 6]


def test_nul_bytes_are_skipped(log: Path):
    """Zeros that a crash or a careless writer leaves cost no line but the one that they broke."""
    log.write_bytes(lines(1, 2) + b"\0" * 5000)
    tail = Tail(log, longest=1000)
    assert numbers(drain(tail)) == [1]
    with log.open("ab") as file:
        file.write(lines(2, 3) + b"\0" * 3000 + lines(3, 4))
    assert numbers(drain(tail)) == [2, 3]


def test_a_line_without_end_is_cut_and_skipped(log: Path):
    """A line longer than the cap comes as one byte more than the cap; the next line is whole again."""
    log.write_bytes(b'{"id":"' + b"y" * 9000)
    tail = Tail(log, longest=1000, chunk=1500)
    found = drain(tail)
    assert [len(one) for one in found] == [1001]
    tail = Tail(log, tail.position, longest=1000, chunk=1500)
    with log.open("ab") as file:
        file.write(b"y" * 5000 + b'"}\n' + lines(2, 4))
    assert numbers(drain(tail)) == [2, 3]


def test_late_lines_of_a_rotated_file_are_read(log: Path):
    """A worker that still writes to the rotated file, after others write to the new one, is heard."""
    log.write_bytes(lines(1, 2))
    tail = Tail(log)
    found = drain(tail)
    with log.open("ab") as late:
        log.rename(log.with_name("access.jsonl.1"))
        log.write_bytes(lines(2, 3))
        found += drain(tail)
        late.write(lines(3, 4))
    assert numbers(found + drain(again(tail))) == [1, 2, 3]


def test_the_torn_end_of_a_rotated_file_is_given_up_after_a_minute(log: Path):
    """A last line without newline is delivered as it is, once the next file has been written to for a minute."""
    log.write_bytes(lines(1, 2) + line(2))
    tail = Tail(log)
    found = drain(tail)
    log.rename(log.with_name("access.jsonl.1"))
    log.write_bytes(lines(3, 4))
    found += drain(tail)
    assert numbers(found) == [1, 3]
    os.utime(log.with_name("access.jsonl.1"), (1e9, 1e9))
    assert numbers(drain(tail)) == [2]


def test_a_damaged_archive_costs_what_it_hides_and_no_more(log: Path):
    """A packed file that breaks off is read as far as it goes; its rest is counted as lost, and reading goes on."""
    tail = Tail(log)
    drain(tail)
    whole = gzip.compress(b"".join(os.urandom(60).hex().encode() + b"\n" for _ in range(2000)))
    packed = log.with_name("access.jsonl.1.gz")
    packed.write_bytes(whole[: len(whole) // 2])
    log.write_bytes(lines(1, 3))
    tail = again(tail)
    assert 0 < len(drain(tail)) < 2000
    assert "breaks off" in tail.condition.problem
    os.utime(packed, (1e9, 1e9))
    assert numbers([one for one in drain(tail) if one.startswith(b"{")]) == [1, 2]
    assert tail.condition.lost > 0


def test_a_folder_in_the_logs_place_is_said(log: Path):
    """What is no file is not read, and the reader says what to do."""
    log.mkdir()
    tail = Tail(log)
    assert drain(tail) == []
    assert "name a log file" in tail.condition.problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_log_that_may_not_be_read_is_said(log: Path):
    """Without permission nothing is skipped: the reader waits and says what to do."""
    log.write_bytes(lines(1, 3))
    log.chmod(0)
    tail = Tail(log)
    assert drain(tail) == []
    assert "may not read" in tail.condition.problem
    log.chmod(0o600)
    assert numbers(drain(tail)) == [1, 2]


def wrapped(stream: str, tag: str, text: bytes) -> bytes:
    return f"2026-11-21T20:00:00.123456789Z {stream} {tag} ".encode() + text + b"\n"


def test_lines_of_a_container_are_put_together(log: Path):
    """The pieces that a container runtime makes of a long line are joined, each stream for itself."""
    log.write_bytes(
        wrapped("stdout", "P", b'{"id":')
        + wrapped("stderr", "F", b"starting")
        + wrapped("stdout", "P", b'"a b"')
        + wrapped("stdout", "F", b"}")
        + wrapped("stdout", "F", b"")
    )
    assert drain(Tail(log)) == [b"starting", b'{"id":"a b"}']
    assert drain(Tail(log, streams=["stdout"])) == [b'{"id":"a b"}']


def test_pieces_that_nobody_ends_are_given_up(log: Path):
    """A container that died in the middle of a line does not make the reader hold on to it for ever."""
    log.write_bytes(wrapped("stderr", "P", b"half") + wrapped("stdout", "F", line(1)) * 40)
    tail = Tail(log, longest=1000)
    found = drain(tail)
    assert found.count(b"half") == 1
    assert len(found) == 41
    assert tail.position.places[0].again == tail.position.places[0].read


@st.composite
def containers(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Physical lines of two streams in any order, and the lines that they stand for, in order of their ends."""
    physical, whole, begun = [], [], {"stdout": b"", "stderr": b""}
    for number in range(draw(st.integers(0, 30))):
        stream = draw(st.sampled_from(["stdout", "stderr"]))
        last = draw(st.booleans())
        text = b'{"n":%d %s}' % (number, b"z" * draw(st.integers(0, 40)))
        physical.append(wrapped(stream, "F" if last else "P", text))
        begun[stream] += text
        if last:
            whole.append(begun[stream])
            begun[stream] = b""
    return physical, whole


@given(container=containers(), data=st.data())
def test_pieces_are_joined_wherever_files_and_lives_end(
    tmp_path_factory: pytest.TempPathFactory,
    container: tuple[list[bytes], list[bytes]],
    data: st.DataObject,
):
    """A container's lines are whole across rotations and crashes, with nothing of their text in the position."""
    physical, whole = container
    log = tmp_path_factory.mktemp("log") / "0.log"
    log.write_bytes(b"")
    tail = Tail(log, longest=2000, chunk=2002)
    found: list[bytes] = []
    for number, one in enumerate(physical):
        with log.open("ab") as file:
            file.write(one)
        if data.draw(st.booleans()):
            found += drain(tail)
        if data.draw(st.booleans()):
            tail = again(tail)
        if data.draw(st.integers(0, 5)) == 0:
            log.rename(log.with_name(f"0.log.20261121-{number:06d}"))
            log.write_bytes(b"")
    assert found + drain(again(tail)) == whole


def test_the_position_holds_no_text_of_the_log(log: Path):
    """What is saved of a log are numbers and hashes: no prompt reaches the state file."""
    log.write_bytes(lines(1, 3) + b'{"prompt":"my secret"')
    tail = Tail(log)
    drain(tail)
    kept = repr(tail.position)
    assert isinstance(tail.position, Position)
    assert "secret" not in kept
    assert "r-0001" not in kept
