"""A billing month: its boundaries in the finance time zone, as half-open UTC instants, and its real hours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sre.fleet.hours import zone_info

_MONTH = re.compile(r"2\d{3}-(?:0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, order=True)
class Month:
    """``2026-10`` in a time zone of the pinned tzdata package; daylight saving makes it 743 to 745 hours."""

    name: str
    timezone: str

    @property
    def first(self) -> date:
        """Its first day."""
        return date.fromisoformat(f"{self.name}-01")

    @property
    def next(self) -> "Month":
        """The month after it."""
        return Month(f"{(self.first + timedelta(days=31)):%Y-%m}", self.timezone)

    @property
    def before(self) -> "Month":
        """The month before it."""
        return Month(f"{(self.first - timedelta(days=1)):%Y-%m}", self.timezone)

    @property
    def start(self) -> datetime:
        """The first instant that belongs to it, in UTC."""
        return midnight(self.first, self.timezone)

    @property
    def end(self) -> datetime:
        """The first instant that no longer belongs to it, in UTC."""
        return self.next.start

    @property
    def seconds(self) -> int:
        """Its real length."""
        return round((self.end - self.start).total_seconds())

    def within(self, since: date, until: date | None) -> int:
        """Seconds of the month from midnight of one day until that of another; without an end, to its own."""
        start = max(self.start, midnight(since, self.timezone))
        end = min(self.end, midnight(until, self.timezone)) if until else self.end
        return max(0, round((end - start).total_seconds()))

    def days(self) -> Iterator[tuple[datetime, datetime]]:
        """Its local days as half-open UTC instants: 23, 24 or 25 hours each."""
        day = self.first
        while day < self.next.first:
            yield midnight(day, self.timezone), midnight(day + timedelta(days=1), self.timezone)
            day += timedelta(days=1)


def parse_month(text: str, timezone: str) -> Month:
    """A month from ``2026-10``. Raises ``ValueError``. ``timezone`` is a name that ``zones()`` holds."""
    if not _MONTH.fullmatch(text):
        raise ValueError(f"{text!r} is not a month")
    return Month(text, timezone)


def midnight(day: date, timezone: str) -> datetime:
    """When a local day begins, in UTC; where clocks skip midnight, the first instant after it."""
    local = datetime.combine(day, time(), zone_info(timezone))
    instant = local.astimezone(UTC)
    # What comes back from UTC as another hour stands in a gap: the day begins where the gap ends.
    back = instant.astimezone(local.tzinfo)
    if back.replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    around = (instant + timedelta(minutes=minute) for minute in range(-180, 180))
    return next(moment for moment in around if moment.astimezone(local.tzinfo).date() >= day)


def add_months(day: date, months: int) -> date:
    """The same day so many months later; the last of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = (date(year + month // 11, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))
