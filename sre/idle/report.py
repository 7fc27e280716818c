"""The report as data: totals, tables by pool, owner and card type, cards, findings. Every output is made from it."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import compress
from typing import NamedTuple

from sre.finance.money import Money, round_money, split
from sre.fleet import Fleet, Pool
from sre.idle.ledger import Ledger
from sre.idle.loads import Before, Context
from sre.idle.observed import Held
from sre.idle.prices import Prices
from sre.idle.states import BUSY, IDLE, PER_HOUR, STATES, UNDERUSED, WHOLE, Tally, hours, idle_share
from sre.idle.windows import Calendar, Window

PLATFORM = "platform"
"""Whose a card is that belongs to no pool."""

_WIDTH = len(STATES)


@dataclass(frozen=True)
class Account:
    """One line of a table: parts of card-minutes by state, those in business hours, and what idling cost."""

    name: str
    parts: tuple[int, ...]
    business: tuple[int, ...]
    cost: Money | None = None
    owner: str = ""
    kind: str = ""

    @property
    def hours(self) -> dict[str, Decimal]:
        return hours(self.parts)

    @property
    def idle(self) -> Fraction:
        """Share of idle time."""
        return idle_share(self.parts)

    @property
    def idle_hours(self) -> Decimal:
        found = self.hours
        return sum((found[STATES[state]] for state in IDLE), Decimal(0))

    @property
    def used(self) -> Fraction:
        """Share of time with work."""
        return Fraction(self.parts[BUSY] + self.parts[UNDERUSED], sum(self.parts) or 1)


@dataclass(frozen=True)
class CardLine:
    """One card of one pool over the period; ``course`` is the state that most of each window was in, by its place."""

    uuid: str
    mig: str
    pool: str
    owner: str
    kind: str
    host: str
    gpu: str
    model: str
    parts: tuple[int, ...]
    signal: str
    course: bytes

    @property
    def hours(self) -> dict[str, Decimal]:
        return hours(self.parts)


@dataclass(frozen=True)
class Report:
    """Everything that is told of one period."""

    fleet: Fleet
    start: datetime
    end: datetime
    windows: tuple[Window, ...]
    total: Account
    pools: tuple[Account, ...]
    owners: tuple[Account, ...]
    types: tuple[Account, ...]
    cards: tuple[CardLine, ...]
    unseen: tuple[CardLine, ...]
    """What nobody saw, by pool: one line for all cards of it together."""
    beyond: tuple[CardLine, ...]
    reasons: Mapping[str, int]
    """Card-minutes that were left out, by reason."""
    evidence: Mapping[str, int]
    """Card-minutes by what told the state."""
    bill: Money | None
    """What all of these card-hours cost."""
    before: Before | None

    @cached_property
    def cost(self) -> Money | None:
        return self.total.cost

    @property
    def idle(self) -> Fraction:
        return self.total.idle

    @property
    def idle_before(self) -> Fraction | None:
        """Idle share in the period before, by the same count; None where less than nine tenths of it was recorded."""
        if not self.before or self.before.looked < 0.9:
            return None
        # Recorded idle time is compared: what nobody sees, and what is kept, is taken to have been the same.
        same = self.evidence.get("declared", 0) - self.reasons.get("min_replicas", 0)
        return Fraction(max(0, self.before.idle + same), sum(self.total.parts) // WHOLE or 1)


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
        sums = [_Summed(held, held.tally.sums(), self._business(held)) for held in self._entries]
        costs = self._costs()
        cost = sum(costs.values(), Fraction(0)) if self._prices and not self._unpriced else None
        money = round_money(cost, self._prices.unit) if cost is not None and self._prices else None
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
            self._bill(),
            self._context.before,
        )

    def _owner(self, held: Held) -> str:
        pool = self._pools.get(held.seat.pool)
        return pool.owner if pool else PLATFORM

    def _kind(self, held: Held) -> str:
        pool = self._pools.get(held.seat.pool)
        if pool and pool.gpus:
            return pool.gpus.type
        return held.seat.replica if not held.seat.uuid else self._ledger.types.get(held.seat.uuid, "")

    def _price(self, pool: str, kind: str, window: Window) -> Fraction | None:
        assert self._prices
        return self._prices.of_pool(pool, window) if pool else self._prices.of_type(kind, window)

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], list[list[int]]]:
        """(idle, all) parts of each window, by pool and card type: prices are asked of these."""
        sums = dict[tuple[str, str], list[int]]()
        for held in self._entries:
            place = (held.seat.pool, self._kind(held))
            sums[place] = list(
                map(int.__add__, sums.get(place) or [0] * len(held.tally.cells), held.tally.cells)
            )
        found = dict[tuple[str, str], list[list[int]]]()
        for place, cells in sums.items():
            rows = (cells[at : at + _WIDTH] for at in range(0, len(cells), _WIDTH))
            found[place] = [[sum(row[state] for state in IDLE), sum(row)] for row in rows]
        return found

    @cached_property
    def _unpriced(self) -> list[tuple[str, str]]:
        """Places with idle time that has no price."""
        return [
            place
            for place, rows in self._by_place.items()
            if any(
                row[0] and self._price(*place, window) is None
                for row, window in zip(rows, self._windows, strict=True)
            )
        ]

    def _costs(self) -> dict[tuple[str, str], Fraction]:
        """What idling cost, by pool and card type."""
        if not self._prices:
            return {}
        return {place: self._worth(place, 0) for place in self._by_place}

    def _worth(self, place: tuple[str, str], column: int) -> Fraction:
        rows = zip(self._by_place[place], self._windows, strict=True)
        return sum(
            (Fraction(row[column], PER_HOUR) * (self._price(*place, window) or 0) for row, window in rows),
            Fraction(0),
        )

    def _bill(self) -> Money | None:
        if not self._prices or self._unpriced:
            return None
        return round_money(
            sum((self._worth(place, 1) for place in self._by_place), Fraction(0)), self._prices.unit
        )

    def _table(
        self,
        sums: "list[_Summed]",
        key: Callable[[Held], str],
        costs: Mapping[tuple[str, str], Fraction],
        money: Money | None,
    ) -> tuple[Account, ...]:
        """Lines by a key, largest idle time first; their costs add up to the whole."""
        parts, business = defaultdict[str, list[int]](_zeros), defaultdict[str, list[int]](_zeros)
        weights, of = defaultdict[str, Fraction](Fraction), dict[str, Held]()
        places = dict[tuple[str, str], str]()
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

    def _business(self, held: Held) -> list[int]:
        is_open = self._open[held.seat.pool if held.seat.pool in self._pools else ""]
        return [sum(compress(held.tally.cells[state::_WIDTH], is_open)) for state in range(_WIDTH)]

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
                labels.get("gpu_model", ""), tuple(tally.sums()), self._signal(uuid, mig, signals),
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


NOWHERE = len(STATES)
"""Of a card's course: it was not there."""


def _course(cells: "array[int]") -> bytes:
    found = bytearray()
    for at in range(0, len(cells), _WIDTH):
        here = cells[at : at + _WIDTH].tolist()
        most = max(here)
        found.append(here.index(most) if most else NOWHERE)
    return bytes(found)


def pool_of(fleet: Fleet, name: str) -> Pool | None:
    """The pool of that name."""
    return next((pool for pool in fleet.pools if pool.name == name), None)
