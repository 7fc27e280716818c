"""What became of every declared card-minute: one state each, held by whoever had the card."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sre.idle.observed import Held


@dataclass
class Ledger:
    """``cards`` are seats of declared cards, ``unseen`` those nobody saw; by pool, or by card type for free ones.

    ``beyond`` was seen and is declared by nobody: it is in no total.
    """

    minutes: tuple[int, ...]
    declared: int
    cards: list[Held]
    unseen: list[Held]
    beyond: list[Held] = field(default_factory=list)
    types: Mapping[str, str] = field(default_factory=dict)
    """Card type by seat's UUID, where it is known."""
    slices: Mapping[str, int] = field(default_factory=dict)
    """By UUID, of how many slices a card's minute is made up here: where they are not cards of their own."""

    def type_of(self, held: Held) -> str:
        """Of a card of no pool; that of one nobody saw stands where others have their replica."""
        return self.types.get(held.seat.uuid, "") if held.seat.uuid else held.seat.replica

    @property
    def entries(self) -> Iterable[Held]:
        yield from self.cards
        yield from self.unseen
