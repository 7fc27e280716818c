"""When a simulated day begins: so many seconds after promtool's first midnight, a Thursday in UTC."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sre.fleet import BusinessHours, Fleet
from sre.fleet.hours import WEEK

_STEP = 900
_WEEK = 7 * 86400
# Rules know the zone's offsets from 2024 on; before, and so in promtool's 1970, they take the first of them.
_OFFSET_OF = datetime(2024, 1, 1, tzinfo=UTC)


def opening(fleet: Fleet, clock: str, before: int, after: int) -> int | None:
    """Seconds at which the history begins, so that the fault's ``after`` seconds lie in the hours that
    ``clock`` names.

    0 for any clock; None where the week has no such hours.
    """
    if clock == "any":
        return 0
    zone = fleet.zone
    for start in range(-(-before // _STEP) * _STEP, _WEEK + before, _STEP):
        times = range(start - 300, start + after + 300, 300)
        if all(_open(fleet.business_hours, zone, at) == (clock == "business") for at in times):
            return start - before
    return None


def _open(hours: BusinessHours, zone: ZoneInfo, at: int) -> bool:
    offset = _OFFSET_OF.astimezone(zone).utcoffset() or timedelta()
    local = datetime.fromtimestamp(at, UTC) + offset
    return (
        WEEK[local.weekday()] in hours.days
        and hours.start_minute <= local.hour * 60 + local.minute < hours.end_minute
    )
