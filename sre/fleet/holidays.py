"""Days without business hours out of an iCalendar file, as calendar programs and public holiday sites write it.

Read are whole days of VEVENTs: DTSTART as a date, DTEND (the first day after) or a DURATION in days and weeks, a yearly
RRULE on the same date (with UNTIL, COUNT or INTERVAL) and EXDATE; what is cancelled is left out. An event at a time of
day is no holiday. Another recurrence is refused by name: nobody would notice a holiday in the wrong year.
Form: RFC 5545.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

FIRST, LAST = date(2024, 1, 1), date(2040, 12, 31)
"""Business hours are compiled for these years."""
MOST_BYTES = 4 << 20

_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_DURATION = re.compile(r"P(?:(\d{1,3})W)?(?:(\d{1,3})D)?", re.ASCII)
_LONGEST = 366


class Unreadable(Exception):
    """What is wrong with the file, and what to do."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


@dataclass
class _Event:
    line: int
    values: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    left_out: list[date] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.values.get("SUMMARY", "an event without a summary")


def holidays(text: str) -> tuple[date, ...]:
    """All days, sorted. Raises ``Unreadable``."""
    if "BEGIN:VCALENDAR" not in text.upper():
        raise Unreadable("is no iCalendar file", "export the calendar as iCalendar (.ics)")
    days = {day for event in _events(text) for day in _days(event)}
    return tuple(sorted(day for day in days if FIRST <= day <= LAST))


def _events(text: str) -> Iterator[_Event]:
    event: _Event | None = None
    for number, line in _unfolded(text):
        head, _, value = line.partition(":")
        name, *parameters = head.upper().split(";")
        if (name, value.strip().upper()) == ("BEGIN", "VEVENT"):
            event = _Event(number)
        elif (name, value.strip().upper()) == ("END", "VEVENT") and event:
            yield event
            event = None
        elif event and name == "EXDATE":
            event.left_out += [_date(one, event) for one in value.split(",") if one.strip()]
        elif event:
            event.values.setdefault(name, value.strip())
            event.kinds.setdefault(name, ";".join(parameters))


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; one that begins with a blank goes on from the line before."""
    held, at = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line[:1] in (" ", "\t"):
            held += line[1:]
            continue
        if held:
            yield at, held
        held, at = line, number
    if held:
        yield at, held


def _days(event: _Event) -> Iterable[date]:
    start = event.values.get("DTSTART", "")
    if event.values.get("STATUS", "").upper() == "CANCELLED" or "T" in start.upper():
        return
    first = _date(start, event)
    length = _length(first, event)
    for begin in _begins(first, event):
        if begin not in event.left_out:
            yield from (begin + timedelta(days=day) for day in range(length))


def _length(first: date, event: _Event) -> int:
    if end := event.values.get("DTEND"):
        days = (_date(end, event) - first).days
    elif duration := event.values.get("DURATION"):
        found = _DURATION.fullmatch(duration.upper())
        days = 7 * int(found[1] or 0) + int(found[2] or 0) if found else 0
    else:
        days = 1
    if not 1 <= days <= _LONGEST:
        raise _wrong(event, "does not end after it begins, or lasts longer than a year", "correct its end")
    return days


def _begins(first: date, event: _Event) -> Iterator[date]:
    rule = event.values.get("RRULE")
    if not rule:
        yield first
        return
    parts = dict(part.upper().split("=", 1) for part in rule.split(";") if "=" in part)
    if not _is_yearly(parts, first):
        raise _wrong(event, f"comes again in another way than each year on its date: {rule}",
                     "write its dates under `business_hours.holidays`")  # fmt: skip
    until = _date(parts["UNTIL"][:8], event) if "UNTIL" in parts else LAST
    step, left = int(parts.get("INTERVAL", 1)), int(parts.get("COUNT", LAST.year))
    for year in range(first.year, min(until, LAST).year + 1, step):
        try:
            day = first.replace(year=year)
        except ValueError:
            continue  # 29 February
        if day > until or not left:
            return
        left -= 1
        yield day


def _is_yearly(parts: dict[str, str], first: date) -> bool:
    same = {"BYMONTH": str(first.month), "BYMONTHDAY": str(first.day)}
    numbers = all(
        parts.get(name, "1").isdecimal() and int(parts.get(name, "1")) for name in ("INTERVAL", "COUNT")
    )
    others = set(parts) - {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
    return parts.get("FREQ") == "YEARLY" and numbers and all(same.get(name) == parts[name] for name in others)


def _date(text: str, event: _Event) -> date:
    found = _DATE.fullmatch(text.strip()[:8])
    try:
        return date(*map(int, found.groups())) if found else date.min.replace(year=0)
    except ValueError:
        raise _wrong(event, f"has {text.strip()!r} for a date", "write it like 20261225") from None


def _wrong(event: _Event, what: str, fix: str) -> Unreadable:
    return Unreadable(f"line {event.line}, {event.name[:80]!r}: {what}", fix)
