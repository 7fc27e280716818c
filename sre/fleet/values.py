"""The kinds of value that a fleet file holds, each with the check and the words for what is wrong with it."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from sre.source import show, suggest
from sre.units import parse_duration, parse_number, parse_ratio

_LONGEST_NAME = 200
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_URL = re.compile(r"https?://[^\s\"'<>`{}|\\^\[\]]+", re.ASCII)
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)
_RELEASE = re.compile(
    r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[-+.]?[a-zA-Z][-+.\w]*|[-+][-+.\w]*|\.[-+.\w]+)?", re.ASCII
)
DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(y|w|d|h|ms|m|s))+$"


def objection(what: str, why: str, fix: str) -> PydanticCustomError:
    """A validation error that carries all that a finding says; ``sre.explain`` reads it back."""
    return PydanticCustomError("objection", "{what}", {"what": what, "why": why, "fix": fix})


def label_text(text: str) -> str:
    """Any text on one line: quotes, braces, backticks and HTML are text like any other."""
    bad = next((c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _BIDI), None)
    if bad is not None:
        raise objection(
            f"{show(text)} contains the invisible character U+{ord(bad):04X}",
            "it would break or reorder the line of every alert text and log that shows it",
            "write it without line breaks and control characters",
        )
    return text


def name_text(text: str) -> str:
    if not text or text != text.strip():
        raise objection(
            f"{show(text)} is empty or begins or ends with a space",
            "it is compared with label values, which hold no such space",
            "write the name alone",
        )
    if len(text) > _LONGEST_NAME:
        raise objection(
            f"the name has {len(text)} characters",
            f"names become file names and labels; {_LONGEST_NAME} is the limit",
            "write a shorter one",
        )
    return label_text(text)


def release(text: str) -> tuple[int, int, int] | None:
    """(major, minor, patch) of ``0.32.0``, ``v0.11``, ``0.20.2rc1`` or ``0.9.0+cu128``; None where there is none."""
    found = _RELEASE.fullmatch(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def _version(value: object) -> object:
    # `version: 0.32` without quotes is a number in YAML; its digits are still the ones that were written.
    text = str(value) if isinstance(value, Decimal) else value
    if isinstance(text, str) and release(text) is None:
        raise objection(
            f"{show(text)} is not a version",
            "metric names changed between releases, so the release decides what is bound",
            'write the release that runs, like "0.32.0"',
        )
    return text


def _duration(value: object) -> object:
    if isinstance(value, str):
        try:
            seconds = parse_duration(value)
        except ValueError:
            raise _no_duration(value, _unit_for(value)) from None
        if seconds == 0:
            raise objection(
                f"{show(value)} is no time at all", "nothing can be faster than that", "write more than 0"
            )
        return seconds
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        raise _no_duration(value, f"write a unit: did you mean {value}ms or {value}s?")
    return value


def _unit_for(text: str) -> str:
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return f"write a unit: did you mean {text}ms or {text}s?"
    return "write numbers with units, large to small, like 500ms, 2s or 1h30m"


def _no_duration(value: object, fix: str) -> PydanticCustomError:
    return objection(
        f"{show(value)} is not a duration", "without a unit it could be milliseconds or seconds", fix
    )


def _budget(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return value
    try:
        ratio = parse_ratio(value)
    except ValueError:
        raise objection(f"{show(value)} is not a ratio", "", "write 0.90 or 90%") from None
    if not 0 < ratio <= 1:
        guess = (
            f"did you mean {value}%?" if 1 < ratio <= 100 else "write a ratio above 0 and up to 1, like 0.90"
        )
        raise objection(
            f"{show(value)} is not a share of the memory",
            "an engine reserves more than nothing and at most all",
            guess,
        )
    return ratio


def _threshold(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return value
    number = _first_that_reads(value, parse_ratio, parse_duration)
    if number is None:
        raise objection(
            f"{show(value)} is not a threshold",
            "signals are counts, ratios or times",
            "write 200, 0.92, 92% or 2m",
        )
    if number < 0:
        raise objection(
            f"{show(value)} is negative", "no signal goes below zero: it would always fire", "write 0 or more"
        )
    return number


def _first_that_reads(value: str | int | Decimal, *readers: Callable[[Any], Decimal]) -> Decimal | None:
    for read in readers:
        try:
            return read(value)
        except (ValueError, TypeError):
            continue
    return None


def _bound(value: object) -> object:
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            return parse_number(value)
        except ValueError:
            raise objection(
                f"{show(value)} is not a number", "", "write the bound as the engine's flag does"
            ) from None
    return value


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise objection(
            f"{show(text)} is not a web address",
            "it becomes a link in every alert",
            "write https://host/path",
        )
    return text.rstrip("/")


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise objection(
            f"{show(text)} is not a time of day",
            "business hours are compared to the minute",
            'write "08:00" to "24:00"',
        )
    return text


def _date(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise objection(f"{show(value)} is not a date", "", "write 2026-12-25") from None
    return value


def _zone(text: str) -> str:
    if text not in zones():
        raise objection(
            f"the time zone {show(text)} is not known",
            "business hours, daylight saving and billing months follow it",
            suggest(text, zones()) if len(text) > 3 else "write an IANA name like Europe/Berlin",
        )
    return text


@cache
def zones() -> frozenset[str]:
    """IANA names of the pinned tzdata package: the machine's own zone files are never asked."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def zone_info(name: str) -> ZoneInfo:
    """The zone's rules from the pinned tzdata package. ``name`` must be one of ``zones()``."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


_RATIO_SCHEMA = {"type": ["number", "string"], "pattern": r"^[0-9.]+ *%?$"}

Text = Annotated[str, AfterValidator(label_text)]
Name = Annotated[str, AfterValidator(name_text)]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
Count = Annotated[int, Strict(), Field(ge=1, le=1_000_000)]
Whole = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
Flag = Annotated[bool, Strict()]
Url = Annotated[str, AfterValidator(_url), Field(json_schema_extra={"format": "uri"})]
Clock = Annotated[str, AfterValidator(_clock)]
Day = Annotated[date, BeforeValidator(_date)]
Zone = Annotated[str, AfterValidator(_zone)]
Version = Annotated[str, BeforeValidator(_version), WithJsonSchema({"type": ["string", "number"]})]
FilePath = Annotated[Path, WithJsonSchema({"type": "string"})]
Seconds = Annotated[
    Decimal, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})
]
"""Seconds, exactly; written with units."""
Share = Annotated[Decimal, BeforeValidator(_budget), WithJsonSchema(_RATIO_SCHEMA)]
"""A ratio in (0, 1]; 0.90 or 90%."""
Threshold = Annotated[Decimal, BeforeValidator(_threshold), WithJsonSchema({"type": ["number", "string"]})]
"""A limit in its signal's own unit: a count, a ratio (0.92 or 92%) or seconds (2m)."""
Bound = Annotated[Decimal, BeforeValidator(_bound), WithJsonSchema({"type": "number"})]
