"""From finance's file to ``Costs``, or to everything that is wrong with it at once."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sre.explain import explain, objections, place_of
from sre.finance.costs.checks import check
from sre.finance.costs.model import Costs
from sre.findings import Finding, Refused, errors, sort
from sre.source import Loc, Source, parse, read

_STAND_INS: dict[str, Any] = {
    "version": 1,
    "currency": "EUR",
    "gpus": {"-": [{"from": "2000-01-01", "gpus": 0}]},
}
"""For what must be there: what is wrong with one key must not hide what is wrong with another."""


def load(
    path: Path, *, pools: Collection[str] | None = None, teams: Collection[str] | None = None
) -> tuple[Costs, list[Finding]]:
    """The costs in the file, and the warnings about it. Raises ``Refused`` with every error, nothing else.

    ``pools`` and ``teams`` are those of the fleet file; None where there is none to compare with.
    """
    return _load(read(path), pools, teams)


def load_text(
    name: str, content: bytes, *, pools: Collection[str] | None = None, teams: Collection[str] | None = None
) -> tuple[Costs, list[Finding]]:
    """The same for content that is already here; ``name`` is what findings call it."""
    return _load(parse(name, content), pools, teams)


def _load(
    source: Source, pools: Collection[str] | None, teams: Collection[str] | None
) -> tuple[Costs, list[Finding]]:
    costs, cut, findings = _validate(source)
    if costs:
        found = check(costs, source, pools, teams)
        findings += [one for one in found if not _about(one, cut)]
    if costs is None or errors(findings):
        raise Refused(findings)
    return costs, sort(findings)


def _validate(source: Source) -> tuple[Costs | None, set[Loc], list[Finding]]:
    """The costs as far as they can be read, the places that were cut out of them, and the errors."""
    try:
        return Costs.model_validate(source.data), set(), []
    except ValidationError as error:
        findings = explain(error, source, Costs)
        data, cut = _cut(source.data, error)
    try:
        return Costs.model_validate(data), cut, findings
    except ValidationError:
        return None, cut, findings


def _cut(data: Any, error: ValidationError) -> tuple[Any, set[Loc]]:
    """A copy without the keys that are in error, and of `gpus` without the pools that are."""
    if not isinstance(data, dict):
        return data, set()
    kept, cut = dict(data), set[Loc]()
    for detail in objections(error):
        loc = place_of(detail)
        if loc[0] == "gpus" and len(loc) > 1 and isinstance(kept.get("gpus"), dict):
            kept["gpus"] = {pool: entries for pool, entries in kept["gpus"].items() if pool != loc[1]}
            cut.add(loc[:2])
        else:
            kept.pop(str(loc[0]), None)
            cut.add(loc[:1])
    return {**_STAND_INS, **kept, "gpus": kept.get("gpus") or _STAND_INS["gpus"]}, cut


def _about(finding: Finding, cut: set[Loc]) -> bool:
    """Whether a finding may only follow from what was cut out: names that were there are missing now."""
    pools_cut = any(loc[0] == "gpus" for loc in cut)
    return (pools_cut and "pool" in finding.what) or (("invoice",) in cut and "invoice" in finding.what)
