"""The life of an alert, against what its durations mean, and the expressions that are taken apart for it."""

from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.checks.backtest.expressions import reaches, split
from sre.checks.backtest.states import OUTAGE, Patience, Span, spans

STEP = 30_000
durations = st.integers(0, 5).map(lambda n: n * STEP) | st.integers(0, 150_000)
patience = st.builds(Patience, durations, durations)
ahead = st.sampled_from([1] * 12 + [2, 3, OUTAGE // STEP, OUTAGE // STEP + 1])
steps = st.lists(st.tuples(st.booleans(), ahead), max_size=60)


def reference(evaluations, found, patience):
    """By the meaning of the durations alone: each evaluation looks back over everything before it.

    An alert fires where the condition has held for `for`, and goes on while the first evaluation without it lies
    less than `keep_firing_for` back. It is pending where the condition holds and it does not fire.
    """
    states = []
    for index in range(len(evaluations)):
        begin = index
        while begin and evaluations[begin] - evaluations[begin - 1] <= OUTAGE:
            begin -= 1
        states.append(_state(evaluations[begin : index + 1], found, patience))
    return states


def _state(past, found, patience):
    fires, since, lost = False, None, None
    for at in past:
        if at in found:
            lost = None
            since = at if since is None else since
            fires = fires or at - since >= patience.hold
            continue
        lost = at if lost is None else lost
        if not fires or at - lost >= patience.keep:
            fires, since, lost = False, None, None
    if fires:
        return "firing"
    return None if since is None else "pending"


def laid_out(steps):
    at, evaluations, found = 1_000_000, [], set()
    for held, ahead in steps:
        evaluations.append(at)
        if held:
            found.add(at)
        at += ahead * STEP
    return evaluations, frozenset(found)


class TestStates:
    @settings(max_examples=300)
    @given(steps, patience)
    def test_each_evaluation_is_in_the_state_that_its_past_gives_it(self, steps, patience):
        """Whatever comes and goes, or is not evaluated, each state follows from the two durations."""
        evaluations, found = laid_out(steps)
        told = {
            at: span.state
            for span in spans(evaluations, found, patience)
            for at in evaluations
            if span.first <= at <= span.last
        }
        assert [told.get(at) for at in evaluations] == reference(evaluations, found, patience)

    @given(steps, patience)
    def test_spans_are_whole_and_apart(self, steps, patience):
        """Spans come in order, do not overlap, and count each of their evaluations once."""
        evaluations, found = laid_out(steps)
        course = spans(evaluations, found, patience)
        assert [one.count for one in course] == [
            sum(one.first <= at <= one.last for at in evaluations) for one in course
        ]
        assert all(before.last < after.first for before, after in pairwise(course))

    @given(steps, st.integers(0, 8))
    def test_without_patience_it_fires_where_the_condition_holds(self, steps, keep):
        """Without `for` and `keep_firing_for` the firing evaluations are those that found the condition."""
        evaluations, found = laid_out(steps)
        course = spans(evaluations, found, Patience())
        assert sum(one.count for one in course if one.state == "firing") == len(found)
        kept = spans(evaluations, found, Patience(0, keep * STEP))
        assert sum(one.count for one in kept) >= len(found)

    def test_keep_firing_for_counts_from_the_end_of_the_condition(self):
        """Two minutes of condition and one of patience fire for three, as Prometheus does, not for two."""
        evaluations = range(0, 600_000, STEP)
        found = frozenset(range(60_000, 180_000, STEP))
        assert spans(evaluations, found, Patience(60_000, 60_000)) == (
            Span("pending", 60_000, 90_000, 2),
            Span("firing", 120_000, 210_000, 4),
        )

    def test_a_gap_changes_nothing_and_a_long_outage_forgets(self):
        """Within an hour without evaluations `for` goes on; after more than one it begins anew."""
        found = frozenset(range(0, 3 * OUTAGE, STEP))
        short = [0, STEP, OUTAGE + STEP, OUTAGE + 2 * STEP]
        long = [0, STEP, OUTAGE + 2 * STEP, OUTAGE + 3 * STEP]
        hold = Patience(2 * STEP)
        assert [(one.state, one.count) for one in spans(short, found, hold)] == [
            ("pending", 2),
            ("firing", 2),
        ]
        assert [(one.state, one.count) for one in spans(long, found, hold)] == [
            ("pending", 2),
            ("pending", 2),
        ]
        assert [state for state, _ in groupby(reference(long, found, hold))] == ["pending"]


SPLIT = [
    ("raw > 1", "copy:0 > 1", ["raw{}"]),
    ("r:a > on (pool) group_left () r:b", "r:a{} > on (pool) group_left () r:b{}", []),
    (r'rate(raw{j=~"a\\.b|c"}[5m]) * on (x) r:a', "copy:0 * on (x) r:a{}", [r'rate(raw{j=~"a\\.b|c"}[5m])']),
    ("scalar(raw) + r:a offset 10m", "scalar(copy:0) + r:a{} offset 10m", ["raw{}"]),
    ("r:a * (raw or raw offset 5m)", "r:a{} * copy:0", ["(raw{} or  raw{} offset 5m)"]),
    (
        "r:a + raw + raw offset 5m + rawer",
        "r:a{} + copy:2 + copy:0 + copy:1",
        ["raw{} offset 5m", "rawer{}", "raw{}"],
    ),
    ("time() - r:a", "time() - r:a{}", []),
]


class TestExpressions:
    @pytest.mark.parametrize(("expr", "here", "asked"), SPLIT)
    def test_what_reads_no_record_is_asked_for_as_it_stands(self, expr, here, asked):
        """The largest parts over other series become series of their own; texts keep every escape."""
        names = []

        def name(part):
            names.append(part)
            return f"copy:{len(names) - 1}"

        text, parts = split(expr, {"r:a", "r:b"}, name)
        assert (text, list(parts.values())) == (here, asked)

    def test_a_window_over_both_kinds_is_refused(self):
        """A subquery over records and raw series has no parts that could be asked for apart."""
        with pytest.raises(ValueError, match="one window"):
            split("max_over_time((raw + r:a)[1h:1m])", {"r:a"}, str)

    def test_how_far_back_an_expression_reads(self):
        """Windows, offsets and subqueries add up."""
        expr = (
            "avg_over_time(a[1h] offset 167h30m) or max_over_time((b offset 5m)[1h:1m] offset 1h) or c or a"
        )
        assert reaches(expr) == {"a": 606_600_000, "b": 7_500_000, "c": 0}
