"""From the user's file to a ``Fleet``, or to everything that is wrong with it at once."""

from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from sre.explain import explain
from sre.findings import Finding, Refused, errors, sort
from sre.fleet.checks import check
from sre.fleet.limit_checks import check_limits
from sre.fleet.mending import mend
from sre.fleet.models import Fleet
from sre.fleet.paths import resolve
from sre.fleet.problem import Known, Problem, touches
from sre.fleet.reading import Reading
from sre.source import Loc, Source, parse, read

_ROUNDS = 6
"""A value at the deepest place is cut out, then what misses it, up to what a stand-in can replace."""


def load(
    path: str | Path,
    thresholds: Collection[str] | None = None,
    *,
    engines: Collection[str] | None = None,
    gpu_exporters: Collection[str] | None = None,
) -> tuple[Fleet, list[Finding]]:
    """The fleet in the file, and the warnings about it. Raises ``Refused`` with every error, nothing else.

    ``thresholds``, ``engines`` and ``gpu_exporters`` are the catalogue's names; None accepts any.
    Thresholds as a mapping from name to unit let the units be checked too.
    """
    return load_source(read(Path(path)), Path(path).parent, Known(thresholds, engines, gpu_exporters))


def load_text(
    name: str,
    content: bytes,
    folder: Path,
    thresholds: Collection[str] | None = None,
    *,
    engines: Collection[str] | None = None,
    gpu_exporters: Collection[str] | None = None,
) -> tuple[Fleet, list[Finding]]:
    """The same for content that is already here; paths inside it start at ``folder``."""
    return load_source(parse(name, content), folder, Known(thresholds, engines, gpu_exporters))


def load_source(source: Source, folder: Path, known: Known) -> tuple[Fleet, list[Finding]]:
    """The same for YAML that is parsed already."""
    reading = read_fleet(source, folder, known)
    if not reading.fleet or errors(reading.findings):
        raise Refused(reading.findings)
    return reading.fleet, sort(reading.findings)


def read_fleet(source: Source, folder: Path, known: Known) -> Reading:
    """The same without refusing anything: what could be read, and all that is to be said about it."""
    fleet, data, mended, findings = _validate(source)
    problems = list[Problem]()
    if fleet:
        fleet, missing = resolve(fleet, folder)
        problems = [*missing, *check(fleet, known), *check_limits(fleet, data, known)]
        problems = [problem for problem in problems if not touches(problem, mended)]
    doubtful = mended | {problem.loc for problem in problems if problem.severity == "error"}
    findings += [problem.at(source) for problem in problems]
    return Reading(fleet, tuple(findings), frozenset(doubtful))


def _validate(source: Source) -> tuple[Fleet | None, object, set[Loc], list[Finding]]:
    """The fleet as far as it can be read, the data that it was read from, what was mended in it, the errors.

    What is wrong is mended and the rest validated again, so that the checks between values see all that is
    sound: one bad key must not hide a duplicate name.
    """
    data, mended, findings = source.data, set[Loc](), list[Finding]()
    for _ in range(_ROUNDS):
        try:
            return Fleet.model_validate(data), data, mended, findings
        except ValidationError as error:
            # Later rounds miss only what earlier ones cut out.
            findings = findings or explain(error, source, Fleet)
            data, touched = mend(data, error)
            mended |= touched
    return None, data, mended, findings
