"""Limits against their unit: written in another one, or where no reading ever gets to."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sre.fleet.models import Fleet
from sre.fleet.problem import Known, Problem
from sre.source import Loc, show
from sre.units import format_number, parse_duration

_NEVER = "the alert would never fire"
_HIGHEST = {
    "celsius": 120,
    "requests": 1_000_000,
    "starts": 1_000,
    "preemptions_per_second": 100_000,
    "factor": 1_000,
}
"""More than any reading in this unit: a card shuts down before, and an engine runs out of memory."""


def check_limits(fleet: Fleet, written: Any, known: Known) -> Iterator[Problem]:
    """What cannot be meant; ``written`` is the data that ``fleet`` was read from, spelled as the user did."""
    if not isinstance(known.thresholds, Mapping):
        return
    for index, pool in enumerate(fleet.pools):
        for name, limit in pool.thresholds.items():
            loc = ("pools", index, "thresholds", name)
            text = str(written["pools"][index]["thresholds"][name])
            unit = known.thresholds.get(name)
            yield from _spelling(loc, text, unit) or _reach(loc, text, limit, unit)


def _spelling(loc: Loc, text: str, unit: str | None) -> list[Problem]:
    spelled = "ratio" if text.endswith("%") else "seconds" if _is_duration(text) else "number"
    if unit == "seconds" and spelled != "seconds":
        what, fix = "is a time, but has no unit", f"did you mean {text}ms or {text}s?"
    elif unit == "ratio" and spelled == "seconds":
        what, fix = "is a ratio, not a time", "write it like 0.92 or 92%"
    elif unit not in (None, "seconds", "ratio") and spelled != "number":
        what, fix = f"is counted in {str(unit).replace('_', ' ')}", "write a plain number"
    else:
        return []
    return [Problem(loc, f"`{loc[-1]}` {what}: {show(text)}", "the limit would mean something else", fix)]


def _reach(loc: Loc, text: str, limit: Decimal, unit: str | None) -> Iterator[Problem]:
    percent = text.endswith("%")
    what = f"`{loc[-1]}` is {text if percent else format_number(limit)}"
    if unit == "ratio" and limit > 1:
        what += "" if percent else f", which is {format_number(limit * 100)} %"
        why = f"a share never goes above 100 %, so {_NEVER}, or never resolve"
        fix = "write a share like 0.92 or 92%" if percent or limit > 100 else f"did you mean {text}%?"
        yield Problem(loc, what, why, fix)
    elif unit in _HIGHEST and limit > _HIGHEST[unit]:
        highest, counted = format_number(_HIGHEST[unit]), unit.replace("_", " ")
        why = f"no reading in {counted} goes above {highest}, so {_NEVER}"
        yield Problem(loc, what, why, f"write less than {highest}")


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True
