"""When what changes for whom: a story of the fault catalogue, laid on the grid of scrapes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from sre.catalogue.faults import COUNTED, SIGNED, Fault, Step, Story
from sre.catalogue.formula import Formula

Known = Mapping[str, float | None]

_OUTAGE = 2
"""Scrapes that fail while a replica restarts."""


class Place(NamedTuple):
    """A replica (``card`` is None) or one card of it, counted from 0."""

    replica: int
    card: int | None = None


@dataclass(frozen=True)
class Stretch:
    """``count`` scrapes with the same inputs."""

    count: int
    inputs: dict[str, float]
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Timeline:
    """Inputs of every place over time. Scrape ``start`` is the first that sees the fault, ``onset`` the first
    after which nothing changes any more, ``mended`` the first at which all is well again, where it heals; before
    ``dawn`` nothing runs but the targets themselves.
    """

    count: int
    start: int
    onset: int
    dawn: int
    mended: int | None
    places: dict[Place, tuple[Stretch, ...]]


@dataclass
class _Change:
    index: int
    on: str
    values: dict[str, float]
    hidden: frozenset[str] = field(default_factory=frozenset)
    mends: bool = False


def lay_out(
    story: Story,
    fault: Fault,
    usual: dict[str, float],
    thresholds: Known,
    shape: tuple[int, int],
    interval: int,
    seconds: int,
    dawn: int = 0,
    until: int = 0,
    heals: int = 0,
) -> Timeline:
    """``story`` (the fault itself, or one of its silent neighbours) for ``shape`` = (replicas, cards each).

    It runs ``seconds`` beyond its onset, and at least to the scrape ``until``; where it ``heals``, all is well
    again from then on, for so many seconds more. ``usual`` are the healthy inputs.
    """
    known = {**usual, **thresholds}
    base = usual | _values(story.before, known, usual)
    start = dawn + (fault.history + fault.quiet) // interval
    changes = list(_changes(story, fault, base, known, start, interval))
    onset = max(
        [start + ceil(fault.onset / interval), *(c.index for c in changes if "restarted" in c.values)]
    )
    mended = onset + ceil(seconds / interval)
    if heals:
        changes.append(_Change(mended, "pool", _well(usual), mends=True))
    count = max(mended + ceil(heals / interval), until) + 1
    places = [Place(r, c) for r in range(shape[0]) for c in (None, *range(shape[1]))]
    return Timeline(
        count,
        start,
        onset,
        dawn,
        mended if heals else None,
        {p: _stretches([c for c in changes if _hits(c, p, places[-1])], base, count, dawn) for p in places},
    )


def _well(usual: Mapping[str, float]) -> dict[str, float]:
    """Healthy inputs; what counts restarts and rows goes on from where it is."""
    return {name: value for name, value in usual.items() if name not in COUNTED}


def _values(formulas: Mapping[str, Formula], known: Known, base: dict[str, float]) -> dict[str, float]:
    found = ((name, formula.value({**known, "healthy": base[name]})) for name, formula in formulas.items())
    # Of what a fleet's own numbers make less than nothing, there is nothing.
    return {
        name: float(value) if name in SIGNED else max(0.0, float(value))
        for name, value in found
        if value is not None
    }


def _changes(
    story: Story, fault: Fault, base: dict[str, float], known: Known, start: int, interval: int
) -> Iterator[_Change]:
    if fault.quiet:
        yield _Change(start - fault.quiet // interval, "pool", {"arrivals": 0.0})
        yield _Change(start, "pool", {"arrivals": base["arrivals"]})
    for step in story.steps:
        yield from _step(step, base, known, start + ceil(step.at / interval), interval)


def _step(step: Step, base: dict[str, float], known: Known, index: int, interval: int) -> Iterator[_Change]:
    values = _values(step.set, known, base)
    times = round(values.pop("restarted", 0.0))
    if times:
        pace = max(_OUTAGE + 1, min(240, 2400 // times) // interval)
        for number in range(times):
            at = index + number * pace
            yield _Change(at, step.on, {"unreachable": 1.0})
            yield _Change(at + _OUTAGE, step.on, {"unreachable": 0.0, "restarted": number + 1.0})
    yield _Change(index, step.on, values, frozenset(step.hide))


def _hits(change: _Change, place: Place, last: Place) -> bool:
    if change.on == "pool":
        return True
    if change.on == "neighbour":
        return place == last
    return place.replica == 0 and (change.on == "replica" or place.card == 0)


def _stretches(changes: list[_Change], base: dict[str, float], count: int, dawn: int) -> tuple[Stretch, ...]:
    at, inputs, hidden = 0, dict(base), frozenset[str]()
    stretches = [Stretch(dawn, {**inputs, "asleep": 1.0})] if dawn else []
    at = dawn
    for change in sorted(changes, key=lambda c: c.index):
        if change.index > at:
            stretches.append(Stretch(change.index - at, inputs, hidden))
            at = change.index
        inputs = inputs | change.values
        hidden = frozenset() if change.mends else hidden | change.hidden
    return (*stretches, Stretch(count - at, inputs, hidden))
