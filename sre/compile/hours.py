"""Business hours as recorded series: local time with its daylight saving, from the pinned tzdata, to the end of 2040.

PromQL knows only UTC. The offset to local time is a step function of time, written out switch by switch, so that alerts
and reports share one series and no server needs a time-zone file.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sre.fleet import WEEK, BusinessHours, Fleet

_FIRST = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
_LAST = int(datetime(2041, 1, 1, tzinfo=UTC).timestamp())
_DAY = 86400


def offset_expr(zone: ZoneInfo) -> str:
    """PromQL for the seconds that local time is ahead of UTC. Exact from 2024 to the end of 2040."""
    steps = "".join(
        f" {'+' if change > 0 else '-'} {abs(change)} * (vector(time()) >= bool {at})"
        for at, change in _switches(zone)
    )
    return f"vector({_offset(zone, _FIRST)}){steps}"


def hours_expr(hours: BusinessHours) -> str:
    """PromQL that is 1 in business hours and 0 otherwise, given the recorded offset."""
    local = "(vector(time()) + fleet:utc_offset:seconds)"
    minute = f"(hour({local}) * 60 + minute({local}))"
    # day_of_week counts from Sunday, 0.
    days = " + ".join(f"(day_of_week({local}) == bool {(WEEK.index(day) + 1) % 7})" for day in hours.days)
    free = "".join(f" * (floor({local} / {_DAY}) != bool {_day_number(day)})" for day in hours.holidays)
    return f"({minute} >= bool {hours.start_minute}) * ({minute} < bool {hours.end_minute}) * ({days}){free}"


def expressions(fleet: Fleet) -> dict[str, str]:
    return {
        "fleet:utc_offset:seconds": offset_expr(fleet.zone),
        "fleet:business_hours:state": hours_expr(fleet.business_hours),
    }


def _switches(zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """(UTC second, change of the offset in seconds) of every switch, found by bisection day by day."""
    for start in range(_FIRST, _LAST, _DAY):
        before, after = _offset(zone, start), _offset(zone, start + _DAY)
        if before != after:
            yield _instant(zone, start, start + _DAY), after - before


def _instant(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second with the offset that holds at ``high``."""
    new = _offset(zone, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(zone, middle) == new else (middle, high)
    return high


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
