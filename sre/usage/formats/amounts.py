"""Numbers and times as gateways write them: as JSON numbers or as text, in several units."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from sre.usage.formats.invalid import Invalid

LARGEST_COUNT = 2**53
"""Beyond it a float, which is what Prometheus adds up in, no longer holds every whole number."""

LONGEST = 1e9
"""Seconds, some thirty years: a longer duration is a date by mistake, and would drown every sum."""

LAST_MOMENT = 253402300799.0
"""The end of the year 9999; in milliseconds it is the year 1978, so that a wrong unit is noticed."""

DIVISORS = {"s": 1.0, "ms": 1e3, "us": 1e6}

Convert = Callable[[Any], float | None]


def number(value: Any) -> int | float:
    """A JSON number or a text that is one. Raises ``Invalid``."""
    if value.__class__ is int or value.__class__ is float:
        return value  # type: ignore[no-any-return]
    if value.__class__ is not str:
        raise Invalid("wrong_type")
    if value.isdecimal() and value.isascii() and len(value) < 20:
        return int(value)
    found = _parsed(value)
    if found is None:
        raise Invalid("wrong_type")
    if not isfinite(found):
        raise Invalid("not_finite")
    return found


def _parsed(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def count(value: Any, absent: frozenset[object]) -> int | None:
    """A whole number of tokens, None where there is none. Raises ``Invalid`` for what cannot be counted."""
    if value in absent:
        return None
    found = number(value)
    if found < 0:
        raise Invalid("negative")
    if found > LARGEST_COUNT:
        raise Invalid("too_large")
    if found != int(found):
        raise Invalid("wrong_type")
    return int(found)


def seconds(unit: str, absent: frozenset[object]) -> Convert:
    """From a duration in ``unit`` to seconds; a negative one is none: a clock was set back, no more."""
    divisor = DIVISORS[unit]

    def convert(value: Any) -> float | None:
        if value in absent:
            return None
        if value.__class__ is not int and value.__class__ is not float:
            value = number(value)
        if value < 0:
            return None
        if value > LONGEST * divisor:
            raise Invalid("too_large")
        return value / divisor  # type: ignore[no-any-return]

    return convert


def moment(unit: str, absent: frozenset[object]) -> Convert:
    """From a moment in ``unit`` to epoch seconds."""
    if unit == "iso":
        return lambda value: None if value in absent else _instant(value)
    divisor = DIVISORS[unit]

    def convert(value: Any) -> float | None:
        if value in absent:
            return None
        return _within(number(value), divisor)

    return convert


def _within(value: int | float, divisor: float) -> float:
    if value < 0:
        raise Invalid("negative")
    if value > LAST_MOMENT * divisor:
        raise Invalid("too_large")
    return value / divisor


def _instant(text: Any) -> float:
    """Epoch seconds of an RFC 3339 time; without an offset it is UTC."""
    if text.__class__ is not str:
        raise Invalid("wrong_type")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None:
        raise Invalid("wrong_type")
    return _within(found.timestamp() if found.tzinfo else found.replace(tzinfo=UTC).timestamp(), 1.0)


def between(unit: str, absent: frozenset[object]) -> Callable[[Any, Any], float | None]:
    """The seconds from one moment to another."""
    convert = moment(unit, absent)

    def span(begin: Any, end: Any) -> float | None:
        first, last = convert(begin), convert(end)
        if first is None or last is None or last < first:
            return None
        return round(last - first, 6)  # digits beyond are what the subtraction leaves

    return span


def first(alternatives: Sequence[tuple[int, Convert]]) -> Callable[[Sequence[Any]], float | None]:
    """The first alternative, as slot and conversion, that gives a number."""
    if len(alternatives) == 1:
        slot, convert = alternatives[0]
        return lambda values: convert(values[slot])

    def choose(values: Sequence[Any]) -> float | None:
        for slot, convert in alternatives:
            found = convert(values[slot])
            if found is not None:
                return found
        return None

    return choose
