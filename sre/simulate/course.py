"""What happens to each place of a pool, moment by moment, when several faults come and go."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from operator import attrgetter
from typing import NamedTuple

from sre.catalogue.faults import Fault
from sre.simulate.story import Known, Place, Timeline, lay_out


@dataclass(frozen=True)
class Happening:
    """A fault of a pool: it begins at the second ``at``, and is mended ``lasts`` seconds later, or never."""

    fault: Fault
    at: int
    lasts: int | None = None

    @property
    def end(self) -> float:
        return inf if self.lasts is None else self.at + self.lasts


class Moment(NamedTuple):
    """From ``second`` on these are the inputs, and these signals are hidden."""

    second: float
    inputs: dict[str, float]
    hidden: frozenset[str]


Courses = dict[Place, tuple[Moment, ...]]


def current(course: Sequence[Moment], second: float) -> Moment:
    """What holds at a second of a course."""
    if len(course) == 1:
        return course[0]
    # What comes to pass within a rounding of now comes to pass now.
    return course[max(0, bisect_right(course, second + 1e-6, key=attrgetter("second")) - 1)]


def courses(
    happenings: tuple[Happening, ...],
    usual: dict[str, float],
    thresholds: Known,
    shape: tuple[int, int],
    interval: int,
) -> Courses:
    """Moments of every place of a pool of ``shape`` = (replicas, cards each); where faults meet, the later wins.

    A story's own times are kept to the ``interval``, the seconds between two scrapes.
    """
    told = [(one, _timeline(one, usual, thresholds, shape, interval)) for one in happenings]
    places = [Place(r, c) for r in range(shape[0]) for c in (None, *range(shape[1]))]
    return (
        {place: _course(place, told, usual, interval) for place in places}
        if told
        else _nothing(places, usual)
    )


def _nothing(places: list[Place], usual: dict[str, float]) -> Courses:
    return dict.fromkeys(places, (Moment(0, usual, frozenset()),))


def _timeline(
    one: Happening, usual: dict[str, float], thresholds: Known, shape: tuple[int, int], interval: int
) -> Timeline:
    fault = one.fault.model_copy(update={"history": 0, "quiet": 0})
    return lay_out(fault, fault, usual, thresholds, shape, interval, one.lasts or interval)


class _Span(NamedTuple):
    begin: float
    end: float
    changed: Mapping[str, float]
    hidden: frozenset[str]


def _course(
    place: Place, told: list[tuple[Happening, Timeline]], usual: dict[str, float], interval: int
) -> tuple[Moment, ...]:
    spans = [span for one, line in told for span in _spans(one, line, place, usual, interval)]
    seconds = {0.0, *(s.begin for s in spans), *(s.end for s in spans if s.end < inf)}
    moments = list[Moment]()
    for second in sorted(seconds):
        now = [span for span in spans if span.begin <= second < span.end]
        inputs = usual | {name: value for span in now for name, value in span.changed.items()}
        moments.append(Moment(second, inputs, frozenset(name for span in now for name in span.hidden)))
    return tuple(moments)


def _spans(
    one: Happening, line: Timeline, place: Place, usual: dict[str, float], interval: int
) -> Iterator[_Span]:
    at, stretches = one.at, line.places[place]
    for number, stretch in enumerate(stretches):
        last = number == len(stretches) - 1
        end = one.end if last else min(one.end, at + stretch.count * interval)
        changed = {name: value for name, value in stretch.inputs.items() if value != usual[name]}
        if at < end and (changed or stretch.hidden):
            yield _Span(at, end, changed, stretch.hidden)
        at += stretch.count * interval
