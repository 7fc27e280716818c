"""Artefacts onto disk: all of them or none, and a comparison that writes nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Artefact:
    """One file to be written: a relative POSIX path and its whole text (UTF-8, newlines as ``\\n``)."""

    path: str
    text: str
