import io

from sre.usage.journal import Journal


def test_a_line_is_one_line_whatever_it_tells():
    """Text from outside neither ends a line nor makes a field; a terminal has nothing to act on."""
    told = io.StringIO()
    Journal(lambda: 1790000000.5, told).warning(
        "records were skipped", route='a"b\n\x1b[31m level=error', count=3
    )
    assert told.getvalue() == (
        'time=1790000000.500 level=warning event="records were skipped" route="a\\"b[31m level=error" count=3\n'
    )


def test_what_happens_all_the_time_is_told_now_and_then():
    """The same event is told once in ten seconds, with how often it was left out; others are not held back by it."""
    now, told = 100.0, io.StringIO()
    journal = Journal(lambda: now, told)
    for _ in range(1000):
        journal.error("the disk is full", where="/state")
        journal.info("another", where="/elsewhere")
    now = 111.0
    journal.error("the disk is full", where="/state")
    lines = told.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[-1].endswith("left_out=999")


def test_events_that_never_repeat_are_not_remembered_for_ever():
    """A thousand places are remembered, not a million."""
    journal = Journal(lambda: 100.0, io.StringIO(), most=10)
    for number in range(1000):
        journal.info("an event", where=str(number))
    assert len(journal._last) <= 10
