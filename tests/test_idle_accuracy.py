"""How often the idle report is right, over a day of known states: the month is on docs/idle-accuracy.md."""

import re
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
sys.path.insert(0, str(CHECKOUT / "tools" / "idle"))

import measure  # noqa: E402

IDLE = ("loaded_idle", "empty_idle", "unallocated")


@pytest.fixture(scope="module")
def by_kind():
    # Two days: on the second a pod comes back under another name.
    return measure.measure(2)


@pytest.fixture(scope="module")
def confusion(by_kind):
    return measure.together(by_kind)


def test_every_kind_of_card_is_told(by_kind):
    """Slices, cards that two pods share, those of two exporters or without counters: each is nearly always right."""
    assert set(by_kind) == {
        "GPU_UTIL alone", "MIG slice", "MIG slice without profiling counters", "profiling counters",
        "time-slicing, two pods at work", "two exporters",
    }  # fmt: skip
    for own in by_kind.values():
        assert measure.right(own) >= 0.98
        assert sum(own[truth, state] for truth in ("busy", "unknown") for state in IDLE) == 0


def test_ninety_nine_of_a_hundred_hours_are_right(confusion):
    """Of all card-minutes, and of those of every state, nearly all are told as what they were."""
    assert measure.right(confusion) >= 0.99
    for state in {truth for truth, _ in confusion}:
        all_of = sum(count for (truth, _), count in confusion.items() if truth == state)
        assert confusion[state, state] >= 0.98 * all_of


def test_no_busy_card_and_no_silent_one_is_called_idle(confusion):
    """Work is never called idle, and neither is what nobody knows anything of."""
    assert sum(confusion[truth, state] for truth in ("busy", "unknown") for state in IDLE) == 0


def test_the_committed_month_says_the_same():
    """On the page of a month all but one in a hundred hours are right, and none is idle wrongly."""
    text = (CHECKOUT / "docs" / "idle-accuracy.md").read_text()
    found = re.search(r"\*\*([\d.]+)%\*\* of all GPU-hours", text)
    assert found
    assert float(found[1]) >= 99
    assert re.search(r"telemetry 0\.0 are called idle,\s+of\s+busy\s+ones\s+0\.0", text)
