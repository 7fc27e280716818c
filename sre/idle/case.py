"""What advice is worked out from: what the cards of each pool did, window by window, and what their time is worth."""

from array import array
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from shlex import quote

from sre.finance.money import Money, round_money
from sre.fleet import Fleet, Pool
from sre.idle.ledger import Ledger
from sre.idle.loads import Context, PoolLoad
from sre.idle.prices import Prices
from sre.idle.report import Report
from sre.idle.states import BUSY, PER_HOUR, STATES, UNALLOCATED, UNDERUSED
from sre.idle.windows import Calendar, Window

WIDTH = len(STATES)
WORTH = Decimal(1)
"""GPU-hours below which nothing is advised."""


class Case:
    """One period of one fleet. Parts of time are those of a tally."""

    def __init__(self, report: Report, ledger: Ledger, context: Context, prices: Prices | None) -> None:
        self.report, self._context, self._prices = report, context, prices
        self.cells: dict[str, list[int]] = {}
        """By pool, parts by window and state."""
        self.free: dict[str, list[int]] = {}
        """By card type, unallocated parts by window."""
        self._worked: dict[str, dict[str, tuple[int, int]]] = {}
        """By pool and replica, where in its cells it was last seen, and how long it worked."""
        for held in ledger.entries:
            name, cells = held.seat.pool, held.tally.cells
            self.cells[name] = list(map(int.__add__, self.cells.get(name) or [0] * len(cells), cells))
            if not name:
                kind = ledger.type_of(held)
                free = self.free.get(kind) or [0] * len(self.windows)
                self.free[kind] = list(map(int.__add__, free, cells[UNALLOCATED::WIDTH]))
            elif held.seat.replica:
                sums, before = (
                    held.tally.sums(),
                    self._worked.setdefault(name, {}).get(held.seat.replica, (0, 0)),
                )
                worked = sums[BUSY] + sums[UNDERUSED] + before[1]
                self._worked[name][held.seat.replica] = (max(_last(cells), before[0]), worked)

    @property
    def fleet(self) -> Fleet:
        return self.report.fleet

    @property
    def windows(self) -> tuple[Window, ...]:
        return self.report.windows

    def load(self, pool: Pool) -> PoolLoad:
        """What the pool had to do."""
        return self._context.loads.get(pool.name, PoolLoad())

    def at(self, pool: Pool, window: int) -> list[int]:
        """Parts of a window by state."""
        return self.cells[pool.name][window * WIDTH : (window + 1) * WIDTH]

    def is_open(self, pool: Pool) -> list[bool]:
        """Of each window, whether it lies in the pool's business hours."""
        return [self._calendar.is_open(pool, window) for window in self.windows]

    @cached_property
    def _calendar(self) -> Calendar:
        return Calendar(self.fleet)

    def replicas(self, pool: Pool) -> tuple[str, ...]:
        """Those that were there in the end, the least busy first: a pod of before the last rollout is no replica."""
        seen = self._worked.get(pool.name, {})
        end = max((last for last, _ in seen.values()), default=0)
        return tuple(
            sorted((name for name in seen if seen[name][0] == end), key=lambda name: (seen[name][1], name))
        )

    def worth(self, pool: Pool, parts: list[int]) -> tuple[Decimal, Money | None]:
        """GPU-hours, and what they cost, of so many parts of each window; no cost where some of it has no price."""
        return hours(sum(parts)), self._money(parts, lambda prices, window: prices.of_pool(pool.name, window))

    def worth_of_type(self, kind: str, parts: list[int]) -> tuple[Decimal, Money | None]:
        """The same of cards of no pool."""
        return hours(sum(parts)), self._money(parts, lambda prices, window: prices.of_type(kind, window))

    def _money(self, parts: list[int], price: Callable[[Prices, Window], Fraction | None]) -> Money | None:
        if not self._prices:
            return None
        cost = Fraction(0)
        for own, window in zip(parts, self.windows, strict=True):
            if own:
                found = price(self._prices, window)
                if found is None:
                    return None
                cost += Fraction(own, PER_HOUR) * found
        return round_money(cost, self._prices.unit)

    def when(self, window: int) -> str:
        """Local day and hour."""
        return f"{datetime.fromtimestamp(self.windows[window].start, self.fleet.zone):%a %d %b %H:%M}"

    def scale(self, pool: Pool, replicas: int) -> Iterator[str]:
        """What a person would run to be left with so many; the names of workloads are not known here."""
        seen = self.replicas(pool)
        if self.fleet.identity == "kubernetes":
            space = min((name.partition("/")[0] for name in seen), default="")
            where = f" -n {quote(space)}" if space else ""
            yield f"kubectl{where} scale deployment/{quote(pool.name)} --replicas={replicas}"
        else:
            for host in seen[: max(0, len(seen) - replicas)]:
                yield f"systemctl --host {quote(host.rpartition(':')[0] or host)} stop {quote(pool.engine.kind)}"


def _last(cells: "array[int]") -> int:
    """Number of the last window in which there is anything; -1 where there is none."""
    return next((at // WIDTH for at in range(len(cells) - 1, -1, -1) if cells[at]), -1)


def hours(parts: int) -> Decimal:
    """To the tenth."""
    return Decimal(round(Fraction(10 * parts, PER_HOUR))) / 10
