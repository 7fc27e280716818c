"""Times, ratios and limits in a fleet file: read exactly, refused in words that name the likely meaning."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from sre.explain import objection
from sre.source import show
from sre.units import parse_duration, parse_number, parse_ratio


def _is_amount(value: object) -> bool:
    """What YAML can write an amount as; anything else is left to pydantic's own error."""
    return isinstance(value, str | int | Decimal) and not isinstance(value, bool)


def _seconds(value: Any) -> object:
    if not _is_amount(value):
        return value
    seconds = _read(str(value), parse_duration)
    if seconds is None:
        raise objection(
            f"{show(value)} is not a duration",
            _with_unit(str(value)),
            "without units that are known, it could be milliseconds or minutes",
        )
    if seconds == 0:
        raise objection(
            f"{show(value)} is no time at all", "write more than 0", "nothing is faster than that"
        )
    return seconds


def _with_unit(text: str) -> str:
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return f"did you mean {text}ms or {text}s?"
    if re.fullmatch(r"\d{0,9}\.\d{1,9}", text, re.ASCII):
        return f"did you mean {text}s?"
    return "write numbers with units, the larger first, like 500ms, 2s or 1h30m"


def _interval(value: object) -> object:
    seconds = _seconds(value)
    if isinstance(seconds, Decimal) and seconds % Decimal("0.001"):
        raise objection(f"{show(value)} is finer than a millisecond", "write whole milliseconds")
    return seconds


def _share(value: Any) -> object:
    if not _is_amount(value):
        return value
    ratio = _read(value, parse_ratio)
    if ratio is None or not 0 < ratio <= 1:
        percent = not isinstance(value, str) and ratio is not None and 1 < ratio <= 100
        raise objection(
            f"{show(value)} is not a share of the memory",
            f"did you mean {value}%?" if percent else "write more than 0 and at most 1, like 0.90 or 90%",
            "an engine reserves more than nothing and at most all",
        )
    return ratio


def _threshold(value: Any) -> object:
    if not _is_amount(value):
        return value
    number = _read(value, parse_ratio)
    number = _read(str(value), parse_duration) if number is None else number
    if number is None:
        raise objection(f"{show(value)} is not a limit", "write it like 200, 0.92, 92% or 2m")
    if number < 0:
        why = "no signal goes below zero, so it would always or never fire"
        raise objection(f"{show(value)} is negative", "write 0 or more", why)
    return number


def _bound(value: Any) -> object:
    number = _read(value, parse_number) if _is_amount(value) else value
    if number is None:
        raise objection(f"{show(value)} is not a number", "write the bounds as the engine's flag has them")
    return number


def _read(value: Any, reader: Callable[[Any], Decimal]) -> Decimal | None:
    try:
        return reader(value)
    except ValueError:
        return None


_DURATION = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|[smhdwy]))+$"}
_RATIO = {"type": ["number", "string"], "pattern": r"^[0-9.]+ *%?$"}

Seconds = Annotated[Decimal, BeforeValidator(_seconds), WithJsonSchema(_DURATION)]
"""Seconds, exactly; written with units."""
Interval = Annotated[Decimal, BeforeValidator(_interval), WithJsonSchema(_DURATION)]
"""Seconds in whole milliseconds, so that PromQL can spell them."""
Share = Annotated[Decimal, BeforeValidator(_share), WithJsonSchema(_RATIO)]
"""A ratio in (0, 1]; written 0.90 or 90%."""
Threshold = Annotated[Decimal, BeforeValidator(_threshold), WithJsonSchema({"type": ["number", "string"]})]
"""A limit in its signal's own unit: a count, a ratio (0.92 or 92%) or seconds (2m)."""
Bound = Annotated[Decimal, BeforeValidator(_bound), WithJsonSchema({"type": "number"})]
"""A histogram's bound in the histogram's own unit."""
