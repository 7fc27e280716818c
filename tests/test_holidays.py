"""Holidays from an iCalendar file: what is read of it, and what is refused."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.findings import Refused
from sre.fleet import load
from sre.fleet.holidays import Unreadable, holidays

FLEET = (
    "version: 1\nname: a\nholidays: ./days.ics\npools: [{name: b, engine: {kind: vllm, version: 0.32.0}}]\n"
)


def calendar(*events):
    body = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("SUMMARY:One day\r\nDTSTART;VALUE=DATE:20261225", ["2026-12-25"]),
        ("DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227", ["2026-12-25", "2026-12-26"]),
        ("DTSTART;VALUE=DATE:20261225\r\nDURATION:P2D", ["2026-12-25", "2026-12-26"]),
        ("DTSTART;VALUE=DATE:20391003\r\nRRULE:FREQ=YEARLY", ["2039-10-03", "2040-10-03"]),
        ("DTSTART;VALUE=DATE:20240501\r\nRRULE:FREQ=YEARLY;COUNT=2", ["2024-05-01", "2025-05-01"]),
        ("DTSTART;VALUE=DATE:20240501\r\nRRULE:FREQ=YEARLY;UNTIL=20250601;BYMONTH=5", ["2024-05-01", "2025-05-01"]),
        ("DTSTART;VALUE=DATE:20380501\r\nRRULE:FREQ=YEARLY\r\nEXDATE:20390501", ["2038-05-01", "2040-05-01"]),
        ("DTSTART;VALUE=DATE:20400229\r\nRRULE:FREQ=YEARLY", ["2040-02-29"]),
        ("DTSTART;VALUE=DATE:20261225\r\nSTATUS:CANCELLED", []),
        ("DTSTART;TZID=Europe/Berlin:20261225T100000", []),
        ("DTSTART;VAL\r\n UE=DATE:2026\r\n\t1225", ["2026-12-25"]),
    ],
)  # fmt: skip
def test_whole_days_are_holidays(event, expected):
    """Whole days, their spans and their yearly return are read; times of day and what is cancelled are not."""
    assert [day.isoformat() for day in holidays(calendar(event))] == expected


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("SUMMARY:Easter\r\nDTSTART:20260405\r\nRRULE:FREQ=YEARLY;BYDAY=1SU", "'Easter': comes again in another way"),
        ("DTSTART;VALUE=DATE:20260405\r\nRRULE:FREQ=WEEKLY", "comes again in another way"),
        ("DTSTART;VALUE=DATE:20261301", "has '20261301' for a date"),
        ("DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261225", "does not end after it begins"),
        ("SUMMARY:Nothing", "for a date"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(event, said):
    """A holiday in the wrong year would be no news to anybody: the event is named, with its line."""
    with pytest.raises(Unreadable, match="line 3") as error:
        holidays(calendar(event))
    assert said in error.value.what


@given(st.lists(st.dates(date(2024, 1, 1), date(2040, 12, 31)), max_size=20))
def test_every_day_that_is_written_is_read(days):
    """Any list of days comes back, sorted and each once."""
    text = calendar(*(f"DTSTART;VALUE=DATE:{day:%Y%m%d}" for day in days))
    assert holidays(text) == tuple(sorted(set(days)))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    """Whatever stands in the file, there is a list of days or a sentence."""
    with suppress(Unreadable):
        holidays(f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{text}\nEND:VEVENT")


def test_they_are_added_to_the_fleets_own(tmp_path):
    """Days of the file and of the list are the fleet's holidays, and so those of every rule and report."""
    (tmp_path / "days.ics").write_text(calendar("DTSTART;VALUE=DATE:20261225"))
    (tmp_path / "fleet.yaml").write_text(FLEET + "business_hours: {holidays: [2026-05-01, 2026-12-25]}\n")
    fleet, _ = load(tmp_path / "fleet.yaml")
    assert [day.isoformat() for day in fleet.business_hours.holidays] == ["2026-05-01", "2026-12-25"]


@pytest.mark.parametrize(
    ("content", "said"), [(None, "there is no such file"), ("BEGIN:VCARD", "is no iCalendar file")]
)
def test_a_file_that_is_none_is_refused(tmp_path, content, said):
    """The finding stands at the key in the fleet file."""
    if content:
        (tmp_path / "days.ics").write_text(content)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    with pytest.raises(Refused) as refused:
        load(tmp_path / "fleet.yaml")
    (finding,) = refused.value.findings
    assert said in finding.what
    assert finding.where.endswith("fleet.yaml:3")
