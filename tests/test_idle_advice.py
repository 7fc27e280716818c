"""What to do about idle cards: savings are what the recorded load would have needed, and money closes to the cent."""

import math
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.checks.idle.earlier import Earlier
from sre.finance.breakeven.answer import compare
from sre.finance.breakeven.prices import Prices as ApiPrices
from sre.finance.costs import load_text
from sre.finance.months import Month
from sre.findings import Refused
from sre.fleet import Fleet
from sre.idle.break_even import BreakEven, break_evens
from sre.idle.consolidation import TARGET
from sre.idle.digest import digest
from sre.idle.loads import Before, Context, PoolLoad
from sre.idle.observed import Observed, Seat
from sre.idle.prices import Prices
from sre.idle.settling import settle
from sre.idle.spoken import against, headline, lines, trend
from sre.idle.told import tell_of
from sre.idle.windows import windows

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = round(datetime(2026, 10, 12, tzinfo=BERLIN).timestamp())
DAY = 24
COSTS = """
version: 1
currency: EUR
timezone: Europe/Berlin
gpus:
  chat:
    - {from: 2026-01-01, gpus: 8, rented: {per_gpu_hour: "2.52"}}
    - {from: 2026-10-13, gpus: 8, rented: {per_gpu_hour: "3.00"}}
  jobs: [{from: 2026-01-01, gpus: 2, owned: {purchase: "52000.00", months: 48}}]
rate_card: {default: {uncached_input: "1", cached_input: "1", cache_write: "1", output: "1", reasoning: "1"}}
"""


API = {
    "version": 1, "currency": "EUR",
    "apis": [{"name": "big", "per_million": {"output": "15.00"}, "source": "page", "date": "2026-10-01"}],
    "workload": {"output": 22_000_000}, "capacity": {"tokens_per_second": "2400", "source": "bench"},
}  # fmt: skip


def berlin(day):
    return round(datetime.fromisoformat(day).replace(tzinfo=BERLIN).timestamp())


def fleet(replicas=4, each=2, **more):
    pool = {"name": "chat", "engine": {"kind": "vllm", "version": "0.32.0"}, "owner": "ai",
            "gpus": {"type": "h100", "per_replica": each, "replicas": replicas}, **more.pop("pool", {})}  # fmt: skip
    jobs = {"name": "jobs", "engine": {"kind": "vllm", "version": "0.32.0"}, "interactive": False,
            "gpus": {"type": "l40s", "replicas": 2}}  # fmt: skip
    return Fleet.model_validate(
        {"version": 1, "name": "known", "timezone": "Europe/Berlin", "pools": [pool, jobs], **more}
    )


def told(
    one,
    state,
    days=1,
    load=None,
    priced=True,
    before=None,
    jobs="busy",
    costs=COSTS,
    seats=(),
    late=0,
):
    """``state`` gives that of a card of chat by (replica, hour)."""
    period = windows(MONDAY, MONDAY + days * DAY * 3600, BERLIN)
    seen = Observed(window.minutes for window in period)
    chat = one.pools[0].gpus
    for replica in range(chat.replicas.max):
        for card in range(chat.per_replica):
            seat = Seat(f"GPU-{replica}-{card}", "", "chat", f"llm/chat-{replica}")
            for hour in range(late, len(period)):
                seen.add(
                    seat,
                    {"state": state(replica, hour), "evidence": "activity", "gpu_model": "H100"},
                    [(hour, 60)],
                )
    for replica in range(2):
        seat = Seat(f"L40S-{replica}", "", "jobs", f"llm/jobs-{replica}")
        seen.add(seat, {"state": jobs, "evidence": "activity"}, [(hour, 60) for hour in range(len(period))])
    for uuid, pool, name, own, hours in seats:
        labels = {"state": own, "evidence": "activity", "gpu_model": "H100"}
        seen.add(Seat(uuid, "", pool, name), labels, [(hour, 60) for hour in hours])
    costs, _ = load_text("costs.yaml", costs.encode())
    context = Context({"chat": load} if load else {}, before)
    return tell_of(one, settle(one, seen), period, context, Prices(costs, one) if priced else None)


def idle(_replica, _hour):
    return "loaded_idle"


def office(_replica, hour):
    return "busy" if 8 <= hour % 24 < 18 else "loaded_idle"


def kinds(found):
    return {advice.kind: advice for advice in found.advice}


class TestFewerReplicas:
    @given(st.integers(1, 6), st.integers(1, 8), st.floats(0, 60), st.integers(0, 3))
    def test_what_is_left_would_have_carried_the_peak(self, replicas, each, peak, kept):
        """The recorded peak takes seven tenths of what is proposed at most, and none that is kept is taken away."""
        one = fleet(replicas, each, pool={"min_replicas": kept})
        found = kinds(told(one, idle, load=PoolLoad(work=(0.0,) * 12 + (peak,) + (0.0,) * 11))).get(
            "consolidate"
        )
        needed = max(1, kept, math.ceil(peak / (each * float(TARGET)) - 1e-9))
        if found is None:
            assert needed >= replicas
        else:
            assert f"{needed} replica" in found.what
            assert needed < replicas
            assert found.gpu_hours == (replicas - needed) * each * DAY

    def test_a_load_that_is_mostly_unknown_proves_nothing(self):
        """What was not recorded may have been the peak."""
        load = PoolLoad(work=(0.1,) * 12 + (None,) * 12)
        assert "consolidate" not in kinds(told(fleet(), idle, load=load))

    def test_it_is_priced_at_the_prices_of_its_days(self):
        """Six cards for a day at 2.52 and a day at 3.00."""
        load = PoolLoad(work=(1.0,) * 48)
        found = kinds(told(fleet(), idle, days=2, load=load))["consolidate"]
        assert found.saving.amount == 6 * 24 * (Decimal("2.52") + Decimal("3.00"))
        assert found.commands == ("kubectl -n llm scale deployment/chat --replicas=1",)

    def test_on_hosts_the_least_busy_replicas_are_stopped(self):
        """The commands name those that the sentence names, whatever their names are."""

        def first_is_idle(replica, _hour):
            return "busy" if replica else "loaded_idle"

        load = PoolLoad(work=(3.0,) * DAY)
        found = kinds(told(fleet(identity="host"), first_is_idle, load=load))["consolidate"]
        assert found.what.endswith(
            "3 replicas of chat would have carried its peak, 4 are declared; least busy: llm/chat-0"
        )
        assert found.commands == ("systemctl --host llm/chat-0 stop vllm",)

    def test_pods_of_before_the_last_rollout_are_no_replicas(self):
        """Only who was there in the end can be taken away: a pod that is gone was the least busy of all."""
        gone = ("GPU-0-0", "chat", "llm/chat-old", "loaded_idle", range(2))
        load = PoolLoad(work=(3.0,) * DAY)
        found = kinds(told(fleet(), idle, load=load, seats=[gone], late=2))["consolidate"]
        assert "least busy: llm/chat-0" in found.what


class TestNothingAtNight:
    def test_quiet_hours_outside_business_hours_are_saved_but_for_cold_starts(self):
        """Fourteen hours of eight cards before eight and after six, less one start of half an hour."""
        load = PoolLoad(
            requests=tuple(600.0 if 8 <= hour < 18 else 0.0 for hour in range(DAY)), cold_start=1800.0
        )
        found = kinds(told(fleet(), office, load=load))["scale_to_zero"]
        assert found.gpu_hours == 14 * 8 - 4
        assert "a cold start took 30 min in this period; about 300 requests would have waited" in found.why

    def test_without_a_start_the_assumption_is_named(self):
        """Where no replica was started in the period the cold start is an assumption, and says so."""
        assert "a cold start of 10 min is assumed" in kinds(told(fleet(), office))["scale_to_zero"].why

    @pytest.mark.parametrize("pool", [{"min_replicas": 1}, {"interactive": False}])
    def test_what_must_stand_ready_stays(self, pool):
        """Pools that keep replicas, and those that work at night, are left alone."""
        assert "scale_to_zero" not in kinds(told(fleet(pool=pool), office))

    def test_a_night_with_unknown_hours_is_not_quiet(self):
        """An hour in which one card is unknown may have had requests."""

        def silent(replica, hour):
            return "unknown" if replica == 0 and hour < 8 else office(replica, hour)

        assert kinds(told(fleet(), silent))["scale_to_zero"].gpu_hours == 6 * 8


class TestTheRest:
    def test_cards_of_nobody_are_returned(self):
        """Two of ten cards that nobody holds, at the price of their type."""
        found = kinds(told(fleet(capacity={"h100": 10}), office))["return_cards"]
        assert (found.gpu_hours, found.saving.amount) == (48, Decimal("120.96"))
        assert "2 cards all of the time" in found.what

    def test_cards_of_nobody_are_priced_at_the_prices_of_their_days(self):
        """Two free cards for a day at 2.52 and a day at 3.00."""
        found = kinds(told(fleet(capacity={"h100": 10}), office, days=2))["return_cards"]
        assert found.saving.amount == 2 * 24 * (Decimal("2.52") + Decimal("3.00"))

    def test_work_that_nobody_waits_for_moves(self):
        """A pool whose requests come at night is asked whether it is batch work."""
        load = PoolLoad(requests=tuple(900.0 if hour < 6 else 1.0 for hour in range(DAY)))
        night = kinds(told(fleet(), lambda _, hour: "busy" if hour < 6 else "loaded_idle", load=load))
        assert "100% of the requests to chat came outside business hours" in night["move_to_batch"].what

    def test_unknown_time_is_telemetry_to_mend(self):
        """What nobody saw is no saving: it is something to look after."""
        found = kinds(told(fleet(), lambda replica, _: "unknown" if replica else "busy"))["fix_telemetry"]
        assert (found.gpu_hours, found.saving) == (144, None)


class TestDigest:
    """What a chat shows: some read Markdown, some show it as it is written."""

    def test_it_can_be_read_as_it_is_written(self):
        """Sentences of ours hold no codes, and what is to be written stands as code."""
        text = digest(told(fleet(), idle, load=PoolLoad(work=(1.0,) * DAY)))
        assert "then write `replicas: 1` in the fleet file" in text
        assert "80.0%" in text
        assert "&#" not in text

    def test_names_from_outside_stay_names(self):
        """A name of a replica or an API that is markup prints as it is spelled."""
        one = told(fleet(name="<i>*a*"), idle, load=PoolLoad(work=(1.0,) * DAY))
        text = digest(replace(one, break_evens=(BreakEven(Fraction(1, 2), "[x](http://y) `<b>", "2026-10"),)))
        assert "<i>" not in text
        assert "<b>" not in text
        assert "](" not in text


class TestMoney:
    def test_idle_time_costs_what_its_hours_cost(self):
        """Eight cards idle for a day at 2.52 and a day at 3.00; the parts of the tables add up to it."""
        report = told(fleet(), idle, days=2).report
        assert report.cost.amount == 8 * 24 * (Decimal("2.52") + Decimal("3.00"))
        for table in (report.pools, report.owners, report.types):
            assert sum(row.cost.amount for row in table) == report.cost.amount

    @given(
        st.lists(st.sampled_from(["busy", "loaded_idle", "empty_idle", "unknown"]), min_size=8, max_size=8),
        st.booleans(),
    )
    def test_every_table_closes_to_the_cent(self, states, jobs):
        """Whatever stood still, pools, owners and types add up to the same amount."""
        report = told(
            fleet(), lambda replica, hour: states[(replica + hour) % 8], jobs="empty_idle" if jobs else "busy"
        ).report
        for table in (report.pools, report.owners, report.types):
            assert sum(row.cost.minor for row in table) == report.cost.minor
            assert sum(sum(row.parts) for row in table) == sum(report.total.parts)

    def test_owned_cards_cost_their_share_of_the_month(self):
        """52,000 over 48 months and two cards, for one of October's 745 hours, is 0.73 an hour."""
        report = told(fleet(), lambda *_: "busy", jobs="loaded_idle").report
        assert report.cost.amount == round(Decimal(52000) / 48 / 745 * 24, 2)

    def test_without_a_price_nothing_is_told(self):
        """A cost of some cards would look like the cost of all."""
        one = fleet(capacity={"h100": 8, "b200": 4})
        found = told(one, office)
        assert found.report.cost is None
        assert "no price" in next(f.what for f in found.findings if f.where == "--costs")

    def test_the_headline_says_hours_share_and_cost(self):
        """One sentence for Monday."""
        said = headline(told(fleet(), idle).report)
        assert (
            said
            == "192.0 of 240.0 GPU-hours (80.0%) stood idle and cost 483.84 EUR, 93.3% of what all cards cost."
        )

    def test_the_trend_is_told_where_the_period_before_was_recorded(self):
        """Against the same count of the period before; a period that was hardly recorded is none to compare with."""
        less = Before(dict.fromkeys(("GPU-0-0", "GPU-0-1", "GPU-1-0"), -DAY * 60), 1.0)
        assert trend(told(fleet(), idle, before=less).report) == (
            "In the period before it was 50.0%, 30.0 points less."
        )
        assert trend(told(fleet(), idle, before=Before({}, 1.0)).report).endswith("it was as much: 80.0%.")
        assert trend(told(fleet(), idle, before=Before({}, 0.5)).report) == (
            "No trend is told: of the period before 50.0% was recorded."
        )
        assert trend(told(fleet(), idle).report) == ""

    def test_the_trend_counts_slices_as_parts_of_their_card(self):
        """Three idle slices of one card then, and one now: one card is 66.7 points better, not 200."""
        one = Fleet.model_validate({"version": 1, "name": "mig", "pools": [
            {"name": "chat", "engine": {"kind": "vllm", "version": "0.32.0"}, "gpus": {"type": "h100", "replicas": 1}},
        ]})  # fmt: skip
        period, seen = windows(MONDAY, MONDAY + DAY * 3600, BERLIN), Observed([60] * DAY)
        for mig, state in (("1", "loaded_idle"), ("2", "busy"), ("3", "busy")):
            labels = {"state": state, "evidence": "activity"}
            seen.add(Seat("GPU-A", mig, "chat", mig), labels, [(hour, 60) for hour in range(DAY)])
        context = Context({}, Earlier({"GPU-A": 3 * DAY * 60}, 1.0).against(seen))
        found = tell_of(one, settle(one, seen), period, context, None).report
        assert trend(found) == "In the period before it was 100.0%, 66.7 points more."

    def test_cards_in_no_total_are_in_no_trend(self):
        """What nobody declares may have done what it likes in the period before."""
        before = Before({"GPU-9-9": -DAY * 60}, 1.0)
        seen = {"seats": [("GPU-9-9", "", "", "busy", range(DAY))]}
        assert trend(told(fleet(), idle, before=before, **seen).report).endswith("it was as much: 80.0%.")

    def test_a_busy_pool_without_a_price_leaves_no_share_of_the_bill(self):
        """What all cards cost is not known then; what idle ones cost is."""
        one = fleet()
        found = told(one, idle, costs=COSTS.replace("jobs: [{from: 2026-01-01", "jobs: [{from: 2026-11-01"))
        assert found.report.cost.amount > 0
        assert found.report.bill is None
        assert "busy cards" in next(f.what for f in found.findings if f.where == "--costs")

    def test_work_is_held_against_the_users_own_break_even(self):
        """From which utilisation self-hosting pays is the user's number; nothing is said without one."""
        report = told(fleet(), office).report
        assert against(report, BreakEven(Fraction(2, 5))) == (
            "Self-hosting pays from 40.0% on: these cards are 13.3 points above it, "
            "if they were full while they worked."
        )
        assert against(report, BreakEven(Fraction(3, 5))) == (
            "Self-hosting pays from 60.0% on: these cards are 6.7 points below it, however full they were."
        )

    def test_what_is_not_known_may_have_been_work(self):
        """Below the break-even is who would be below it with all unknown time at work; and what is unknown is told."""

        def half_known(_replica, hour):
            return "busy" if 8 <= hour < 14 else "unknown" if hour >= 20 else "loaded_idle"

        found = told(fleet(), half_known)
        assert against(found.report, BreakEven(Fraction(1, 2))) == (
            "Self-hosting pays from 50.0% on: "
            "whether these cards are above it is not known, as 13.3% of the time is not."
        )
        assert "below it, however full they were" in against(found.report, BreakEven(Fraction(3, 5)))
        assert "Nothing is known of 32.0 GPU-hours (13.3%): they count as neither idle nor busy." in lines(
            found
        )

    def test_what_no_utilisation_makes_pay_is_told_as_that(self):
        """More than all that the cards can do, and an API that is never dearer, are no break-even to be above of."""
        report = told(fleet(), office).report
        assert against(report, BreakEven(Fraction(3, 2), "small", "2026-10")) == (
            "Against small self-hosting does not pay, at the costs of 2026-10: cards would have to do 150.0% of what "
            "they can."
        )
        assert "never pays" in against(report, BreakEven(None, "tiny", "2026-10"))


class TestBreakEven:
    """A price file makes the break-even, from the costs of the month in which the period begins."""

    @pytest.mark.parametrize(
        ("begin", "month"), [("2026-10-12", "2026-10"), ("2026-10-31", "2026-10"), ("2026-11-01", "2026-11")]
    )
    def test_it_is_that_of_the_breakeven_command(self, begin, month):
        """The same costs and prices give the same share as `sre breakeven` in that month."""
        costs, prices = load_text("costs.yaml", COSTS.encode())[0], ApiPrices.model_validate(API)
        (found,) = break_evens(costs, prices, berlin(begin))
        expected = compare(costs, prices, Month(month, "Europe/Berlin"), ()).rivals[0]
        assert found == BreakEven(expected.utilization, "big", month)

    def test_a_month_without_costs_takes_those_of_the_last_that_had_some(self):
        """Cards that have been written off, or given back, cost nothing any more."""
        text = COSTS.replace("2026-10-13, gpus: 8", "2026-10-13, gpus: 0").replace("months: 48", "months: 10")
        costs, prices = load_text("costs.yaml", text.encode())[0], ApiPrices.model_validate(API)
        (found,) = break_evens(costs, prices, berlin("2026-12-24"))
        assert found.month == "2026-10"

    def test_before_the_first_price_there_is_none(self):
        """A period that no price reaches back to is refused, with what to write."""
        costs, prices = load_text("costs.yaml", COSTS.encode())[0], ApiPrices.model_validate(API)
        with pytest.raises(Refused, match="no card costs anything in 2025-12 or before it"):
            break_evens(costs, prices, berlin("2025-12-31"))
