"""Markdown in which names from outside stay names: nothing in them is markup, a table border, HTML or a template."""

import re
from collections.abc import Iterable, Sequence

# An encoded character can never be structure (CommonMark 2.5); letters, digits and what names are made of stay.
_SPECIAL = re.compile(r"[^\w \-./(),;]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_WORD = re.compile(r"(`[A-Za-z0-9_.]+`)")
_LINKED = re.compile(r"(?i)\b(www|https?|ftp)(?=[.:&])")


def plain(text: str) -> str:
    """Text that prints as itself, in a paragraph or a table."""
    encoded = _SPECIAL.sub(lambda m: f"&#{ord(m[0])};", re.sub(r"\s", " ", text))
    # GitHub links a bare www.host: one encoded letter breaks the pattern and prints the same.
    return _LINKED.sub(lambda m: f"&#{ord(m[0][0])};{m[0][1:]}", encoded)


def told(text: str) -> str:
    """A sentence of our own with names from outside in it: single words that we put in backticks stay code."""
    return "".join(part if _WORD.fullmatch(part) else plain(part) for part in _WORD.split(text))


def code(text: str) -> str:
    """Code inside a line, whatever backticks it holds."""
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def block(text: str, language: str) -> list[str]:
    """A fenced code block; its fence is longer than any run of backticks inside."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return [f"{fence}{language}", *text.split("\n"), fence]


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; cells are Markdown already."""
    return [_row(head), "|" + "---|" * len(head), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
