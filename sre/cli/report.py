"""Findings and failures for a person at a terminal: what, where, why it matters, what to do."""

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from sre.findings import Finding, Refused, Unreachable, sort

P = ParamSpec("P")
T = TypeVar("T")

FOUND, BAD_INPUT, UNREACHABLE = 1, 2, 3
"""Exit codes; 0 is clean, warnings included."""

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}


def report(findings: Iterable[Finding]) -> None:
    """Every finding to standard error, errors first."""
    for finding in sort(findings):
        click.echo(_block(finding), err=True)


def _block(finding: Finding) -> str:
    head = click.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
    lines = [f"{click.style(plain(finding.where), bold=True)}: {head}: {plain(finding.what)}"]
    lines += [f"    why: {plain(finding.why)}"] if finding.why else []
    lines += [f"    fix: {plain(finding.fix)}"] if finding.fix else []
    return "\n".join(lines)


def plain(text: str) -> str:
    """Text that came from outside, with nothing in it that a terminal would act on."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def exits(command: Callable[P, T]) -> Callable[P, T]:
    """Let a command raise what it found; the exit code follows from what it was."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except Refused as refused:
            report(refused.findings)
            click.echo(f"{_count(refused.findings)}; nothing was written.", err=True)
            sys.exit(BAD_INPUT)
        except Unreachable as unreachable:
            report(unreachable.findings)
            sys.exit(UNREACHABLE)

    return run


def _count(findings: Iterable[Finding]) -> str:
    number = sum(f.severity == "error" for f in findings)
    return f"{number} error{'' if number == 1 else 's'}"
