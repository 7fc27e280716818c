"""Replicas that a pool keeps so that one of them may fail: standing by is what they are there for."""

from collections import defaultdict
from collections.abc import Iterable

from sre.idle.observed import Held
from sre.idle.states import EMPTY_IDLE, EXCLUDED, LOADED_IDLE, STATES, WHOLE

_WIDTH = len(STATES)


def leave_out_kept(held: Iterable[Held], replicas: int, windows: int) -> None:
    """The busiest replicas of a pool are those that it keeps for availability: their idle minutes are left out."""
    by_replica = defaultdict[tuple[str, str], list[Held]](list)
    for one in held:
        by_replica[(one.seat.replica, "") if one.seat.replica else ("", one.seat.uuid)].append(one)
    for window in range(windows):
        there = []
        for name, cards in by_replica.items():
            cells = [card.tally.at(window) for card in cards]
            if any(map(any, cells)):
                idle = sum(cell[LOADED_IDLE] + cell[EMPTY_IDLE] for cell in cells)
                there.append((idle, name))
        for idle, name in sorted(there)[:replicas]:
            if idle:
                for card in by_replica[name]:
                    _leave_out(card, window)


def _leave_out(card: Held, window: int) -> None:
    for state in (LOADED_IDLE, EMPTY_IDLE):
        parts = card.tally.cells[window * _WIDTH + state]
        card.tally.cells[window * _WIDTH + state] = 0
        card.tally.add(window, EXCLUDED, parts)
        if parts:
            card.reasons["min_replicas"] += parts // WHOLE
