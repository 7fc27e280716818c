"""What differs between a file on disk and its generated text: short, quick on any input, safe to print."""

import re
from collections.abc import Sequence
from difflib import unified_diff
from itertools import takewhile

CONTEXT = 3
"""Equal lines shown around a difference."""
LINES, WIDTH = 60, 200
"""How much of one file's difference is shown: lines, and characters of each."""
SPAN = 1000
"""Lines compared, from the first that differs: the time of a comparison grows with their square."""

_HUNK = re.compile(r"@@ -(\d+)(.*) \+(\d+)(.*) @@")


def diff(path: str, found: bytes, wanted: bytes) -> str:
    """Return a unified diff from what was found to what is wanted, cut where it gets long; ends in a newline.

    Characters that a terminal would obey are shown as escapes, bytes that are no UTF-8 as U+FFFD.
    """
    old, new = (_lines(text.decode(errors="replace")) for text in (found, wanted))
    start = max(0, _common(old, new) - CONTEXT)
    rest = min(len(old), len(new)) - start
    tail = max(0, min(_common(old[::-1], new[::-1]), rest) - CONTEXT)
    old, new = old[start : len(old) - tail], new[start : len(new) - tail]
    hunks = unified_diff(
        old[:SPAN], new[:SPAN], f"{path} (on disk)", f"{path} (generated)", lineterm="", n=CONTEXT
    )
    lines = [_moved(line, start) for line in hunks]
    cut = len(lines) > LINES or max(len(old), len(new)) > SPAN
    shown = [line if len(line) <= WIDTH else f"{line[:WIDTH]}..." for line in lines[:LINES]]
    return "\n".join([*shown, "... and more"] if cut else shown) + "\n"


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines are equal from the start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _moved(line: str, start: int) -> str:
    """A hunk's line numbers count from the start of the file, not of the part that was compared."""
    hunk = _HUNK.fullmatch(line)
    if not hunk:
        return line
    return f"@@ -{int(hunk[1]) + start}{hunk[2]} +{int(hunk[3]) + start}{hunk[4]} @@"


def _lines(text: str) -> list[str]:
    lines = ["".join(_shown(character) for character in line) for line in text.split("\n")]
    return lines[:-1] if lines[-1] == "" else [*lines[:-1], f"{lines[-1]} (no newline at the end)"]


def _shown(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
