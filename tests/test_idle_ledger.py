"""Observed minutes settled against declared cards: what must add up, whatever was seen."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.fleet import Fleet
from sre.idle.observed import Observed, Seat
from sre.idle.settling import settle
from sre.idle.states import PER_HOUR, STATES, WHOLE, hours
from sre.idle.windows import Calendar, Window, runs, windows

BERLIN = ZoneInfo("Europe/Berlin")
HOURS = 6


def fleet(pools, **more):
    engine = {"kind": "vllm", "version": "0.32.0"}
    found = [
        {
            "name": name,
            "engine": engine,
            "gpus": {"type": kind, "per_replica": each, "replicas": replicas},
            **own,
        }
        for name, kind, each, replicas, own in pools
    ]
    return Fleet.model_validate({"version": 1, "name": "known", "pools": found, **more})


ONE = fleet([("chat", "h100", 1, 2, {})])


def observed(*rows, hours_=HOURS):
    """``rows`` are (uuid, pool, replica, state, {hour: minutes}); slices as uuid/instance."""
    found = Observed([60] * hours_)
    for name, pool, replica, state, minutes in rows:
        uuid, _, mig = name.partition("/")
        found.add(
            Seat(uuid, mig, pool, replica),
            {"state": state, "evidence": "activity", "gpu_model": "NVIDIA H100 80GB HBM3"},
            minutes.items(),
        )
    return found


def always(minutes=60, begin=0, end=HOURS):
    return dict.fromkeys(range(begin, end), minutes)


def totals(ledger):
    sums = [0] * len(STATES)
    for held in ledger.entries:
        sums = [a + b for a, b in zip(sums, held.tally.sums(), strict=True)]
    return {name: value / PER_HOUR for name, value in zip(STATES, sums, strict=True) if value}


def moment(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp())


class TestWindows:
    @pytest.mark.parametrize(
        ("day", "expected"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)]
    )
    def test_a_local_day_has_its_own_number_of_hours(self, day, expected):
        """The days on which clocks change have 23 and 25 hours, each of sixty minutes."""
        start = moment(day)
        end = moment((datetime.fromisoformat(day) + timedelta(days=1)).isoformat())
        found = windows(start, end, BERLIN)
        assert len(found) == expected
        assert {window.minutes for window in found} == {60}

    @given(
        st.integers(28_000_000, 30_000_000),
        st.integers(1, 3000),
        st.sampled_from(["UTC", "Asia/Kolkata", "Europe/Berlin"]),
    )
    def test_windows_cover_the_period_once(self, start, length, zone):
        """Windows follow each other without a hole, at most an hour each, and runs keep all of them."""
        found = windows(start * 60, (start + length) * 60, ZoneInfo(zone))
        assert found[0].start == start * 60
        assert found[-1].end == (start + length) * 60
        assert all(a.end == b.start for a, b in pairwise(found))
        assert all(1 <= window.minutes <= 60 for window in found)
        assert tuple(window for run in runs(found) for window in run) == found

    @given(
        st.integers(28_000_000, 30_000_000),
        st.integers(1, 3000),
        st.sampled_from(["UTC", "Asia/Kolkata", "Europe/Berlin"]),
        st.tuples(st.integers(0, 1438), st.integers(1, 1439)).filter(lambda pair: pair[0] < pair[1]),
    )
    def test_business_hours_count_to_the_minute(self, start, length, zone, hours):
        """Where business hours begin or end within an hour it is cut: what is open are the calendar's minutes."""
        first, last = (f"{minute // 60:02}:{minute % 60:02}" for minute in hours)
        own = {"days": ["mon", "wed", "sat"], "start": first, "end": last}
        one = fleet([("chat", "h100", 1, 1, {})], timezone=zone, business_hours=own)
        calendar = Calendar(one)
        found = windows(start * 60, (start + length) * 60, one.zone, calendar.cuts)
        minutes = (datetime.fromtimestamp((start + n) * 60, one.zone) for n in range(length))
        days = [
            at
            for at in minutes
            if at.weekday() in (0, 2, 5) and hours[0] <= at.hour * 60 + at.minute < hours[1]
        ]
        assert sum(window.minutes for window in found if calendar.is_open(None, window)) == len(days)
        assert sum(window.minutes for window in found) == length

    def test_half_hour_zones_have_their_own_hours(self):
        """Where local time is half an hour off, hours begin at half past, in UTC."""
        found = windows(moment("2026-07-01"), moment("2026-07-01") + 7200, ZoneInfo("Asia/Kolkata"))
        assert [window.minutes for window in found] == [30, 60, 30]


class TestBusinessHours:
    def window(self, text):
        at = moment(text)
        return Window(at, at + 3600)

    def test_local_time_decides_in_summer_and_in_winter(self):
        """Eight in the morning is in business hours on both sides of a change of clocks, and seven on neither."""
        calendar = Calendar(fleet([("chat", "h100", 1, 1, {})], timezone="Europe/Berlin"))
        found = [
            calendar.is_open(None, self.window(f"{day}T{hour}:00"))
            for day in ("2026-10-23", "2026-10-26")
            for hour in ("07", "08")
        ]
        assert found == [False, True, False, True]

    def test_holidays_and_weekends_are_closed_for_everybody_with_a_calendar(self):
        """A holiday is none of a pool's business hours, also where the pool has hours of its own."""
        own = {"business_hours": {"days": ["sat"], "start": "20:00", "end": "22:00"}}
        one = fleet(
            [("chat", "h100", 1, 1, own)],
            timezone="Europe/Berlin",
            business_hours={"holidays": ["2026-12-25"]},
        )
        calendar, pool = Calendar(one), one.pools[0]
        assert not calendar.is_open(None, self.window("2026-12-25T10:00"))
        assert calendar.is_open(pool, self.window("2026-10-24T20:00"))
        assert not calendar.is_open(pool, self.window("2026-10-23T10:00"))

    def test_a_batch_pool_never_rests(self):
        """Without hours of its own every hour of a batch pool counts, Sunday nights too."""
        one = fleet([("jobs", "h100", 1, 1, {"interactive": False})], timezone="Europe/Berlin")
        assert Calendar(one).is_open(one.pools[0], self.window("2026-10-25T04:00"))


minutes = st.dictionaries(st.integers(0, HOURS - 1), st.integers(0, 61), max_size=HOURS)
rows = st.lists(
    st.tuples(
        st.sampled_from([f"GPU-{n}" for n in range(6)] + ["GPU-9/1", "GPU-9/2", "GPU-9/3"]),
        st.sampled_from(["chat", "jobs", ""]), st.sampled_from(["a", "b", "c"]), st.sampled_from(STATES), minutes,
    ),
    max_size=25,
)  # fmt: skip
fleets = st.builds(
    lambda replicas, low, kept, capacity: fleet(
        [
            ("chat", "h100", 2, replicas, {"min_replicas": kept} if kept else {}),
            ("jobs", "l40s", 1, {"min": low, "max": 3}, {}),
        ],
        **({"capacity": {"h100": 2 * replicas + capacity}} if capacity is not None else {}),
    ),
    st.integers(1, 2), st.integers(0, 2), st.integers(0, 2), st.none() | st.integers(0, 3),
)  # fmt: skip


class TestAddingUp:
    @given(fleets, rows)
    def test_every_declared_card_minute_has_one_state(self, one, seen):
        """Whatever was seen, states add up to declared cards times hours, window by window, to the last part."""
        ledger = settle(one, observed(*seen))
        width = len(STATES)
        for window in range(HOURS):
            parts = sum(sum(held.tally.at(window)) for held in ledger.entries)
            assert parts == ledger.declared * 60 * WHOLE
        assert sum(sum(held.tally.cells) for held in ledger.entries) == ledger.declared * HOURS * PER_HOUR
        assert all(len(held.tally.cells) == HOURS * width for held in ledger.entries)

    @given(fleets, rows)
    def test_what_is_not_seen_is_never_idle(self, one, seen):
        """Idle minutes of pools were all recorded as idle; only cards beyond all pools are unallocated unseen."""
        names = ("loaded_idle", "empty_idle")
        told = sum(min(60, n) for _, _, _, state, found in seen if state in names for n in found.values())
        ledger = settle(one, observed(*seen))
        assert sum(totals(ledger).get(name, 0) for name in names) * 60 <= told + 1e-6
        assert all(held.tally.sums()[4] == 0 for held in ledger.unseen if held.seat.pool)

    @given(st.lists(st.integers(0, 10**9), min_size=len(STATES), max_size=len(STATES)))
    def test_rounded_hours_add_up_to_their_rounded_total(self, parts):
        """Thousandths of hours are shared out so that a reader who adds them up finds the total."""
        found = hours(parts)
        assert sum(found[name] for name in STATES) == found["total"]
        assert all(
            abs(Fraction(found[name]) - Fraction(part, PER_HOUR)) < Fraction(1, 1000)
            for name, part in zip(STATES, parts, strict=True)
        )
        assert found["total"] == round(Decimal(sum(parts)) / PER_HOUR, 3) or sum(parts) % PER_HOUR


class TestCards:
    def test_minutes_count_as_they_are(self):
        """An hour can be split between states, and what was not recorded of it is unknown."""
        ledger = settle(ONE, observed(("A", "chat", "a", "busy", always(20)),
                                      ("A", "chat", "a", "loaded_idle", always(30)),
                                      ("B", "chat", "b", "busy", always())))  # fmt: skip
        assert totals(ledger) == {"busy": 8.0, "loaded_idle": 3.0, "unknown": 1.0}

    def test_a_card_of_two_servers_counts_once(self):
        """What a second server tells of the same hour is not added."""
        twice = [
            ("A", "chat", "a", "busy", always()),
            ("A", "chat", "a", "busy", always()),
            ("B", "chat", "b", "busy", always(59)),
        ]
        assert totals(settle(ONE, observed(*twice))) == pytest.approx({"busy": 11.9, "unknown": 0.1})

    def test_a_swapped_card_leaves_no_second_slot(self):
        """A new UUID in the slot goes on where the old one ended; the hours between them are unknown."""
        ledger = settle(ONE, observed(("A", "chat", "a", "busy", always()), ("old", "chat", "b", "busy", always(end=2)),
                                      ("new", "chat", "b", "loaded_idle", always(begin=4))))  # fmt: skip
        assert totals(ledger) == {"busy": 8.0, "loaded_idle": 2.0, "unknown": 2.0}

    def test_a_renamed_pod_is_the_same_card(self):
        """A deployment gives the card another pod, and no hour more."""
        ledger = settle(ONE, observed(("A", "chat", "a-1", "busy", always(end=3)),
                                      ("A", "chat", "a-2", "busy", always(begin=3)),
                                      ("B", "chat", "b", "busy", always())))  # fmt: skip
        assert totals(ledger) == {"busy": 12.0}

    def test_slices_are_parts_of_a_card_where_the_pool_declares_cards(self):
        """Three slices of one card are one card: their hours are thirds."""
        one = fleet([("chat", "h100", 1, 1, {})])
        slices = [
            (f"A/{n}", "chat", f"r{n}", state, always())
            for n, state in enumerate(("busy", "loaded_idle", "loaded_idle"), 1)
        ]
        assert totals(settle(one, observed(*slices))) == {"busy": 2.0, "loaded_idle": 4.0}

    def test_slices_are_cards_where_the_pool_declares_slices(self):
        """A pool of three replicas with a slice each declares three."""
        one = fleet([("chat", "1g.10gb", 1, 3, {})])
        slices = [(f"A/{n}", "chat", f"r{n}", "busy", always()) for n in (1, 2, 3)]
        assert totals(settle(one, observed(*slices))) == {"busy": 18.0}

    def test_cards_that_nobody_declares_are_in_no_total(self):
        """A third card where two are declared is told apart, and the total stays two cards."""
        ledger = settle(ONE, observed(*((name, "chat", name, "busy", always()) for name in "ABC")))
        assert totals(ledger) == {"busy": 12.0}
        assert [held.seat.uuid for held in ledger.beyond] == ["C"]

    def test_a_free_card_stands_for_the_one_that_its_pool_misses(self):
        """A replica that is gone leaves its card unallocated, not unknown."""
        ledger = settle(ONE, observed(("A", "chat", "a", "busy", always()), ("B", "chat", "b", "busy", always(end=2)),
                                      ("B", "", "", "unallocated", always(begin=2))))  # fmt: skip
        assert totals(ledger) == {"busy": 8.0, "unallocated": 4.0}

    def test_a_silent_node_is_not_made_up_for_by_spare_cards(self):
        """With capacity beyond the pools spare cards fill that alone; the silent card's hours stay unknown."""
        one = fleet([("chat", "h100", 1, 2, {})], capacity={"h100": 4})
        seen = [("A", "chat", "a", "busy", always()), ("B", "chat", "b", "busy", always(end=2))]
        spare = [(name, "", "", "unallocated", always()) for name in ("S", "T")]
        assert totals(settle(one, observed(*seen, *spare))) == {
            "busy": 8.0,
            "unallocated": 12.0,
            "unknown": 4.0,
        }

    def test_capacity_that_nobody_sees_is_unallocated(self):
        """Cards that exist beyond all pools are unallocated, whether an exporter shows them or not."""
        one = fleet([("chat", "h100", 1, 1, {})], capacity={"h100": 3})
        assert totals(settle(one, observed(("A", "chat", "a", "busy", always())))) == {
            "busy": 6.0,
            "unallocated": 12.0,
        }

    def test_capacity_that_nobody_sees_is_unknown_while_nobody_looks(self):
        """In hours of which nothing at all was recorded a spare card is as unknown as any other."""
        one = fleet([("chat", "h100", 1, 1, {})], capacity={"h100": 2})
        assert totals(settle(one, observed(("A", "chat", "a", "busy", {**always(begin=2), 1: 30})))) == {
            "busy": 4.5,
            "unallocated": 4.5,
            "unknown": 3.0,
        }

    def test_a_pool_that_may_be_smaller_misses_nothing_when_it_is(self):
        """Replicas above the minimum that are not there are left out as scaled in; those below it are unknown."""
        one = fleet([("chat", "h100", 1, {"min": 2, "max": 4}, {})])
        ledger = settle(one, observed(("A", "chat", "a", "busy", always())))
        assert totals(ledger) == {"busy": 6.0, "unknown": 6.0, "excluded": 12.0}
        assert ledger.unseen[0].reasons == {"scaled_in": 720}

    def test_a_pair_that_is_kept_is_no_waste(self):
        """Of a pool that says `min_replicas` the busiest so many are kept: only the others' idle hours count."""
        one = fleet([("chat", "h100", 1, 3, {"min_replicas": 2})])
        for idle, expected in (
            ("abc", {"loaded_idle": 6.0, "excluded": 12.0}),
            ("bc", {"busy": 6.0, "loaded_idle": 6.0, "excluded": 6.0}),
            ("c", {"busy": 12.0, "loaded_idle": 6.0}),
        ):
            states = {name: "loaded_idle" if name in idle else "busy" for name in "abc"}
            seen = [(name, "chat", name, state, always()) for name, state in states.items()]
            assert totals(settle(one, observed(*seen))) == expected

    def test_without_min_replicas_nothing_is_kept(self):
        """Pairs kept for availability are left out only where the pool says so."""
        seen = [(name, "chat", name, "loaded_idle", always()) for name in "ab"]
        assert totals(settle(ONE, observed(*seen))) == {"loaded_idle": 12.0}


def test_the_epoch_of_a_window_is_utc():
    """Windows count Unix time; the report shows them in local time."""
    at = windows(moment("2026-10-25"), moment("2026-10-26"), BERLIN)[3]
    assert datetime.fromtimestamp(at.start, UTC).astimezone(BERLIN).isoformat() == "2026-10-25T02:00:00+01:00"
