"""The period of a report in windows: local hours, cut where the period or business hours begin and end."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sre.fleet import WEEK, BusinessHours, Fleet, Pool

DAY, HOUR, MINUTE = 86_400, 3600, 60


@dataclass(frozen=True, order=True)
class Window:
    """Half-open, in whole seconds of Unix time, on whole minutes."""

    start: int
    end: int

    @property
    def minutes(self) -> int:
        return (self.end - self.start) // MINUTE


def windows(start: int, end: int, zone: ZoneInfo, cuts: Collection[int] = ()) -> tuple[Window, ...]:
    """The local hours from ``start`` to ``end``: 23, 24 or 25 to a day; an hour is cut at such minutes of the day."""
    return tuple(_windows(start, end, zone, cuts))


def _windows(start: int, end: int, zone: ZoneInfo, cuts: Collection[int]) -> Iterator[Window]:
    while start < end:
        offset = datetime.fromtimestamp(start, zone).utcoffset()
        local = start + (int(offset.total_seconds()) if offset else 0)
        ends = [(local // HOUR + 1) * HOUR, *(local // DAY * DAY + cut * MINUTE for cut in cuts)]
        stop = min(end, start - local + min(one for one in ends if one > local))
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
        self._all = [self._hours, *(pool.business_hours for pool in fleet.pools if pool.business_hours)]

    @property
    def cuts(self) -> frozenset[int]:
        """Minutes of a day, within its hours, at which business hours of the fleet or a pool begin or end."""
        return frozenset(
            minute for one in self._all for minute in (one.start_minute, one.end_minute) if minute % 60
        )

    def is_open(self, pool: Pool | None, window: Window) -> bool:
        """By the first minute of a window: none reaches over a beginning or an end, where it is cut at ``cuts``."""
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
