"""Times, numbers, units and names in content: read exactly, refused in words that say what belongs there."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sre import promql
from sre.explain import objection
from sre.fleet.values import release
from sre.source import show, suggest
from sre.units import parse_duration, parse_number, parse_ratio

MEASURES = (
    "bitmask", "boolean", "bytes", "celsius", "code", "factor", "info", "megabytes_per_second", "megabytes_per_token",
    "preemptions_per_second", "ratio", "requests_per_second", "seconds", "timestamp", "timestamp_ms",
    "tokens_per_second", "watts",
)  # fmt: skip
"""Units that are shown in a way of their own, or never shown."""

COUNTED = (
    "alerts", "cards", "errors", "evaluations", "events", "preemptions", "replicas", "requests", "rows", "samples",
    "signals", "starts", "steps", "tokens",
)  # fmt: skip
"""Whole things, shown as plain numbers."""

_LONGEST = 7 * 86400
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)


def _is_amount(value: object) -> bool:
    """What YAML can write an amount as; anything else is left to pydantic's own error."""
    return isinstance(value, str | int | Decimal) and not isinstance(value, bool)


def _read(value: Any, reader: Callable[[Any], Decimal]) -> Decimal | None:
    try:
        return reader(value)
    except ValueError:
        return None


def _seconds(value: Any) -> object:
    if isinstance(value, bool):
        # To pydantic it is the number 1 or 0.
        raise objection(f"{show(value)} is not a duration", "write it like 30s, 5m or 1h30m")
    if not _is_amount(value):
        return value
    seconds = Decimal(0) if value == 0 else _read(str(value), parse_duration)
    if seconds is None:
        number = _DIGITS.fullmatch(str(value))
        fix = f"did you mean {value}s or {value}m?" if number else "write it like 30s, 5m or 1h30m"
        raise objection(f"{show(value)} is not a duration", fix)
    if seconds > _LONGEST or seconds % 1:
        raise objection(f"{show(value)} is no time to wait for", "write whole seconds, a week at most")
    return int(seconds)


def _number(value: Any) -> object:
    """Base units from `500ms`, `92%`, `0.1` or `50`."""
    if not _is_amount(value):
        return value
    text = str(value)
    duration = re.search(r"[a-z]$", text)
    number = _read(text, parse_duration) if duration else _read(value, parse_ratio)
    if number is None:
        raise objection(f"{show(value)} is not a number", "write it like 50, 0.9, 92% or 500ms")
    return number


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _unit(name: str) -> str:
    known = (*MEASURES, *COUNTED)
    if name not in known:
        why = "every number is written with its unit, and one that nobody knows would be written bare"
        raise objection(f"{show(name)} is no unit", suggest(name, known), why)
    return name


def _release(text: str) -> str:
    if text != "0" and release(text) is None:
        why = "releases are compared, and what cannot be read counts as older than all"
        raise objection(f"{show(text)} is not a version", 'write it like "0.32.0"', why)
    return text


def _metric(name: str) -> str:
    if not _METRIC.fullmatch(name):
        raise objection(f"{show(name)} is no name of a metric", "write it as the exporter prints it")
    return name


def _matchers(text: str) -> str:
    if promql.check(f"metric{{{text}}}"):
        fix = 'write them as they stand between braces, like handler="/v1/x", code!="200"'
        raise objection(f"{show(text)} are no matchers", fix)
    return text


def _scale(text: str) -> str:
    number = _read(text, parse_number)
    if not number:
        raise objection(f"{show(text)} is nothing to multiply with", "write a number, like 0.01")
    return text


Seconds = Annotated[int, BeforeValidator(_seconds)]
"""Whole seconds, written with units."""
Number = Annotated[Decimal, BeforeValidator(_number)]
"""A number in base units: `500ms` are 0.5, `92%` are 0.92."""
Text = Annotated[str, BeforeValidator(_text)]
"""Text that YAML may take for a number."""
Line = Annotated[str, Field(min_length=1)]
"""Text that is there."""
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
Unit = Annotated[str, AfterValidator(_unit)]
Release = Annotated[Text, AfterValidator(_release)]
Metric = Annotated[str, AfterValidator(_metric)]
Matchers = Annotated[str, AfterValidator(_matchers)]
Scale = Annotated[Text, AfterValidator(_scale)]


class Entry(BaseModel):
    """An entry of the catalogue: read once, never changed, and nothing in it that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
