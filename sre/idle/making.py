"""Adding up: a settled ledger becomes totals, tables by pool, owner and card type, and a line for each card."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from fractions import Fraction
from itertools import compress
from typing import NamedTuple

from sre.finance.money import Money, split
from sre.fleet import Fleet
from sre.idle.costing import Costing, Place
from sre.idle.ledger import Ledger
from sre.idle.loads import Context
from sre.idle.observed import Held
from sre.idle.prices import Prices
from sre.idle.report import NOWHERE, Account, CardLine, Report, Trend
from sre.idle.states import IDLE, STATES, Tally
from sre.idle.windows import Calendar, Window

PLATFORM = "platform"
"""Whose a card is that belongs to no pool."""

_WIDTH = len(STATES)


def make_report(
    fleet: Fleet, ledger: Ledger, windows: tuple[Window, ...], context: Context, prices: Prices | None
) -> Report:
    """Add up. ``prices`` are left out where there is no cost file."""
    return _Making(fleet, ledger, windows, context, prices).make()


class _Making:
    def __init__(
        self,
        fleet: Fleet,
        ledger: Ledger,
        windows: tuple[Window, ...],
        context: Context,
        prices: Prices | None,
    ) -> None:
        self._fleet, self._ledger, self._windows = fleet, ledger, windows
        self._context, self._prices = context, prices
        self._pools = {pool.name: pool for pool in fleet.pools}
        calendar = Calendar(fleet)
        calendars = {
            name: [calendar.is_open(pool, window) for window in windows]
            for name, pool in [("", None), *self._pools.items()]
        }
        self._open = calendars
        self._entries = list(ledger.entries)

    def make(self) -> Report:
        sums = [
            _Summed(held, held.tally.sums(), self._business(held.seat.pool, held.tally))
            for held in self._entries
        ]
        costing = Costing(self._by_place(), self._windows, self._prices) if self._prices else None
        costs, money = (costing.idle, costing.cost) if costing else ({}, None)
        reasons, evidence = Counter[str](), Counter[str]()
        for held in self._entries:
            reasons.update(held.reasons)
            evidence.update(held.signals)
        (total,) = self._table(sums, lambda _held: "", costs, money) or (_nothing(),)
        return Report(
            self._fleet,
            datetime.fromtimestamp(self._windows[0].start, self._fleet.zone),
            datetime.fromtimestamp(self._windows[-1].end, self._fleet.zone),
            self._windows,
            total,
            self._table(sums, lambda held: held.seat.pool, costs, money),
            self._table(sums, self._owner, costs, money),
            self._table(sums, self._kind, costs, money),
            tuple(self._lines(self._ledger.cards)),
            tuple(self._lines(self._ledger.unseen)),
            tuple(self._lines(self._ledger.beyond)),
            dict(sorted(reasons.items())),
            dict(sorted(evidence.items())),
            costing.bill if costing else None,
            self._trend(),
        )

    def _owner(self, held: Held) -> str:
        pool = self._pools.get(held.seat.pool)
        return pool.owner if pool else PLATFORM

    def _kind(self, held: Held) -> str:
        pool = self._pools.get(held.seat.pool)
        if pool and pool.gpus:
            return pool.gpus.type
        return self._ledger.type_of(held)

    def _by_place(self) -> dict[Place, list[int]]:
        found = dict[Place, list[int]]()
        for held in self._entries:
            place, cells = (held.seat.pool, self._kind(held)), held.tally.cells
            found[place] = list(map(int.__add__, found.get(place) or [0] * len(cells), cells))
        return found

    def _trend(self) -> Trend | None:
        """Of cards that are in no total nothing is compared; slices count as the parts of cards that they are here."""
        before = self._context.before
        if not before:
            return None
        declared = {held.seat.uuid for held in self._ledger.cards}
        beyond = {held.seat.uuid for held in self._ledger.beyond} - declared
        parts = self._ledger.slices
        fewer = sum(
            (
                Fraction(minutes, parts.get(uuid, 1))
                for uuid, minutes in before.fewer.items()
                if uuid not in beyond
            ),
            Fraction(0),
        )
        return Trend(fewer, before.looked)

    def _table(
        self,
        sums: "list[_Summed]",
        key: Callable[[Held], str],
        costs: Mapping[Place, Fraction],
        money: Money | None,
    ) -> tuple[Account, ...]:
        """Lines by a key, largest idle time first; their costs add up to the whole."""
        parts, business = defaultdict[str, list[int]](_zeros), defaultdict[str, list[int]](_zeros)
        weights, of = defaultdict[str, Fraction](Fraction), dict[str, Held]()
        places = dict[Place, str]()
        for held, own, own_business in sums:
            name = key(held)
            parts[name] = list(map(int.__add__, parts[name], own))
            business[name] = list(map(int.__add__, business[name], own_business))
            of.setdefault(name, held)
            places.setdefault((held.seat.pool, self._kind(held)), name)
        for place, name in places.items():
            weights[name] += costs.get(place, Fraction(0))
        shared = split(money, dict(weights)) if money else dict.fromkeys(parts, money)
        found = [
            Account(
                name,
                tuple(parts[name]),
                tuple(business[name]),
                shared[name],
                self._owner(of[name]),
                self._kind(of[name]),
            )
            for name in parts
        ]
        return tuple(sorted(found, key=lambda one: (-sum(one.parts[state] for state in IDLE), one.name)))

    def _business(self, pool: str, tally: Tally) -> list[int]:
        is_open = self._open[pool if pool in self._pools else ""]
        return [sum(compress(tally.cells[state::_WIDTH], is_open)) for state in range(_WIDTH)]

    def _lines(self, entries: Iterable[Held]) -> Iterable[CardLine]:
        """One for each card and pool, its replicas taken together."""
        together = defaultdict[tuple[str, str, str, str], list[Held]](list)
        for held in entries:
            seat = held.seat
            together[seat.uuid, seat.mig, seat.pool, "" if seat.uuid else seat.replica].append(held)
        for (uuid, mig, pool, _), parts in together.items():
            first, tally = parts[0], Tally(len(self._windows))
            signals = sum((held.signals for held in parts), Counter[str]())
            for held in parts:
                tally.include(held.tally)
            if not any(tally.cells):
                continue
            labels = {name: value for held in parts for name, value in held.labels.items()}
            yield CardLine(
                uuid, mig, pool, self._owner(first), self._kind(first), labels.get("host", ""), labels.get("gpu", ""),
                tuple(tally.sums()), tuple(self._business(pool, tally)), self._signal(uuid, mig, signals),
                _course(tally.cells),
            )  # fmt: skip

    def _signal(self, uuid: str, mig: str, signals: Counter[str]) -> str:
        told = [name for name, _ in signals.most_common() if name not in ("none", "young", "burn_in")]
        best = told[0] if told else "none"
        return self._context.signals.get((uuid, mig), best) if best == "activity" else best


class _Summed(NamedTuple):
    held: Held
    parts: list[int]
    business: list[int]


def _zeros() -> list[int]:
    return [0] * _WIDTH


def _nothing() -> Account:
    return Account("", (0,) * _WIDTH, (0,) * _WIDTH)


def _course(cells: "array[int]") -> bytes:
    found = bytearray()
    for at in range(0, len(cells), _WIDTH):
        here = cells[at : at + _WIDTH].tolist()
        most = max(here)
        found.append(here.index(most) if most else NOWHERE)
    return bytes(found)
