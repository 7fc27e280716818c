"""Findings that say the same of many pools: the first in full, the others by their place."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sre.findings import Finding, sort

FULL = 3
"""So many that are alike are all written out."""

_WORD = re.compile(r"[^\s,;:()'\"`]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class Alike:
    """A finding, and the places of those that differ from it in nothing but names of pools and numbers."""

    first: Finding
    others: tuple[str, ...] = ()


def group(findings: Iterable[Finding], pools: Collection[str] = ()) -> list[Alike]:
    """All findings, errors first; only what is no error is ever grouped."""
    names, groups = frozenset(pools), dict[tuple[str, ...], list[Finding]]()
    for finding in sort(findings):
        groups.setdefault(_key(finding, names), []).append(finding)
    return [one for alike in groups.values() for one in _folded(alike)]


def _folded(alike: list[Finding]) -> list[Alike]:
    if len(alike) <= FULL:
        return [Alike(finding) for finding in alike]
    return [Alike(alike[0], tuple(finding.where for finding in alike[1:]))]


def _key(finding: Finding, pools: frozenset[str]) -> tuple[str, ...]:
    if finding.severity == "error":
        return (finding.severity, finding.where, finding.what, finding.why, finding.fix)
    words = (_masked(text, pools) for text in (finding.what, finding.why, finding.fix))
    return (finding.severity, *words)


def _masked(text: str, pools: frozenset[str]) -> str:
    return _NUMBER.sub("#", _WORD.sub(lambda word: "#" if word[0] in pools else word[0], text))
