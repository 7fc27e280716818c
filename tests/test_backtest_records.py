"""What a rule gave over a period, written as its server would have recorded it."""

import pytest

from sre.answers import Series
from sre.checks.backtest.history import Coverage
from sre.checks.backtest.scratch import Record, scratch

START, MINUTE = 1_791_200_400, 60


@pytest.fixture
def recorded():
    """``recorded(*series)`` -> ``value(minute)`` of what is recorded of answers to one page of ten minutes."""
    with scratch() as own:

        def write(*found):
            page = range(START * 1000, (START + 10 * MINUTE) * 1000, MINUTE * 1000)
            Record(own, "recorded", {}, Coverage(page[0], page.step, 10, frozenset(range(10)))).add(
                page, found
            )
            own.flush()

            def value(minute):
                return [one.value for one in own.server.query("recorded", START + minute * MINUTE)]

            return value

        yield write


def points(name, value, *minutes):
    return Series({"__name__": name, "x": "1"}, tuple((START + at * MINUTE, value) for at in minutes))


def test_a_series_that_comes_from_two_sides_is_one(recorded):
    """Of `a or b` an answer holds both names: what is recorded of them goes on from one to the other, and ends once."""
    value = recorded(points("a", 1.0, 0, 1, 6), points("b", 2.0, 2, 3))
    assert [value(minute) for minute in range(8)] == [[1.0], [1.0], [2.0], [2.0], [], [], [1.0], []]
