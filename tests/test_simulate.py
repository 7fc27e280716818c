"""The simulated replica and card obey the laws that real ones do, and say what Prometheus would make of them."""

from functools import cache
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre import content
from sre.catalogue.faults import COUNTED, Fault
from sre.catalogue.load import load
from sre.simulate.pool import Shape, Simulated, Simulator
from sre.simulate.replica import Key
from sre.simulate.samples import Run, Samples
from sre.simulate.story import Place
from sre.simulate.truth import Truth
from sre.simulate.windows import Windows, quantile

CATALOGUE = load(content.root())
BOUNDS = {
    "ttft": (0.001, 0.02, 0.06, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0),
    "itl": (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.3, 1.0),
    "e2e": (0.3, 0.8, 1.5, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0),
    "queue_wait": (0.3, 1.0, 10.0),
    "output_tokens": (1.0, 10.0, 50.0, 100.0, 200.0, 500.0, 1000.0),
}
LIMITS = {n: None if t.default is None else float(t.default) for n, t in CATALOGUE.thresholds.items()}
POOL = Place(0)


@cache
def story(name: str) -> Simulated:
    """Twenty minutes of a fault in a pool of two replicas with two cards each, scraped every half minute."""
    simulator = Simulator(Shape(2, 2, LIMITS, BOUNDS, 30))
    fault: Fault = CATALOGUE.faults[name]
    return simulator.simulate(simulator.lay_out(fault, fault, 1200))


def values(samples: Samples) -> list[float | None]:
    return [samples.at(index) for index in range(sum(run.length for run in samples.runs))]


def last(simulated: Simulated) -> int:
    return simulated.timeline.count - 1


def rate(simulated: Simulated, name: str, **labels: str) -> float:
    key: Key = (name, tuple(sorted(labels.items())))
    found = Windows(30).rate(simulated.engines[0].signals[key], last(simulated), 300)
    assert found is not None
    return found


class TestReplica:
    @pytest.mark.parametrize("name", ["healthy", "overload", "kv_thrash", "slow_decode", "output_longer"])
    def test_counters_never_fall(self, name: str) -> None:
        """A counter that loses its last bit would look like a restart to Prometheus."""
        simulated = story(name)
        for (signal, _), samples in simulated.engines[0].signals.items():
            if signal in ("running", "queue_depth", "kv_cache_usage", "process_start", "up"):
                continue
            seen = [value for value in values(samples) if value is not None]
            assert all(a <= b for a, b in pairwise(seen)), signal

    @pytest.mark.parametrize("name", ["healthy", "overload", "slow_prefill"])
    def test_buckets_hold_what_the_ones_below_them_hold(self, name: str) -> None:
        """Cumulative buckets rise with their bound, and the last one is the count."""
        signals = story(name).engines[0].signals
        for histogram, upper in BOUNDS.items():
            bounds = [*map(repr, upper), "+Inf"]
            rows = [values(signals[f"{histogram}_bucket", (("le", le),)]) for le in bounds]
            assert all(a <= b for low, high in pairwise(rows) for a, b in zip(low, high, strict=True))
            assert rows[-1] == values(signals[f"{histogram}_count", ()])

    def test_a_healthy_replica_obeys_littles_law(self) -> None:
        """Requests in the batch are the requests per second times the seconds that each stays."""
        simulated = story("healthy")
        served, stay = rate(simulated, "e2e_count"), rate(simulated, "e2e_sum") / rate(simulated, "e2e_count")
        running = simulated.engines[0].signals["running", ()].at(last(simulated))
        assert running == pytest.approx(served * stay, rel=0.05)

    def test_what_comes_in_and_is_not_served_waits(self) -> None:
        """Demand beyond a full batch grows the queue by just the difference."""
        simulated = story("batch_limit")
        waiting = simulated.engines[0].signals["queue_depth", ()]
        end, inputs = last(simulated), simulated.inputs(POOL, last(simulated))
        grown = (waiting.at(end) or 0) - (waiting.at(end - 10) or 0)
        assert grown == pytest.approx((inputs["arrivals"] - rate(simulated, "ttft_count")) * 300, abs=0.5)

    def test_a_stalled_replica_shows_its_last_gauges_and_makes_no_token(self) -> None:
        """A dead engine core behind a healthy endpoint looks busy for ever."""
        signals = story("engine_stall").engines[0].signals
        end = last(story("engine_stall"))
        assert signals["up", ()].at(end) == 1
        assert signals["running", ()].at(end) == signals["running", ()].at(0)
        assert Windows(30).increase(signals["generation_tokens", ()], end, 600) == 0

    def test_a_restarted_replica_begins_at_zero(self) -> None:
        """Its start time moves on, and its counters start anew."""
        simulated = story("crash_loop")
        signals, end = simulated.engines[0].signals, last(simulated)
        assert (signals["process_start", ()].at(end) or 0) > (signals["process_start", ()].at(0) or 0)
        assert (signals["generation_tokens", ()].at(end) or inf) < (
            signals["generation_tokens", ()].at(0) or 0
        )

    def test_a_promise_that_is_broken_three_times_over_reads_so(self) -> None:
        """The fault asks for a quantile, and the histogram tells it back through Prometheus' interpolation."""
        simulated = story("slow_prefill")
        buckets = {le: rate(simulated, "ttft_bucket", le=le) for le in (*map(repr, BOUNDS["ttft"]), "+Inf")}
        assert quantile(0.95, buckets) == pytest.approx(1.5, rel=1e-3)


class TestCard:
    def test_a_card_follows_its_engine(self) -> None:
        """A dead engine core leaves its cards idle; the other replica's work on."""
        simulated, end = story("engine_stall"), last(story("engine_stall"))
        assert simulated.cards[Place(0, 0)]["gpu_utilization", ()].at(end) == 0
        assert (simulated.cards[Place(1, 0)]["gpu_utilization", ()].at(end) or 0) > 0.2

    def test_a_card_off_the_bus_takes_its_series_along(self) -> None:
        """One card is gone, its neighbour in the same node is not."""
        simulated, end = story("gpu_off_bus"), last(story("gpu_off_bus"))
        assert simulated.cards[Place(0, 0)]["gpu_temperature", ()].at(end) is None
        assert simulated.cards[Place(0, 1)]["gpu_temperature", ()].at(end) is not None


class TestTruth:
    def test_the_fleet_is_as_large_as_declared(self) -> None:
        """Replicas that are not simulated count as long as they are declared and answer."""
        simulated = story("engine_gone")
        assert Truth(simulated, 3).value("pool:replicas_serving:count", POOL, last(simulated)) == 4

    def test_a_series_that_nobody_defined_is_no_number(self) -> None:
        """A sentence with a series that has no definition here does not get one by chance."""
        with pytest.raises(KeyError):
            Truth(story("healthy")).value("pool:unheard:of", POOL, 1)


runs = st.lists(
    st.builds(
        Run,
        st.integers(1, 5),
        st.none() | st.integers(-3, 40).map(float),
        st.integers(-2, 3).map(float),
    ),
    min_size=1,
    max_size=6,
)


def expanded(notation: str) -> list[float | None]:
    """What promtool reads (promql/parser/parse.go): `a+bxn` is n + 1 samples, `_xn` n gaps, `stale` one end."""
    found: list[float | None] = []
    for word in notation.split():
        if word == "stale" or word.startswith("_"):
            found += [None] * (1 if word == "stale" else int(word[2:]))
            continue
        start, _, times = word.partition("x")
        sign = max(start.rfind("+"), start.rfind("-"))
        first, step = (start[:sign], start[sign:]) if sign > 0 else (start, "0")
        found += [float(first) + float(step) * n for n in range(int(times or 0) + 1)]
    return found


class TestSamples:
    @given(runs)
    def test_the_notation_says_every_sample(self, parts: list[Run]) -> None:
        """What promtool reads out of it is what was written into it; gaps at the end need no words."""
        samples = Samples.joined(parts)
        seen = values(samples)
        while seen and seen[-1] is None:
            seen.pop()
        told = expanded(samples.notation)
        while told and told[-1] is None:
            told.pop()
        assert told == pytest.approx(seen) if None not in seen else told == seen

    @given(runs, st.data())
    def test_a_mask_hides_and_changes_nothing(self, parts: list[Run], data: st.DataObject) -> None:
        """Inside the spans a series is itself, outside it is absent."""
        samples = Samples.joined(parts)
        total = sum(part.length for part in parts)
        cut = data.draw(st.integers(0, total))
        inside = data.draw(st.booleans())
        hidden = values(samples.only([(cut, inside), (total - cut, not inside)]))
        shown = [value if (at < cut) == inside else None for at, value in enumerate(values(samples))]
        assert hidden == shown

    @given(st.lists(st.integers(0, 9), min_size=3, max_size=30), st.integers(2, 20))
    def test_growth_counts_what_came_after_a_restart_too(self, steps: list[int], window: int) -> None:
        """A counter that falls has started anew: its new value is growth, and nothing is lost or invented."""
        level, seen = 5.0, []
        for step in steps:
            level = 0.0 if step == 0 else level + step
            seen.append(level)
        samples = Samples.joined(Run(1, value) for value in seen)
        inside = seen[-window - 1 :]
        real = sum(b if b < a else b - a for a, b in pairwise(inside))
        found = Windows(30).increase(samples, len(seen) - 1, window * 30)
        assert found is not None
        whole = len(inside) == window + 1
        assert found == pytest.approx(real) if whole else found >= real - 1e-9


@pytest.mark.parametrize("name", ["overload", "signals_renamed", "crash_loop", "gpu_off_bus"])
def test_a_fault_that_heals_leaves_a_healthy_pool(name: str) -> None:
    """From the scrape at which it is mended every input is what it was, and only what was counted stays counted."""
    simulator, fault = Simulator(Shape(2, 2, LIMITS, BOUNDS, 30)), CATALOGUE.faults[name]
    line = simulator.lay_out(fault, fault, 1200, heals=600)
    ill = simulator.lay_out(fault, fault, 1200)
    assert line.mended == ill.count - 1
    assert line.count == ill.count + 20
    for place, stretches in line.places.items():
        assert stretches[-1].count == 21
        assert stretches[-1].hidden == frozenset()
        counted = {key: ill.places[place][-1].inputs[key] for key in COUNTED}
        assert stretches[-1].inputs == simulator.shape.usual | counted
