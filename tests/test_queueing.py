"""The queueing replica obeys the laws of queues, and says in the mean what the fluid one says."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre import content
from sre.catalogue.faults import REPLICA
from sre.catalogue.load import load
from sre.simulate.batching import BLOCK
from sre.simulate.demand import DAY, week
from sre.simulate.pool import Shape
from sre.simulate.queueing import QueueingReplica, Workload
from sre.simulate.replica import Key, flow
from sre.simulate.windows import quantile

CATALOGUE = load(content.root())
LIMITS = {n: None if t.default is None else float(t.default) for n, t in CATALOGUE.thresholds.items()}
BOUNDS = {n: tuple(map(float, eras[0].le)) for n, eras in CATALOGUE.engines["vllm"].bounds.items()}
USUAL = Shape(2, 2, LIMITS, BOUNDS, 15).usual
CAPACITY = USUAL["arrivals"]
"""Requests per second of a batch that is limited to what usually runs."""

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "arrivals": st.sampled_from([0.0, 2.0, 0.5 * CAPACITY, CAPACITY, 2 * CAPACITY]),
        "batch_limit": st.sampled_from([1.0, 5.0, USUAL["running"]]),
        "kv_fill": st.sampled_from([0.5, 1.0, 1.4, 5.0]),
        "thrown_out": st.sampled_from([0.0, 0.5]),
        "cached": st.sampled_from([0.0, 0.9]),
        "runaway": st.just(0.1),
        "runaway_tokens": st.just(700.0),
        "client_errors": st.sampled_from([0.0, 0.3]),
        "server_errors": st.sampled_from([0.0, 0.3]),
        "burst": st.sampled_from([0.0, 80.0]),
        "closed": st.sampled_from([0.0, 1.0]),
        "stalled": st.sampled_from([0.0, 1.0]),
        "unreachable": st.sampled_from([0.0, 1.0]),
    },
)
DAYS = st.lists(st.tuples(CHANGES, st.sampled_from([1.0, 7.0, 15.0])), min_size=1, max_size=6)


def replica(seed: str = "a", **changed: float) -> QueueingReplica:
    """One that has been healthy for a minute, and then under other inputs for ten."""
    one = QueueingReplica(USUAL, BOUNDS, seed, Workload(patience=1e9))
    one.step(USUAL, 60)
    inputs = {**USUAL, **changed}
    for _ in range(40):
        one.step(inputs, 15)
    return one


@cache
def healthy() -> tuple[dict[Key, float], list[tuple[float, float]]]:
    """Growth over twenty minutes of health, and (running, KV usage) at every scrape."""
    one, seen = QueueingReplica(USUAL, BOUNDS, "healthy"), list[tuple[float, float]]()
    before = one.signals
    for _ in range(80):
        one.step(USUAL, 15)
        seen.append((one.signals["running", ()], one.signals["kv_cache_usage", ()]))
    return {key: value - before[key] for key, value in one.signals.items()}, seen


def buckets(growth: dict[Key, float], name: str) -> dict[str, float]:
    return {
        dict(labels)["le"]: value for (signal, labels), value in growth.items() if signal == f"{name}_bucket"
    }


def obey(one: QueueingReplica) -> None:
    """Fail where a law of queues is broken."""
    batch, counted, signals = one.batch, one.batch.counted, one.signals
    inside = len(batch.waiting) + len(batch.running)
    assert counted.arrived == counted.finished + counted.gave_up + inside
    answered = sum(signals["responses", (("status", status),)] for status in ("2xx", "5xx"))
    assert answered == counted.finished
    blocks = sum(
        -(-(r.prompt + r.made + max(0, int(batch.steps - r.first + 1e-6) + 1)) // BLOCK)
        for r in batch.running.values()
        if batch.steps >= r.first
    )
    assert blocks <= batch.pace.blocks or len(batch.running) == 1
    assert len(batch.running) <= batch.pace.limit or batch.pace.limit < USUAL["batch_limit"]
    kept = sum(r.made for r in (*batch.waiting, *batch.running.values()))
    assert signals["generation_tokens", ()] >= signals["output_tokens_sum", ()] + kept
    assert signals["itl_count", ()] <= signals["generation_tokens", ()]
    for name in BOUNDS:
        row = list(buckets(signals, name).values())
        assert all(low <= high for low, high in pairwise(row))
        assert row[-1] == signals[f"{name}_count", ()]


class TestHealth:
    @pytest.mark.parametrize("name", ["ttft", "itl", "e2e", "queue_wait", "output_tokens"])
    @pytest.mark.parametrize("share", [0.5, 0.95])
    def test_quantiles_read_as_the_fluid_says(self, name: str, share: float) -> None:
        """A healthy replica keeps its promises by as much as the fluid one does."""
        expected = flow(USUAL, USUAL, 0, BOUNDS, 1200).growth
        assert quantile(share, buckets(healthy()[0], name)) == pytest.approx(
            quantile(share, buckets(expected, name)), rel=0.15
        )

    def test_every_counter_grows_as_the_fluid_says(self) -> None:
        """Requests, tokens, steps and answers come in the same numbers."""
        growth, expected = healthy()[0], flow(USUAL, USUAL, 0, BOUNDS, 1200).growth
        rare = {key for key, number in expected.items() if number < 500}
        for key, number in expected.items():
            if key not in rare and not key[0].endswith("_bucket"):
                assert growth[key] == pytest.approx(number, rel=0.05), key

    def test_batch_and_cache_are_as_full_as_the_fluid_says(self) -> None:
        """The mean over twenty minutes is the fluid's steady state."""
        expected, seen = flow(USUAL, USUAL, 0, BOUNDS, 15).gauges, healthy()[1]
        assert sum(running for running, _ in seen) / len(seen) == pytest.approx(expected["running"], rel=0.15)
        usage = sum(kv for _, kv in seen) / len(seen)
        assert usage == pytest.approx(expected["kv_cache_usage"], rel=0.15)

    def test_littles_law(self) -> None:
        """Requests in the engine are those that come per second times the seconds that each stays."""
        growth, seen = healthy()
        rate, stay = growth["e2e_count", ()] / 1200, growth["e2e_sum", ()] / growth["e2e_count", ()]
        assert sum(running for running, _ in seen) / len(seen) == pytest.approx(rate * stay, rel=0.1)


class TestSaturation:
    @pytest.mark.parametrize("over", [1.5, 2.0, 3.0])
    def test_the_queue_grows_as_the_fluids_does(self, over: float) -> None:
        """What a full batch does not serve waits, and it is as much as the fluid says."""
        inputs = {**USUAL, "batch_limit": USUAL["running"], "arrivals": over * CAPACITY}
        grown = flow(inputs, USUAL, 1, BOUNDS, 600).queue_growth
        one = replica(batch_limit=USUAL["running"], arrivals=over * CAPACITY)
        assert one.signals["queue_depth", ()] == pytest.approx(grown, rel=0.15)
        assert one.signals["running", ()] == USUAL["running"]

    def test_a_small_cache_is_full_and_throws_requests_out(self) -> None:
        """Requests outgrow the cache together; the youngest is computed anew, and fewer run at once."""
        one = replica(kv_fill=1.4)
        obey(one)
        assert one.signals["preemptions", ()] > 0
        assert one.signals["kv_cache_usage", ()] > 0.85
        assert one.signals["running", ()] < USUAL["running"]

    def test_what_a_story_throws_out_is_thrown_out_at_that_rate(self) -> None:
        """A fault asks for preemptions per second beside a full cache, and gets about as many."""
        thrown = replica(kv_fill=1, thrown_out=2.0, seed="b").signals["preemptions", ()]
        without = replica(kv_fill=1, seed="b").signals["preemptions", ()]
        assert 0.5 * 1200 < thrown - without < 1.5 * 1200

    def test_longer_prompts_and_a_cold_prefix_cache_take_longer_to_the_first_token(self) -> None:
        """Prefill work follows from the tokens that are not in the cache."""
        usual, cold = replica().signals, replica(cached=0.0).signals
        mean = {
            name: s["ttft_sum", ()] / s["ttft_count", ()] for name, s in (("usual", usual), ("cold", cold))
        }
        assert mean["cold"] > 1.3 * mean["usual"]
        assert cold["itl_sum", ()] / cold["itl_count", ()] > usual["itl_sum", ()] / usual["itl_count", ()]

    def test_clients_give_up_when_nobody_serves_them(self) -> None:
        """Who waits longer than a client's patience is gone, and counted as an abort."""
        one = QueueingReplica(USUAL, BOUNDS, "c", Workload(patience=30.0))
        inputs = {**USUAL, "batch_limit": 2.0}
        for _ in range(20):
            one.step(inputs, 15)
        obey(one)
        assert one.signals["finishes", (("reason", "abort"),)] > 1000
        assert one.signals["queue_depth", ()] == pytest.approx(30 * CAPACITY, rel=0.2)


class TestLaws:
    @settings(max_examples=30)
    @given(days=DAYS, seed=st.integers(0, 9))
    def test_no_request_is_lost_whatever_happens(
        self, days: list[tuple[dict[str, float], float]], seed: int
    ) -> None:
        """Who has come waits, runs, has given up or has an answer; tokens are those of replies; the cache suffices."""
        one = QueueingReplica(USUAL, BOUNDS, str(seed), Workload(patience=3.0))
        for changed, seconds in days:
            before = one.signals
            one.step({**USUAL, **changed}, seconds)
            obey(one)
            gauges = ("running", "queue_depth", "kv_cache_usage", "process_start")
            assert all(v >= before[key] for key, v in one.signals.items() if key[0] not in gauges)

    def test_the_same_seed_gives_the_same_numbers(self) -> None:
        """Chance is repeated: a figure that somebody saw can be seen again."""
        assert replica("x", arrivals=10.0).values == replica("x", arrivals=10.0).values
        assert replica("x", arrivals=10.0).values != replica("y", arrivals=10.0).values


class TestStories:
    @pytest.mark.parametrize("name", REPLICA)
    def test_an_input_out_of_all_reason_breaks_nothing(self, name: str) -> None:
        """A fault that is written out may set anything to anything."""
        for value in (0.0, 1.0, 1000.0):
            one = QueueingReplica(USUAL, BOUNDS, "seed")
            one.step({**USUAL, name: value}, 2)
            assert min(one.values[1:]) >= 0

    def test_a_stalled_replica_stands_still_behind_its_last_gauges(self) -> None:
        """A dead engine core makes no token, and looks as busy as it was."""
        one = QueueingReplica(USUAL, BOUNDS, "a")
        before = one.values
        one.step({**USUAL, "stalled": 1.0}, 600)
        assert (one.values, one.work.load, one.seen) == (before, 0.0, True)

    def test_a_restarted_replica_begins_at_zero(self) -> None:
        """Its counters start anew with its process, and fill again."""
        one = replica()
        tokens = one.signals["generation_tokens", ()]
        one.step({**USUAL, "restarted": 1.0}, 15)
        assert one.born == 660.0
        assert 0 < one.signals["generation_tokens", ()] < tokens / 10
        one.step({**USUAL, "restarted": 1.0}, 15)
        assert one.born == 660.0

    def test_a_burst_comes_once(self) -> None:
        """Requests that arrive at once wait in front of a full batch."""
        inputs = {**USUAL, "batch_limit": USUAL["running"], "arrivals": 0.0, "burst": 500.0}
        one = QueueingReplica(USUAL, BOUNDS, "a")
        one.step(inputs, 1)
        waiting = one.signals["queue_depth", ()]
        one.step(inputs, 1)
        assert 400 < waiting < 500
        assert one.signals["queue_depth", ()] < waiting

    def test_clients_that_wait_for_their_replies_keep_as_many_requests_in_flight(self) -> None:
        """A slower engine then serves fewer requests, and its batch stays as it was."""
        signals = replica(closed=1.0, itl_p95=3 * USUAL["itl_p95"]).signals
        assert signals["running", ()] == USUAL["running"]

    def test_people_sleep_at_night_and_rest_at_weekends(self) -> None:
        """Demand is least before dawn, less on Sundays, and bursts above the usual now and then."""
        demand = week("seed")
        means = [
            sum(demand(day * DAY + hour * 3600 + m * 60) for m in range(60)) / 60
            for day, hour in ((1, 16), (1, 4), (6, 16))
        ]
        assert means[1] < 0.5 * means[0]
        assert means[2] < 0.7 * means[0]
        assert max(demand(minute * 60.0) for minute in range(7 * 24 * 60)) > 1.2
