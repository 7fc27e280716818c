"""The states of a card, as `gpu:state:info` names them, and minutes counted by them."""

from array import array
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

STATES = ("busy", "underused", "loaded_idle", "empty_idle", "unallocated", "unknown", "excluded")
BUSY, UNDERUSED, LOADED_IDLE, EMPTY_IDLE, UNALLOCATED, UNKNOWN, EXCLUDED = range(len(STATES))
IDLE = (LOADED_IDLE, EMPTY_IDLE, UNALLOCATED)
"""Those in which a card is paid for and does nothing."""

_LEAST_KNOWN = (UNKNOWN, EXCLUDED, UNALLOCATED, EMPTY_IDLE, LOADED_IDLE, UNDERUSED, BUSY)
"""In the order in which minutes are given away where there are too many of them."""

SPELLED = {
    "busy": "busy",
    "underused": "underused",
    "loaded_idle": "loaded, idle",
    "empty_idle": "empty, idle",
    "unallocated": "unallocated",
    "unknown": "unknown",
    "excluded": "left out",
}
"""For people."""

MEANING = {
    "busy": "worked at its target or above",
    "underused": "had traffic, and worked less than its target",
    "loaded_idle": "held a model, and no request came",
    "empty_idle": "held by somebody, with nothing loaded",
    "unallocated": "held by nobody",
    "unknown": "neither the card nor its engine said anything",
    "excluded": "left out: kept for availability, just started, being tested, or scaled in",
}

WHOLE = 840
"""A card's minute in parts, so that a card of up to eight MIG slices can be counted by the slice in whole numbers."""

PER_HOUR = 60 * WHOLE


class Tally:
    """Parts of card-minutes by window and state."""

    def __init__(self, windows: int) -> None:
        self.cells = array("I", bytes(array("I").itemsize * windows * len(STATES)))

    def add(self, window: int, state: int, parts: int) -> None:
        self.cells[window * len(STATES) + state] += parts

    def at(self, window: int) -> "array[int]":
        """Parts by state in one window."""
        return self.cells[window * len(STATES) : (window + 1) * len(STATES)]

    def sums(self) -> list[int]:
        """Parts by state over all windows."""
        return [sum(self.cells[state :: len(STATES)]) for state in range(len(STATES))]

    def move(self, target: "Tally", window: int, parts: int) -> int:
        """So many parts of a window to another tally; the value is how many there were."""
        moved = 0
        for state in _LEAST_KNOWN:
            here = window * len(STATES) + state
            taken = min(self.cells[here], parts - moved)
            if taken:
                self.cells[here] -= taken
                target.cells[here] += taken
                moved += taken
        return moved

    def surrounds(self, window: int) -> bool:
        """Whether there is something in the window, or both before and behind it."""
        here = window * len(STATES)
        return any(self.at(window)) or (any(self.cells[:here]) and any(self.cells[here:]))

    def include(self, other: "Tally") -> None:
        self.cells = array("I", map(int.__add__, self.cells, other.cells))


def hours(parts: Iterable[int]) -> dict[str, Decimal]:
    """GPU-hours by state, to the thousandth, and their `total`: rounded so that they add up to it exactly."""
    counts = list(parts)
    exact = [Fraction(1000 * count, PER_HOUR) for count in counts]
    floors = [int(one) for one in exact]
    total = round(Fraction(1000 * sum(counts), PER_HOUR))
    order = sorted(range(len(exact)), key=lambda place: (floors[place] - exact[place], place))
    for place in order[: total - sum(floors)]:
        floors[place] += 1
    found = {name: Decimal(floor) / 1000 for name, floor in zip(STATES, floors, strict=True)}
    return {**found, "total": Decimal(total) / 1000}


def idle_hours(parts: Iterable[int]) -> Decimal:
    """Hours of the idle states, as ``hours`` rounds them."""
    found = hours(parts)
    return sum((found[STATES[state]] for state in IDLE), Decimal(0))


def idle_share(parts: Iterable[int]) -> Fraction:
    """Idle card-time of all card-time."""
    counts = list(parts)
    return Fraction(sum(counts[state] for state in IDLE), sum(counts) or 1)


def named(hours_by_state: Mapping[str, Decimal]) -> dict[str, float]:
    """The same as plain numbers, for JSON."""
    return {name: float(value) for name, value in hours_by_state.items()}
