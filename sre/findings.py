"""What a check has to say: collected as data, rendered once, never raised one at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")
Severity = Literal["error", "warning", "info"]

_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to say: what is wrong, where, why it matters and what to do instead.

    ``where`` is ``file:line`` for anything a person wrote, else the name of the thing.
    An ``error`` means that nothing is written; a ``warning`` leaves the exit code at 0.
    """

    where: str
    what: str
    why: str = ""
    fix: str = ""
    severity: Severity = "error"


class Refused(Exception):
    """Input that cannot be used; carries every finding, not only the first."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sort(findings))
        super().__init__("; ".join(f"{f.where}: {f.what}" for f in self.findings))


class Unreachable(Exception):
    """A server that could not be asked, or that answered only in part: nothing was learned from it."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sort(findings))
        super().__init__("; ".join(f"{f.where}: {f.what}" for f in self.findings))


def tried(read: Callable[[], T], findings: list[Finding]) -> T | None:
    """What ``read`` gives; where it refuses, its findings join the others, so that one file hides no other's."""
    try:
        return read()
    except Refused as refused:
        findings += refused.findings
        return None


def sort(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by place; the same findings always in the same order, each once."""
    return sorted(set(findings), key=lambda f: (_RANK[f.severity], _place(f.where), f.what))


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that keep anything from being written."""
    return [f for f in findings if f.severity == "error"]


def _place(where: str) -> tuple[str, int]:
    name, _, line = where.rpartition(":")
    return (name, int(line)) if line.isdecimal() else (where, 0)
