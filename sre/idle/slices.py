"""MIG slices as parts of a card, where the fleet file declares cards and not slices."""

from collections.abc import Collection, Iterable, Mapping

from sre.fleet import Pool
from sre.idle.declared import most
from sre.idle.observed import Held


def are_cards(held: Collection[Held], pool: Pool, whole: int) -> bool:
    """Whether the fleet file calls each slice a card: then there are no more of them than it declares.

    ``whole`` are the parts of the period that one card has.
    """
    slices = {(one.seat.uuid, one.seat.mig) for one in held}
    return len(slices) <= most(pool) and sum(sum(one.tally.cells) for one in held) <= most(pool) * whole


def divide(held: Iterable[Held], slices: Mapping[str, int]) -> None:
    """Each slice counts as its part of the card; ``slices`` are those of a card at once, by UUID."""
    for one in held:
        count = slices.get(one.seat.uuid, 1) if one.seat.mig else 1
        if count > 1:
            for place, parts in enumerate(one.tally.cells):
                if parts:
                    one.tally.cells[place] = parts // count
