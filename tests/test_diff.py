"""The difference that `sre generate --check` shows."""

import difflib
import time

from hypothesis import given
from hypothesis import strategies as st

from sre.diff import SPAN, diff

texts = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=30).map(
    lambda lines: "".join(f"{x}\n" for x in lines)
)


@given(texts, texts)
def test_short_files_are_compared_in_full(old, new):
    """For files of usual length the difference is a patch: applied to the old text, it gives the new one."""
    lines = diff("f", old.encode(), new.encode()).splitlines()
    assert rebuilt(old.splitlines(), lines[2:]) == new.splitlines()


def rebuilt(old: list[str], lines: list[str]) -> list[str]:
    """Apply a unified diff the way `patch` does: by its line numbers, every old line checked."""
    new, at = [], 0
    for line in lines:
        if line.startswith("@@"):
            first, _, count = line.split()[1][1:].partition(",")
            start = int(first) - (count != "0")
            new += old[at:start]
            at = start
        elif line[0] == "+":
            new.append(line[1:])
        else:
            assert old[at] == line[1:]
            new += [line[1:]] if line[0] == " " else []
            at += 1
    return new + old[at:]


def test_line_numbers_deep_in_a_file():
    """A change far down is found at its own line, with its neighbours."""
    old = [f"line {number}" for number in range(1, 9001)]
    new = [*old[:7000], "new", *old[7001:]]
    found = diff("f", "\n".join([*old, ""]).encode(), "\n".join([*new, ""]).encode())
    assert found.splitlines()[2:] == list(difflib.unified_diff(old, new, lineterm=""))[2:]


def test_two_huge_files():
    """Two long files with nothing in common are compared at once, not for minutes."""
    old, new = (b"".join(b"%d-%d\n" % (number, side) for number in range(200_000)) for side in (1, 2))
    start = time.process_time()
    assert diff("f", old, new).endswith("... and more\n")
    assert time.process_time() - start < 10


def test_cut_is_said():
    """A difference beyond what is compared is announced, never silently left out."""
    old = b"x\n" + b"y\n" * SPAN
    assert diff("f", old, b"z\n" + b"y\n" * (SPAN - 1) + b"w\n").endswith("... and more\n")
