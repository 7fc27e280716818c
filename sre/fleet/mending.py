"""Cuts out what a model objects to, so that the rest of a fleet file can still be read and checked."""

import copy
from typing import Any

from pydantic import ValidationError

from sre.explain import objections, place_of
from sre.source import Loc

_ENTRIES = ("pools", "teams")
_ENGINE = {"kind": "-", "version": "0.0"}
_STAND_INS: dict[tuple[str, ...], Any] = {
    ("version",): 1,
    ("name",): "-",
    ("pools",): [{"name": "-", "engine": _ENGINE}],
    ("pools", "engine"): _ENGINE,
}


def mend(data: Any, error: ValidationError) -> tuple[Any, set[Loc]]:
    """A copy without what is wrong, with stand-ins for what must be there; and the places that differ.

    Places stay valid for the source: entries of lists are replaced or their list is cut, never moved.
    """
    if not isinstance(data, dict):
        return data, set()
    data, touched = copy.deepcopy(data), set[Loc]()
    for detail in objections(error):
        loc = place_of(detail)
        touched.add(_fill(data, loc) if detail["type"] == "missing" else _cut(data, loc))
    return data, touched


def _fill(data: Any, loc: Loc) -> Loc:
    """Put a stand-in at ``loc``, or cut the optional thing that lacks it."""
    words = tuple(part for part in loc if isinstance(part, str))
    if words in _STAND_INS:
        _parent(data, loc)[loc[-1]] = copy.deepcopy(_STAND_INS[words])
    elif len(loc) == 3 and loc[0] in _ENTRIES:
        # No two alike: a stand-in must not count as a duplicate.
        _parent(data, loc)[loc[-1]] = f"-{loc[0]}-{loc[1]}-"
    else:
        return _cut(data, loc[:-1])
    return loc


def _cut(data: Any, loc: Loc) -> Loc:
    for depth, part in enumerate(loc):
        if isinstance(part, int) and not (depth == 1 and loc[0] in _ENTRIES):
            loc = loc[:depth]
            break
    parent = _parent(data, loc)
    last = loc[-1] if loc else None
    if isinstance(parent, list) and isinstance(last, int):
        parent[last] = {}
    elif isinstance(parent, dict):
        parent.pop(last, None)
    return loc


def _parent(data: Any, loc: Loc) -> Any:
    """What holds the value at ``loc``; None where an earlier cut has taken it along."""
    for part in loc[:-1]:
        if isinstance(data, list) and isinstance(part, int):
            data = data[part]
        else:
            data = data.get(part) if isinstance(data, dict) else None
    return data
