"""Pages of a backtest: which of them Alertmanager sends, and which the compiled inhibition keeps back."""

from pathlib import Path

import pytest

from sre import content
from sre.catalogue.load import load
from sre.checks.backtest.evaluation import Course
from sre.checks.backtest.history import Coverage
from sre.checks.backtest.inhibition import Inhibition
from sre.checks.backtest.recordings import Period
from sre.checks.backtest.run import Replay
from sre.checks.backtest.states import Span
from sre.checks.backtest.tally import tally
from sre.compile.planning import make_plan
from sre.fleet import load_text

EXAMPLE = Path(__file__).parent.parent / "examples" / "fleet.yaml"
PLAN = make_plan(load_text("fleet.yaml", EXAMPLE.read_bytes(), EXAMPLE.parent)[0], load(content.root()))
STEP, MINUTE, WEEK = 30_000, 60_000, 7 * 86_400_000
DEEP, SLOW = "LLMQueueDepthHigh", "LLMTimeToFirstTokenHigh"
"""A queue, and the first tokens that are late because of it."""


def course(alert, first, last, pool="chat-70b", severity="page", mark="", **labels):
    """One alert that fires from one minute to another."""
    rule = next(
        rule
        for planned in PLAN.alerts
        if planned.alert.name == alert
        for rule in planned.rules
        if rule.labels["severity"] == severity
    )
    begin, end = round(first * MINUTE), round(last * MINUTE)
    span = Span("firing", begin, end, (end - begin) // STEP + 1)
    return Course(rule, {**rule.labels, "pool": pool, **labels}, STEP, (span,), mark)


def week(*courses):
    """A week that was covered from end to end, so that a page is one in a week."""
    count = WEEK // STEP
    covered = Coverage(0, STEP, count, frozenset(range(count)))
    return Replay(Period(0, WEEK - STEP), covered, True, courses, ())


def pages(*courses, alerts=(DEEP, SLOW), alert=SLOW, pool="chat-70b", mark=""):
    """Pages of an alert: those that were sent, and those that there would have been without inhibition."""
    rows = tally(PLAN, alerts, week(*courses), mark)
    row = next(one for one in rows if (one.alert, one.pool) == (alert, pool))
    return row.pages_per_week, row.uninhibited_per_week


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ((10, 40), 0),
        # Alertmanager waits half a minute for a cause before it sends.
        ((20.5, 40), 0),
        ((21, 40), 1),
        # What outlasts its cause until the group is looked at again is told then.
        ((10, 25.5), 0),
        ((10, 25), 1),
        ((0, 5), 1),
    ],
    ids=["all the time", "within the wait", "too late", "until the next look", "not as long", "long before"],
)
def test_a_consequence_pages_only_where_its_cause_does_not_fire(cause, told):
    """Late first tokens for a few minutes are the queue's page, as long as that fires whenever anyone looks."""
    assert pages(course(DEEP, *cause), course(SLOW, 20, 27)) == (told, 1)
    assert pages(course(DEEP, *cause), course(SLOW, 20, 27), alert=DEEP) == (1, 1)


def test_the_queue_of_another_pool_keeps_nothing_back():
    """Inhibition stays within the pool."""
    assert pages(course(DEEP, 10, 40, pool="extract-8b"), course(SLOW, 20, 25)) == (1, 1)


def test_what_is_kept_back_after_it_was_told_is_not_told_anew():
    """One page, however often its cause comes and goes afterwards."""
    causes = [course(DEEP, first, first + 4, pod=f"chat-{first}") for first in (25, 35, 45)]
    assert pages(*causes, course(SLOW, 20, 60)) == (1, 1)


def test_one_replica_that_is_heard_is_a_page_for_all():
    """Alerts of a name and pool are one page; a card keeps back only what its own alerts say."""
    ecc = course("GPUDoubleBitECC", 10, 40, uuid="GPU-1")
    xids = [course("GPUXidError", 20, 30, uuid=uuid) for uuid in ("GPU-1", "GPU-2")]
    alerts = ("GPUDoubleBitECC", "GPUXidError")
    assert pages(ecc, xids[0], alerts=alerts, alert="GPUXidError") == (0, 1)
    assert pages(ecc, *xids, alerts=alerts, alert="GPUXidError") == (1, 1)


def test_a_ticket_is_no_page():
    """What wakes nobody is counted as a firing alone."""
    warm = course("GPUTemperatureHigh", 10, 20, severity="ticket")
    assert pages(warm, alerts=("GPUTemperatureHigh",), alert="GPUTemperatureHigh") == (0, 0)


def test_a_sweep_hears_what_may_keep_its_alert_back():
    """Causes are evaluated beside the one alert that moves, at their own numbers, and consequences are not."""
    causes = Inhibition.of(PLAN).causes(PLAN, SLOW)
    assert {DEEP, "LLMEngineDown", "GPUMissing"} <= causes
    assert causes.isdisjoint({SLOW, "LLMRequestLatencyHigh", "LLMCapacityHeadroomLow", "Watchdog"})
    swept = course(SLOW, 20, 25, mark="sweep0")
    assert pages(course(DEEP, 10, 40), swept, alerts=(SLOW,), mark="sweep0") == (0, 1)
    assert pages(course(DEEP, 10, 40), swept, alerts=(SLOW,), mark="") == (0, 0)
