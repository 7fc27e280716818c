"""A stretch of the past as a command line says it: a duration, or a local date or time."""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import TypeVar

import click

from sre.findings import Finding, Refused
from sre.units import parse_duration

F = TypeVar("F", bound=Callable[..., object])

_OPTIONS = (
    click.option("--since", metavar="TIME", default="7d", show_default=True,
                 help="Where the period begins: a duration back from its end, or a local date or time."),
    click.option("--until", metavar="TIME",
                 help="Where it ends: a duration back from now, or a local date or time."),
)  # fmt: skip
_WRITE = "write a duration back from the end like 7d, or a local date or time like 2026-11-14T08:00"


def period_options(command: F) -> F:
    """Add ``since`` and ``until`` to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def moment(option: str, text: str, before: datetime, zone: tzinfo) -> datetime:
    """The moment that an option names; a duration counts back from ``before``. Raises ``Refused``."""
    try:
        return before - timedelta(seconds=float(parse_duration(text)))
    except (ValueError, OverflowError):
        pass
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Refused([Finding(option, f"{text!r} is neither a duration nor a date",
                               "it says which part of the past is asked about", _WRITE)]) from None  # fmt: skip
    return read if read.tzinfo else read.replace(tzinfo=zone)


def stretch(since: str, until: str | None, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Start and end. Raises ``Refused``, also where the start is not before the end."""
    end = min(moment("--until", until, now, zone), now) if until else now
    start = moment("--since", since, end, zone)
    if start >= end:
        raise Refused([Finding("--since", f"begins at {start:%Y-%m-%d %H:%M}, not before its end {end:%Y-%m-%d %H:%M}",
                               "there is nothing in between", _WRITE)])  # fmt: skip
    return start, end
