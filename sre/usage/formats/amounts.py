"""Numbers and times as gateways write them: as JSON numbers or as text, in several units."""

from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite, nan
from typing import Any, Literal

from sre.usage.formats.invalid import Invalid

LARGEST_COUNT = 2**53
"""Beyond it a float, which is what Prometheus adds up in, no longer holds every whole number."""

LONGEST = 1e9
"""Seconds, some thirty years: a longer duration is a date by mistake, and would drown every sum."""

LAST_MOMENT = 253402300799.0
"""The end of the year 9999; in milliseconds it is the year 1978, so that a wrong unit is noticed."""

Unit = Literal["s", "ms", "us"]
Clock = Literal["s", "ms", "us", "iso"]
DIVISORS: dict[Unit, float] = {"s": 1.0, "ms": 1e3, "us": 1e6}

_parse = datetime.fromisoformat


def number(value: Any, *, text: bool) -> int | float:
    """A JSON number or, where ``text`` may be one, text that is. Raises ``Invalid``."""
    if value.__class__ is int or value.__class__ is float:
        return value
    found = _parsed(value) if text and value.__class__ is str else None
    if found is None:
        raise Invalid("wrong_type")
    if not isfinite(found):
        raise Invalid("not_finite")
    return found


def _parsed(text: str) -> int | float | None:
    if text.isdecimal() and text.isascii() and len(text) < 20:
        return int(text)
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def counter(*, text: bool) -> Callable[[Any], int]:
    """From a field to a whole number of tokens. The function raises ``Invalid``."""

    def count(value: Any) -> int:
        found = number(value, text=text)
        if found > LARGEST_COUNT:
            raise Invalid("too_large")
        if found != int(found):
            raise Invalid("wrong_type")
        return int(found)

    return count


def seconds(unit: Unit, *, text: bool) -> Callable[[Any], float | None]:
    """From a duration in ``unit`` to seconds; a negative one is none: a clock was set back, no more."""
    divisor = DIVISORS[unit]

    def convert(value: Any) -> float | None:
        found = number(value, text=text)
        if found > LONGEST * divisor:
            raise Invalid("too_large")
        return None if found < 0 else found / divisor

    return convert


def moment(unit: Clock, *, text: bool) -> Callable[[Any], float]:
    """From a moment in ``unit`` to epoch seconds. The function raises ``Invalid``."""
    if unit == "iso":
        return _instant
    divisor = DIVISORS[unit]

    def convert(value: Any) -> float:
        found = number(value, text=text)
        if found < 0:
            raise Invalid("negative")
        if found > LAST_MOMENT * divisor:
            raise Invalid("too_large")
        return found / divisor

    return convert


def _instant(text: Any) -> float:
    """Epoch seconds of an RFC 3339 time; without an offset it is UTC."""
    try:
        found = _parse(text)
        time = found.timestamp() if found.tzinfo else found.replace(tzinfo=UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        time = nan
    # Raised out here it has no context: that error knows the text.
    if time >= 0:
        return time
    raise Invalid("negative" if time < 0 else "wrong_type")


def between(unit: Unit, absent: frozenset[object], *, text: bool) -> Callable[[Any, Any], float | None]:
    """From two moments to the seconds between them."""
    convert = moment(unit, text=text)

    def span(begin: Any, end: Any) -> float | None:
        if begin in absent or end in absent:
            return None
        elapsed = convert(end) - convert(begin)
        # Digits beyond microseconds are what the subtraction leaves.
        return None if elapsed < 0 else round(elapsed, 6)

    return span
