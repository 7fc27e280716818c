"""Findings and failures for a person at a terminal: what, where, why it matters, what to do."""

import sys
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from sre.cli.alike import FULL, Alike, group
from sre.cli.ending import ended_by_output
from sre.compile.counted import count, few
from sre.findings import Finding, Refused, Unreachable, errors

P = ParamSpec("P")
T = TypeVar("T")

FOUND, BAD_INPUT, UNREACHABLE = 1, 2, 3
"""Exit codes; 0 is clean, warnings included. Those of a run that cannot go on are in `ending`."""

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}


def report(findings: Iterable[Finding], pools: Collection[str] = ()) -> None:
    """To standard error, errors first. All errors in full; of what many pools have alike, one and the places."""
    for alike in group(findings, pools):
        click.echo(_block(alike), err=True)


def _block(alike: Alike) -> str:
    finding = alike.first
    head = click.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
    lines = [f"{click.style(plain(finding.where), bold=True)}: {head}: {plain(finding.what)}"]
    lines += [f"    why: {plain(finding.why)}"] if finding.why else []
    lines += [f"    fix: {plain(finding.fix)}"] if finding.fix else []
    if alike.others:
        lines.append(f"    like it, but for names and numbers: {plain(few(alike.others, FULL, 'place'))}")
    return "\n".join(lines)


def plain(text: str) -> str:
    """Text that came from outside, with nothing in it that a terminal would act on."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def exits(command: Callable[P, T]) -> Callable[P, T]:
    """Let a command raise what it found; the exit code follows from what it was."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with ended_by_output():
            try:
                return command(*args, **kwargs)
            except Refused as refused:
                report(refused.findings)
                click.echo(f"{count(len(errors(refused.findings)), 'error')}{_unchanged()}.", err=True)
                sys.exit(BAD_INPUT)
            except Unreachable as unreachable:
                report(unreachable.findings)
                sys.exit(UNREACHABLE)

    return run


def _unchanged() -> str:
    """Said by commands that would have written; the others have nothing to reassure about."""
    writes = any(parameter.name == "output" for parameter in click.get_current_context().command.params)
    return "; nothing was written" if writes else ""
