"""The period of a report in windows: local hours, the first and the last one cut where it begins and ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sre.fleet import WEEK, BusinessHours, Fleet, Pool

HOUR, MINUTE = 3600, 60


@dataclass(frozen=True, order=True)
class Window:
    """Half-open, in whole seconds of Unix time, on whole minutes."""

    start: int
    end: int

    @property
    def minutes(self) -> int:
        return (self.end - self.start) // MINUTE


def windows(start: int, end: int, zone: ZoneInfo) -> tuple[Window, ...]:
    """The local hours from ``start`` to ``end``: 23, 24 or 25 to a day."""
    return tuple(_windows(start, end, zone))


def _windows(start: int, end: int, zone: ZoneInfo) -> Iterator[Window]:
    while start < end:
        offset = datetime.fromtimestamp(start, zone).utcoffset()
        ahead = int(offset.total_seconds()) if offset else 0
        stop = min(end, ((start + ahead) // HOUR + 1) * HOUR - ahead)
        yield Window(start, stop)
        start = stop


def runs(found: tuple[Window, ...]) -> Iterator[tuple[Window, ...]]:
    """Windows of one length that follow each other: each run is asked for at once."""
    at = 0
    while at < len(found):
        last = at
        while last + 1 < len(found) and found[last + 1].minutes == found[at].minutes:
            last += 1
        yield found[at : last + 1]
        at = last + 1


class Calendar:
    """Which windows lie in business hours, by a pool's own calendar: a batch pool without one never rests."""

    def __init__(self, fleet: Fleet) -> None:
        self._zone, self._hours, self._holidays = (
            fleet.zone,
            fleet.business_hours,
            fleet.business_hours.holidays,
        )

    def is_open(self, pool: Pool | None, window: Window) -> bool:
        """By the first minute of the window."""
        hours = (pool.business_hours if pool else None) or self._hours
        if pool and not pool.interactive and not pool.business_hours:
            return True
        local = datetime.fromtimestamp(window.start, UTC).astimezone(self._zone)
        if local.date() in self._holidays or local.date() in hours.holidays:
            return False
        return _inside(hours, local)


def _inside(hours: BusinessHours, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    return WEEK[local.weekday()] in hours.days and hours.start_minute <= minute < hours.end_minute
