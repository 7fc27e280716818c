"""From the user's file to a ``Fleet``, or to everything that is wrong with it at once."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sre.explain import explain
from sre.findings import Finding, Refused, errors, sort
from sre.fleet.checks import Known, check
from sre.fleet.models import Fleet
from sre.fleet.paths import resolve
from sre.source import Loc, Place, Source, parse, read

_ROUNDS = 5


def load(
    path: str | Path,
    thresholds: Collection[str] | None = None,
    *,
    engines: Collection[str] | None = None,
    gpu_exporters: Collection[str] | None = None,
) -> tuple[Fleet, list[Finding]]:
    """The fleet in the file, and the warnings about it. Raises ``Refused`` with every error, nothing else.

    ``thresholds``, ``engines`` and ``gpu_exporters`` are the names that the catalogue knows; None accepts any.
    """
    return _load(read(Path(path)), Path(path).parent, Known(thresholds, engines, gpu_exporters))


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
    return _load(parse(name, content), folder, Known(thresholds, engines, gpu_exporters))


def _load(source: Source, folder: Path, known: Known) -> tuple[Fleet, list[Finding]]:
    fleet, rest, findings = _validate(source)
    if fleet:
        fleet, missing = resolve(fleet, folder)
        findings += [problem.at(rest) for problem in (*missing, *check(fleet, known))]
    if not fleet or errors(findings):
        raise Refused(findings)
    return fleet, sort(findings)


def _validate(source: Source) -> tuple[Fleet | None, Source, list[Finding]]:
    """The fleet as far as it can be read, the part of the source that it was read from, and the errors.

    What is wrong is cut out and the rest validated again, so that the checks between values see all that is
    sound: one bad key must not hide a duplicate name.
    """
    findings: list[Finding] = []
    for _ in range(_ROUNDS):
        try:
            return Fleet.model_validate(source.data), source, findings
        except ValidationError as error:
            # Later rounds only miss what was cut out before them.
            findings += [] if findings else explain(error, source, Fleet)
            cuts = {_cut(detail["loc"], detail["type"]) for detail in error.errors(include_url=False)}
            if () in cuts:
                break
            source = Source(source.name, *_without(source.data, source.place, cuts))
    return None, source, findings


def _cut(loc: Loc, kind: str) -> Loc:
    """What to cut out: the bad value, or the whole thing that misses a value."""
    if kind == "missing":
        return loc[:-1]
    return loc[: loc.index("[key]")] if "[key]" in loc else loc


def _without(data: Any, place: Place, cuts: Collection[Loc], loc: Loc = ()) -> tuple[Any, Place]:
    if isinstance(data, Mapping):
        kept: list[tuple[Any, Any]] = [(k, v) for k, v in data.items() if (*loc, k) not in cuts]
        parts = {k: _without(v, place.inside[k], cuts, (*loc, k)) for k, v in kept}
        return {k: v for k, (v, _) in parts.items()}, _moved(place, {k: p for k, (_, p) in parts.items()})
    if isinstance(data, list):
        items = [
            _without(v, place.inside[i], cuts, (*loc, i)) for i, v in enumerate(data) if (*loc, i) not in cuts
        ]
        return [v for v, _ in items], _moved(place, {i: p for i, (_, p) in enumerate(items)})
    return data, place


def _moved(place: Place, inside: Mapping[Any, Place]) -> Place:
    return Place(place.line, place.key, dict(inside))
