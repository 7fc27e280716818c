"""What a server recorded of the cards: minutes by state and window, for each card and whoever held it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sre.idle.states import EXCLUDED, STATES, WHOLE, Tally

_STATE = {name: place for place, name in enumerate(STATES)}


@dataclass(frozen=True, order=True)
class Seat:
    """One card, or MIG slice, in one holding: who had it, as which replica. Empty texts where nobody did."""

    uuid: str
    mig: str
    pool: str
    replica: str


@dataclass
class Held:
    """What became of one seat. ``signals`` are minutes by what told the state, ``reasons`` those left out, by why."""

    seat: Seat
    tally: Tally
    labels: Mapping[str, str] = field(default_factory=dict)
    signals: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


class Observed:
    """Minutes as they are read. Times are counted by the number of their window."""

    def __init__(self, minutes: Iterable[int]) -> None:
        """``minutes`` of each window."""
        self.minutes = tuple(minutes)
        self.held: dict[Seat, Held] = {}
        self._full: dict[tuple[str, str], Tally] = {}

    def add(self, seat: Seat, labels: Mapping[str, str], counts: Iterable[tuple[int, int]]) -> None:
        """(window, minutes) of one series: a seat in one state, told by one kind of evidence.

        A card has no more minutes than its window, whoever else tells of it: two servers that evaluate the rules
        would count each twice.
        """
        state = _STATE.get(labels.get("state", ""))
        if state is None:
            return
        held = self.held.get(seat)
        if held is None:
            held = self.held[seat] = Held(seat, Tally(len(self.minutes)), _lasting(labels))
        full = self._full.get((seat.uuid, seat.mig))
        if full is None:
            full = self._full[seat.uuid, seat.mig] = Tally(len(self.minutes))
        evidence, width = labels.get("evidence", ""), len(STATES)
        for window, minutes in counts:
            room = self.minutes[window] - full.cells[window * width]
            taken = min(minutes, room)
            if taken > 0:
                full.cells[window * width] += taken
                held.tally.cells[window * width + state] += taken * WHOLE
                held.signals[evidence] += taken
                if state == EXCLUDED:
                    held.reasons[evidence] += taken

    def seen(self) -> list[int]:
        """Minutes of each window in which anything was recorded: those of the card that has most."""
        width = len(STATES)
        most = [0] * len(self.minutes)
        for full in self._full.values():
            most = [max(pair) for pair in zip(most, full.cells[::width], strict=True)]
        return most

    def slices(self) -> dict[str, int]:
        """How many MIG slices of a card were there at once, by UUID; 1 for a whole card."""
        found = defaultdict[str, list[Tally]](list)
        for (uuid, mig), full in self._full.items():
            if mig:
                found[uuid].append(full)
        width = len(STATES)
        return {
            uuid: max(
                sum(1 for one in tallies if one.cells[window * width]) for window in range(len(self.minutes))
            )
            for uuid, tallies in found.items()
        }

    def by_card(self) -> Iterator[tuple[tuple[str, str], list[Held]]]:
        """Cards with all of their holdings, in order."""
        found = defaultdict[tuple[str, str], list[Held]](list)
        for seat in sorted(self.held):
            found[seat.uuid, seat.mig].append(self.held[seat])
        yield from found.items()


def _lasting(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name in ("gpu", "gpu_model", "host") if (value := labels.get(name))}
