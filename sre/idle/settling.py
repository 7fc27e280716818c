"""Observed minutes settled against the cards that are declared: each declared card-minute has exactly one state.

What is not there is named by who misses it: a pool whose card nobody saw has unknown minutes, a pool that may be
smaller has minutes that are left out, and cards beyond all pools that nobody saw are unallocated while others were
seen. What is there and nobody declared is kept apart, so that totals stay cards times hours.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from sre.fleet import Fleet, Pool
from sre.idle.availability import leave_out_kept
from sre.idle.declared import declared_cards, least, most
from sre.idle.ledger import Ledger
from sre.idle.models import Types
from sre.idle.observed import Held, Observed, Seat
from sre.idle.slices import are_cards, divide
from sre.idle.states import (
    EXCLUDED,
    STATES,
    UNALLOCATED,
    UNKNOWN,
    WHOLE,
    Tally,
)

_WIDTH = len(STATES)


def settle(fleet: Fleet, observed: Observed) -> Ledger:
    """The ledger of a period. Cards in all are `capacity`, where a type has one, else what the pools declare."""
    return _Settling(fleet, observed).settle()


class _Settling:
    def __init__(self, fleet: Fleet, observed: Observed) -> None:
        self._fleet, self._observed = fleet, observed
        self._pools = {pool.name: pool for pool in fleet.pools if pool.gpus}
        self._slots = [minutes * WHOLE for minutes in observed.minutes]
        self._looked = [minutes * WHOLE for minutes in observed.seen()]
        self._types = Types(fleet, observed.held.values())
        self._unseen: dict[str, Held] = {}
        self._beyond: dict[Seat, Held] = {}
        self._cards: dict[Seat, Held] = {}
        self._slices: dict[str, int] = {}

    def settle(self) -> Ledger:
        """Pool by pool, then what is beyond them."""
        by_pool, free = self._sorted()
        room, spare = self._room(), self._all_declared(by_pool, free)
        for name, pool in self._pools.items():
            assert pool.gpus
            known = {(one.seat.uuid, one.seat.mig) for one in by_pool[name]}
            mine = [
                one
                for one in free
                if (one.seat.uuid, one.seat.mig) in known
                or (pool.gpus.type in spare and self._types.of(one) == pool.gpus.type)
            ]
            self._fill(pool, by_pool[name], mine, room[pool.gpus.type])
        for kind, left in room.items():
            if kind in self._fleet.capacity:
                self._spare(kind, left, free)
        for held in free:
            self._put_aside(held)
        for name, pool in self._pools.items():
            if pool.min_replicas:
                leave_out_kept(
                    [h for h in self._cards.values() if h.seat.pool == name],
                    pool.min_replicas,
                    len(self._slots),
                )
        return Ledger(
            self._observed.minutes,
            sum(declared_cards(self._fleet).values()),
            [held for _, held in sorted(self._cards.items())],
            [held for _, held in sorted(self._unseen.items())],
            [held for _, held in sorted(self._beyond.items())],
            {
                held.seat.uuid: self._types.of(held)
                for held in [*self._cards.values(), *self._unseen.values()]
            },
            self._slices,
        )

    def _sorted(self) -> tuple[dict[str, list[Held]], list[Held]]:
        """Seats by pool, and those of no pool; slices counted as parts of a card where the pool declares cards."""
        by_pool, free, whole = defaultdict[str, list[Held]](list), list[Held](), set[str]()
        for held in self._observed.held.values():
            (by_pool[held.seat.pool] if held.seat.pool in self._pools else free).append(held)
        slices = self._observed.slices()
        for name, pool in self._pools.items():
            mine = by_pool[name]
            if any(held.seat.mig for held in mine) and not are_cards(mine, pool, sum(self._slots)):
                divide(mine, slices)
            else:
                whole |= {held.seat.uuid for held in mine}
        divide(free, slices)
        self._slices = {uuid: parts for uuid, parts in slices.items() if uuid not in whole}
        return by_pool, free

    def _all_declared(self, by_pool: Mapping[str, list[Held]], free: list[Held]) -> set[str]:
        """Types without `capacity` of which no more cards were seen than pools declare: free ones are theirs."""
        seen = defaultdict[str, set[str]](set)
        for one in [*(one for held in by_pool.values() for one in held), *free]:
            seen[self._types.of(one)].add(one.seat.uuid)
        declared = declared_cards(self._fleet)
        return {
            kind
            for kind in declared
            if kind not in self._fleet.capacity and len(seen[kind]) <= declared[kind]
        }

    def _room(self) -> dict[str, list[int]]:
        """Parts of each window that are free beyond what pools always have, by card type."""
        room = {}
        for kind, cards in declared_cards(self._fleet).items():
            pools = [pool for pool in self._pools.values() if pool.gpus and pool.gpus.type == kind]
            fixed = sum(map(least if kind in self._fleet.capacity else most, pools))
            room[kind] = [max(0, cards - fixed) * slot for slot in self._slots]
        return room

    def _fill(self, pool: Pool, held: list[Held], returned: list[Held], room: list[int]) -> None:
        bound = least(pool) if pool.gpus and pool.gpus.type in self._fleet.capacity else most(pool)
        order = sorted(held, key=lambda one: (-sum(one.tally.cells), one.seat))
        sums = _sums(held, len(self._slots))
        for window, slot in enumerate(self._slots):
            have, due = sums[window], bound * slot
            if have > due:
                more = min(have - due, room[window])
                room[window] -= more
                self._trim(order, window, have - due - more)
            elif have < due:
                missing = self._adopt(pool, returned, window, due - have)
                missing = self._gaps(order, window, missing)
                self._miss(pool, window, missing, bound)
        for one in held:
            self._cards[one.seat] = one

    def _trim(self, order: list[Held], window: int, parts: int) -> None:
        """Take away what is more than declared, from those least there."""
        for one in reversed(order):
            if not parts:
                return
            parts -= one.tally.move(self._aside(one.seat).tally, window, parts)

    def _adopt(self, pool: Pool, returned: list[Held], window: int, parts: int) -> int:
        """Cards that are the pool's, and that nobody has now: they stand for what it misses."""
        for one in returned:
            if parts and any(one.tally.at(window)):
                seat = Seat(one.seat.uuid, one.seat.mig, pool.name, "")
                target = self._cards.setdefault(seat, Held(seat, Tally(len(self._slots)), one.labels))
                parts -= one.tally.move(target.tally, window, parts)
        return parts

    def _gaps(self, order: list[Held], window: int, parts: int) -> int:
        """Minutes that a card of the pool lacks between others that it has are unknown."""
        for one in order:
            if not parts:
                break
            lacks = self._slots[window] - sum(one.tally.at(window))
            if lacks > 0 and one.tally.surrounds(window) and not self._elsewhere(one, window):
                taken = min(lacks, parts)
                one.tally.add(window, UNKNOWN, taken)
                parts -= taken
        return parts

    def _elsewhere(self, one: Held, window: int) -> bool:
        others = self._holdings[one.seat.uuid, one.seat.mig]
        return any(other is not one and any(other.tally.at(window)) for other in others)

    @cached_property
    def _holdings(self) -> dict[tuple[str, str], list[Held]]:
        return dict(self._observed.by_card())

    def _miss(self, pool: Pool, window: int, parts: int, bound: int) -> None:
        """Nobody saw these cards of the pool: unknown, but for those by which it may be smaller."""
        if parts:
            may = min(parts, max(0, bound - least(pool)) * self._slots[window])
            held = self._nobody(Seat("", "", pool.name, ""), pool.name)
            held.tally.add(window, UNKNOWN, parts - may)
            held.tally.add(window, EXCLUDED, may)
            if may:
                held.reasons["scaled_in"] += may // WHOLE

    def _spare(self, kind: str, room: list[int], free: list[Held]) -> None:
        """Cards beyond all pools: those that are seen, then those that are only declared."""
        mine = [self._settled(one, room) for one in free if self._types.of(one) == kind]
        for window, left in enumerate(room):
            left = self._gaps(mine, window, left)
            if left:
                # In minutes in which nobody looked nothing is known of them either.
                blind = left * (self._slots[window] - self._looked[window]) // self._slots[window]
                held = self._nobody(Seat("", "", "", kind), kind)
                held.tally.add(window, UNKNOWN, blind)
                held.tally.add(window, UNALLOCATED, left - blind)
                held.signals["declared"] += (left - blind) // WHOLE

    def _settled(self, one: Held, room: list[int]) -> Held:
        """A card of nobody takes what room there is; what is left of it stays behind."""
        fresh = Held(one.seat, Tally(len(self._slots)), one.labels, one.signals, one.reasons)
        target = self._cards.setdefault(one.seat, fresh)
        for window, left in enumerate(room):
            if left:
                room[window] -= one.tally.move(target.tally, window, left)
        return target

    def _nobody(self, seat: Seat, name: str) -> Held:
        if name not in self._unseen:
            self._unseen[name] = Held(seat, Tally(len(self._slots)))
        return self._unseen[name]

    def _aside(self, seat: Seat) -> Held:
        return self._beyond.setdefault(
            seat, Held(seat, Tally(len(self._slots)), self._observed.held[seat].labels)
        )

    def _put_aside(self, held: Held) -> None:
        if any(held.tally.cells):
            self._aside(held.seat).tally.include(held.tally)


def _sums(held: Iterable[Held], windows: int) -> list[int]:
    found = [0] * windows
    for one in held:
        cells = one.tally.cells
        for window in range(windows):
            found[window] += sum(cells[window * _WIDTH : (window + 1) * _WIDTH])
    return found
