"""Traces of real requests: when each was asked, with how many tokens, and how many came back.

Two formats: CSV with TIMESTAMP,ContextTokens,GeneratedTokens (Azure's LLM inference traces) and JSON Lines with
timestamp in milliseconds, input_length and output_length (Mooncake's). https://github.com/Azure/AzurePublicDataset,
https://github.com/kvcache-ai/Mooncake
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

from sre.findings import Finding, Refused
from sre.source import show

MOST = 1_000_000
"""Tokens that no prompt and no reply exceeds."""
HOLE = 600.0
"""Seconds without any request that are a hole in a trace and no quiet moment: the recording stood still."""

_CSV = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_JSON = ("timestamp", "input_length", "output_length")
_WHY = "a replay would show a demand that nobody ever had"
_TOLD = 50
"""Findings that are told; a file with more of them is wrong as a whole."""


class Asked(NamedTuple):
    """One request of a trace, ``second`` seconds after its first."""

    second: float
    prompt: int
    reply: int


class _Bad(Exception):
    """A line that cannot be used: what is wrong, and what to write instead."""


def read_trace(name: str, lines: Iterable[str]) -> tuple[Asked, ...]:
    """The requests of a trace, in order; ``name`` is what findings call the file.

    Raises ``Refused`` with everything that is wrong in it.
    """
    rows, findings, last = list[Asked](), list[Finding](), None
    for number, parsed in _parsed(lines):
        found, problem = parsed, ""
        if isinstance(parsed, Asked) and last is not None:
            problem = _gap(parsed.second - last)
        if isinstance(found, _Bad) or problem:
            what, fix = found.args if isinstance(found, _Bad) else (problem, _MEND)
            findings.append(Finding(f"{name}:{number}", what, _WHY, fix))
        if isinstance(parsed, Asked):
            rows.append(parsed)
            last = parsed.second
    if not rows and not findings:
        findings.append(Finding(f"{name}:1", "the trace holds no request", "nothing would arrive", _FORMS))
    if findings:
        raise Refused(_cut(name, findings))
    return tuple(row._replace(second=row.second - rows[0].second) for row in rows)


def length(asked: tuple[Asked, ...]) -> float:
    """Seconds after which a trace begins again: its span and one usual gap more."""
    span = asked[-1].second
    return span + (span / (len(asked) - 1) if span else 1.0)


_MEND = "sort the file by time, and cut it where the recording stood still"
_FORMS = f"give CSV with the columns {','.join(_CSV)}, or JSON Lines with {', '.join(_JSON)}"


def _gap(seconds: float) -> str:
    if seconds < 0:
        return f"out of order: {-seconds:g} s before the line above"
    return f"a hole: {seconds:g} s without any request" if seconds > HOLE else ""


def _cut(name: str, findings: list[Finding]) -> list[Finding]:
    more = len(findings) - _TOLD
    if more <= 0:
        return findings
    what = f"{more} more lines are wrong in the same ways"
    return [*findings[:_TOLD], Finding(name, what, _WHY, "mend what is told above first")]


def _parsed(lines: Iterable[str]) -> Iterator[tuple[int, Asked | _Bad]]:
    """Every line that says something, by its number: the request, or what is wrong with it."""
    rows = ((number, line.strip()) for number, line in enumerate(lines, 1))
    told: Iterator[tuple[int, str]] = (row for row in rows if row[1])
    head = next(told, None)
    if head is None:
        return
    read: Callable[[str], Asked] = _from_json
    if not head[1].startswith("{"):
        try:
            columns = _cells(head[1].removeprefix("\ufeff"))
        except _Bad:
            columns = []
        if missing := [name for name in _CSV if name not in columns]:
            yield head[0], _Bad(f"no column {', '.join(missing)}", _FORMS)
            return
        read = _csv_reader(columns)
    else:
        told = chain([head], told)
    for number, line in told:
        try:
            yield number, read(line)
        except _Bad as bad:
            yield number, bad


def _csv_reader(columns: list[str]) -> Callable[[str], Asked]:
    places = [columns.index(name) for name in _CSV]

    def read(line: str) -> Asked:
        cells = _cells(line)
        if len(cells) != len(columns):
            raise _Bad(f"{len(cells)} columns instead of {len(columns)}", "write one request a line")
        moment, prompt, reply = (cells[place].strip() for place in places)
        return Asked(_moment(moment), _tokens(_CSV[1], prompt, 1), _tokens(_CSV[2], reply, 0))

    return read


def _from_json(line: str) -> Asked:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise _Bad("no JSON object", "write one object a line") from None
    if not isinstance(row, dict):
        raise _Bad("no JSON object", "write one object a line")
    if missing := [name for name in _JSON if name not in row]:
        raise _Bad(f"no {', '.join(missing)}", "every request has a time and two lengths")
    moment = row[_JSON[0]]
    if isinstance(moment, bool) or not isinstance(moment, int | float) or not abs(moment) < 1e15:
        raise _Bad(f"timestamp {show(moment)} is no number of milliseconds", "write one like 1500")
    return Asked(moment / 1000, _tokens(_JSON[1], row[_JSON[1]], 1), _tokens(_JSON[2], row[_JSON[2]], 0))


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]))
    except csv.Error as error:
        raise _Bad(f"no line of CSV: {error}", "write one request a line") from None


def _moment(text: str) -> float:
    """Seconds of a time like 2023-11-16 18:17:03.9799600; one that names no zone is in UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise _Bad(f"{show(text)} is no time", "write it like 2023-11-16 18:17:03.979") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _tokens(name: str, value: object, least: int) -> int:
    try:
        # Python would take `1_000` as well.
        number = int(value) if isinstance(value, str) and "_" not in value else value
    except ValueError:
        number = value
    if isinstance(number, bool) or not isinstance(number, int):
        raise _Bad(f"{name} {show(value)} is no whole number", "write the number of tokens")
    if not least <= number <= MOST:
        raise _Bad(f"{name} of {show(number)} tokens", f"write {least} to {MOST}")
    return number
