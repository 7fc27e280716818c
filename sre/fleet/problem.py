"""What a check has to say before it is known where the values stand, and whom it asks for names."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sre.findings import Finding, Severity
from sre.source import Loc, Source


@dataclass(frozen=True)
class Known:
    """Names that the catalogue declares; None where it was not asked.

    ``thresholds`` may be a mapping from name to unit (``ratio``, ``seconds``, ``requests``, ...): then the
    way a limit is written is compared with its unit.
    """

    thresholds: Collection[str] | Mapping[str, str] | None = None
    engines: Collection[str] | None = None
    gpu_exporters: Collection[str] | None = None


@dataclass(frozen=True)
class Problem:
    """A finding that still knows its place as a path into the data."""

    loc: Loc
    what: str
    why: str
    fix: str
    severity: Severity = "error"
    key: bool = False
    reads: tuple[Loc, ...] = ()
    """Other places that it compares with."""

    def at(self, source: Source) -> Finding:
        """The finding, with the file and line of its value."""
        return source.finding(self.loc, self.what, self.why, self.fix, self.severity, key=self.key)


def touches(problem: Problem, mended: Collection[Loc]) -> bool:
    """Whether a problem rests on a value that the user did not write: a stand-in or a default."""
    places = (problem.loc, *problem.reads)
    return any(place[: len(loc)] == loc for place in places for loc in mended)
