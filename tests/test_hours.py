"""Business hours in PromQL, evaluated by a real Prometheus and compared with the time-zone library."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from sre.compile.hours import hours_expr, offset_expr
from sre.fleet import BusinessHours
from sre.fleet.hours import zone_info


@pytest.fixture(scope="module")
def server(start_prometheus) -> str:
    """The address of an empty Prometheus."""
    return start_prometheus().url


def evaluate(server: str, expr: str, at: datetime) -> float:
    answer = requests.post(f"{server}/api/v1/query", {"query": expr, "time": at.timestamp()}, timeout=10)
    return float(answer.json()["data"]["result"][0]["value"][1])


def with_offset(hours: BusinessHours, zone: str) -> str:
    return hours_expr(hours).replace("fleet:utc_offset:seconds", f"({offset_expr(zone_info(zone))})")


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]
)
def test_the_offset_is_right_around_every_switch(server: str, zone: str) -> None:
    """Around each change to or from daylight saving, this year and in 2040, the offset is the zone's own."""
    info, expr = zone_info(zone), offset_expr(zone_info(zone))
    moments = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2040, 7, 1, tzinfo=UTC)]
    for year in (2026, 2040):
        day = datetime(year, 1, 1, tzinfo=UTC)
        while day.year == year:
            if day.astimezone(info).utcoffset() != (day + timedelta(days=1)).astimezone(info).utcoffset():
                moments += [day + timedelta(minutes=30 * n) for n in range(49)]
            day += timedelta(days=1)
    for moment in moments:
        offset = moment.astimezone(info).utcoffset()
        assert offset is not None
        assert evaluate(server, expr, moment) == offset.total_seconds(), moment


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-07-15 07:59:59", 0),
        ("2026-07-15 08:00:00", 1),
        ("2026-07-15 17:59:59", 1),
        ("2026-07-15 18:00:00", 0),
        ("2026-01-15 08:00:00", 1),
        ("2026-01-15 07:59:00", 0),
        ("2026-07-18 12:00:00", 0),  # Saturday
        ("2026-12-25 12:00:00", 0),  # a Friday that is a holiday
        ("2026-12-24 12:00:00", 1),
    ],
)
def test_business_hours_follow_local_time_and_holidays(server: str, local: str, expected: int) -> None:
    """Eight to six in Berlin is eight to six in summer and in winter, on working days that are not holidays."""
    hours = BusinessHours.model_validate({"holidays": ["2026-12-25"]})
    moment = datetime.fromisoformat(local).replace(tzinfo=zone_info("Europe/Berlin"))
    assert evaluate(server, with_offset(hours, "Europe/Berlin"), moment) == expected


def test_a_working_sunday_counts(server: str) -> None:
    """Day names map onto PromQL's own week, which begins on Sunday."""
    hours = BusinessHours.model_validate({"days": ["sun"], "start": "00:00", "end": "24:00"})
    expr = with_offset(hours, "UTC")
    assert evaluate(server, expr, datetime(2026, 11, 22, 23, 59, tzinfo=UTC)) == 1
    assert evaluate(server, expr, datetime(2026, 11, 23, 0, 0, tzinfo=UTC)) == 0
