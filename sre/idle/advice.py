"""What to do about what stands still: each saving is what the recorded load would have cost in another way."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from shlex import quote

from sre.compile.counted import count, few
from sre.finance.money import Money, round_money
from sre.fleet import Fleet, Pool
from sre.idle.declared import least
from sre.idle.ledger import Ledger
from sre.idle.loads import Context, PoolLoad
from sre.idle.prices import Prices
from sre.idle.report import Report
from sre.idle.states import BUSY, EXCLUDED, LOADED_IDLE, PER_HOUR, STATES, UNDERUSED, UNKNOWN, WHOLE
from sre.idle.windows import HOUR, Calendar, Window

TARGET = Fraction(7, 10)
"""A replica is asked to carry this much of what its cards can do: above it queues grow faster than load."""
ASSUMED_START = 600
"""Seconds of a cold start where none was seen: reading 140 GB of weights at a quarter of a gigabyte a second."""
_WORTH = Decimal(1)
"""GPU-hours below which nothing is advised."""
_ELSEWHEN = Fraction(8, 10)
"""So much of a pool's requests come outside business hours that nobody waits for them."""

_WIDTH = len(STATES)


@dataclass(frozen=True)
class Advice:
    """One thing to do. ``gpu_hours`` would have been saved in the period, which would have cost ``saving``."""

    kind: str
    pool: str
    what: str
    why: str
    fix: str
    gpu_hours: Decimal
    saving: Money | None
    commands: tuple[str, ...] = ()


def advise(report: Report, ledger: Ledger, context: Context, prices: Prices | None) -> tuple[Advice, ...]:
    """All of it, the largest first."""
    found = _Adviser(report, ledger, context, prices).all()
    return tuple(sorted(found, key=lambda one: (-one.gpu_hours, one.kind, one.pool)))


class _Adviser:
    def __init__(self, report: Report, ledger: Ledger, context: Context, prices: Prices | None) -> None:
        self._report, self._fleet, self._windows = report, report.fleet, report.windows
        self._context, self._prices = context, prices
        self._calendar = Calendar(report.fleet)
        self._cells: dict[str, list[int]] = {}
        self._replicas: dict[str, dict[str, int]] = {}
        for held in ledger.entries:
            name = held.seat.pool
            before = self._cells.get(name) or [0] * len(held.tally.cells)
            self._cells[name] = list(map(int.__add__, before, held.tally.cells))
            if held.seat.replica and name:
                own = self._replicas.setdefault(name, {})
                worked = held.tally.sums()
                own[held.seat.replica] = own.get(held.seat.replica, 0) + worked[BUSY] + worked[UNDERUSED]

    def all(self) -> Iterator[Advice]:
        """Pool by pool, then cards of no pool."""
        for pool in self._fleet.pools:
            if pool.gpus and pool.name in self._cells:
                load = self._context.loads.get(pool.name, PoolLoad())
                smaller = self._consolidate(pool, load)
                yield from smaller
                yield from self._at_night(pool, load, bool(list(smaller)))
                yield from self._elsewhen(pool, load)
                yield from self._blind(pool)
        yield from self._free()

    # --- fewer replicas ---------------------------------------------------------------------------------------

    def _consolidate(self, pool: Pool, load: PoolLoad) -> list[Advice]:
        assert pool.gpus
        replicas, each = pool.gpus.replicas.min, pool.gpus.per_replica
        needed, why = self._needed(pool, load)
        if needed is None or needed >= replicas:
            return []
        gone = replicas - needed
        saved = [self._idle(pool, window, gone * each) for window in range(len(self._windows))]
        hours, saving = self._worth(pool, saved)
        if hours < _WORTH:
            return []
        least_busy = sorted(self._replicas.get(pool.name, {}).items(), key=lambda one: (one[1], one[0]))
        names = [name for name, _ in least_busy[:gone]]
        named = f"; least busy: {few(names, 4, 'replica')}" if names else ""
        return [
            Advice(
                "consolidate", pool.name,
                f"{count(needed, 'replica')} of {pool.name} would have carried its peak, "
                f"{replicas} are declared{named}",
                why,
                f"take {count(gone, 'replica')} away one by one in a quiet hour, "
                f"then write `replicas: {needed}` in the fleet file",
                hours, saving, tuple(self._scale(pool, needed)),
            )
        ]  # fmt: skip

    def _needed(self, pool: Pool, load: PoolLoad) -> tuple[int | None, str]:
        """Replicas that would have carried the peak of every window, with the headroom kept; never fewer than kept."""
        assert pool.gpus
        floor = max(1, pool.min_replicas or 0)
        peak, at = _peak(load.work)
        if peak is not None and self._measured(load.work):
            needed = math.ceil(Fraction(peak) / (pool.gpus.per_replica * TARGET))
            why = (
                f"at its peak, {self._said(at)}, the pool did the work of {peak:.1f} cards; "
                f"a replica is asked for {float(TARGET):.0%} of its {count(pool.gpus.per_replica, 'card')}"
            )
            return max(floor, needed), why + self._kept(pool)
        return None, ""

    def _measured(self, values: tuple[float | None, ...]) -> bool:
        """Nine tenths of the windows: what is not known may have been the peak."""
        return sum(value is not None for value in values) >= 0.9 * len(self._windows)

    def _kept(self, pool: Pool) -> str:
        return f"; {count(pool.min_replicas, 'replica')} kept for availability" if pool.min_replicas else ""

    def _idle(self, pool: Pool, window: int, cards: int) -> int:
        """Parts of the window that so many cards fewer would have saved: those that nobody is known to have worked."""
        cells = self._cells[pool.name][window * _WIDTH : (window + 1) * _WIDTH]
        return min(cards * self._windows[window].minutes * WHOLE, sum(cells) - cells[UNKNOWN])

    # --- nothing at night -------------------------------------------------------------------------------------

    def _at_night(self, pool: Pool, load: PoolLoad, smaller: bool) -> Iterator[Advice]:
        if pool.min_replicas or not pool.interactive:
            return
        quiet = self._quiet(pool)
        runs = list(_runs(quiet))
        if not runs:
            return
        start = load.cold_start or ASSUMED_START
        saved, waiting = [0] * len(quiet), 0.0
        for first, last in runs:
            for window in range(first, last + 1):
                saved[window] = self._cells[pool.name][window * _WIDTH + LOADED_IDLE]
            if last + 1 < len(quiet):
                # Cards are started anew for the first request after the quiet, and loaded for so long.
                taken = min(saved[last], int(start / 60 * WHOLE) * least(pool))
                saved[last] -= taken
                asked = load.requests[last + 1] if last + 1 < len(load.requests) else None
                waiting += max(1.0, (asked or 0) * start / HOUR)
        hours, saving = self._worth(pool, saved)
        if hours < _WORTH:
            return
        cold = (
            f"a cold start took {load.cold_start / 60:.0f} min in this period"
            if load.cold_start
            else f"no replica was started in this period: a cold start of {ASSUMED_START // 60} min is assumed"
        )
        nights = count(len(runs), "time")
        yield Advice(
            "scale_to_zero", pool.name,
            f"no request came to {pool.name} for whole hours outside business hours, {nights}",
            f"{cold}; about {waiting:.0f} requests would have waited for one",
            "scale it to nothing outside business hours, and back before they begin"
            + ("; count it after the pool is smaller, not on top" if smaller else ""),
            hours, saving, tuple(self._scale(pool, 0)),
        )  # fmt: skip

    def _quiet(self, pool: Pool) -> list[bool]:
        """Whole windows outside business hours in which every card of the pool is known to have held its model idle."""
        found = []
        for number, window in enumerate(self._windows):
            cells = self._cells[pool.name][number * _WIDTH : (number + 1) * _WIDTH]
            rest = sum(cells) - cells[LOADED_IDLE] - cells[EXCLUDED]
            found.append(cells[LOADED_IDLE] > 0 and rest == 0 and not self._calendar.is_open(pool, window))
        return found

    # --- work that nobody waits for ---------------------------------------------------------------------------

    def _elsewhen(self, pool: Pool, load: PoolLoad) -> Iterator[Advice]:
        asked = [value or 0.0 for value in load.requests]
        if not pool.interactive or not sum(asked) or len(asked) != len(self._windows):
            return
        outside = sum(
            value
            for value, window in zip(asked, self._windows, strict=True)
            if not self._calendar.is_open(pool, window)
        )
        if outside < _ELSEWHEN * Fraction(sum(asked)):
            return
        idle = [
            self._cells[pool.name][number * _WIDTH + LOADED_IDLE]
            if self._calendar.is_open(pool, window)
            else 0
            for number, window in enumerate(self._windows)
        ]
        hours, saving = self._worth(pool, idle)
        if hours >= _WORTH:
            yield Advice(
                "move_to_batch", pool.name,
                f"{outside / sum(asked):.0%} of the requests to {pool.name} came outside business hours",
                "nobody seems to wait for them, and its cards stand loaded through the day",
                "ask its owner whether it is batch work: then write `interactive: false`, and let it share cards",
                hours, saving,
            )  # fmt: skip

    # --- telemetry --------------------------------------------------------------------------------------------

    def _blind(self, pool: Pool) -> Iterator[Advice]:
        unknown = sum(self._cells[pool.name][UNKNOWN::_WIDTH])
        hours = _hours(unknown)
        if hours < _WORTH:
            return
        slices = any(
            card.mig and card.parts[UNKNOWN] for card in self._report.cards if card.pool == pool.name
        )
        fix = (
            "MIG slices show their work in profiling counters alone: "
            "add DCGM_FI_PROF_GR_ENGINE_ACTIVE to the exporter's list"
            if slices
            else "see which exporter or engine is silent, and whether the declared cards exist"
        )
        yield Advice(
            "fix_telemetry", pool.name,
            f"nothing is known of {hours} GPU-hours of {pool.name}",
            "they may stand still or not: unknown is neither idle nor busy",
            fix, hours, None, ("sre doctor FLEET --prometheus URL",),
        )  # fmt: skip

    # --- cards of no pool -------------------------------------------------------------------------------------

    def _free(self) -> Iterator[Advice]:
        for kind in sorted({one.kind for one in [*self._report.cards, *self._report.unseen] if not one.pool}):
            cards = [c for c in (*self._report.cards, *self._report.unseen) if not c.pool and c.kind == kind]
            free = sum(card.parts[4] for card in cards)
            whole = free // (sum(self._minutes) * WHOLE)
            hours = _hours(free)
            if hours < _WORTH:
                continue
            yield Advice(
                "return_cards", "",
                f"{hours} GPU-hours of {kind or 'cards of an unknown type'} were held by nobody"
                + (f": {count(whole, 'card')} all of the time" if whole else ""),
                "they are paid for, and no pod had them",
                "give them back, or give them to a pool that waits for cards",
                hours, self._money(sum((self._free_cost(kind, card.parts[4]) for card in cards), Fraction(0)), kind),
            )  # fmt: skip

    @property
    def _minutes(self) -> list[int]:
        return [window.minutes for window in self._windows]

    def _free_cost(self, kind: str, parts: int) -> Fraction:
        price = self._prices.of_type(kind, self._windows[0]) if self._prices else None
        return Fraction(parts, PER_HOUR) * (price or 0)

    def _money(self, cost: Fraction, kind: str) -> Money | None:
        known = self._prices and self._prices.of_type(kind, self._windows[0]) is not None
        return round_money(cost, self._prices.unit) if self._prices and known else None

    def _worth(self, pool: Pool, parts: list[int]) -> tuple[Decimal, Money | None]:
        if not self._prices:
            return _hours(sum(parts)), None
        cost = Fraction(0)
        for own, window in zip(parts, self._windows, strict=True):
            price = self._prices.of_pool(pool.name, window)
            if price is None and own:
                return _hours(sum(parts)), None
            cost += Fraction(own, PER_HOUR) * (price or 0)
        return _hours(sum(parts)), round_money(cost, self._prices.unit)

    def _said(self, window: int) -> str:
        return f"{_local(self._windows[window], self._fleet):%a %d %b %H:%M}"

    def _scale(self, pool: Pool, replicas: int) -> Iterator[str]:
        """What a person would run; the names of workloads are not known here."""
        if self._fleet.identity == "kubernetes":
            names = sorted({name.partition("/")[0] for name in self._replicas.get(pool.name, {})})
            where = f" -n {quote(names[0])}" if names and names[0] else ""
            yield f"kubectl{where} scale deployment/{quote(pool.name)} --replicas={replicas}"
        else:
            hosts = sorted(self._replicas.get(pool.name, {}))
            yield from (
                f"systemctl --host {quote(host.rpartition(':')[0] or host)} stop vllm"
                for host in hosts[replicas:]
            )


def _local(window: Window, fleet: Fleet) -> datetime:
    return datetime.fromtimestamp(window.start, fleet.zone)


def _hours(parts: int) -> Decimal:
    return Decimal(round(Fraction(10 * parts, PER_HOUR))) / 10


def _peak(values: tuple[float | None, ...]) -> tuple[float | None, int]:
    known = [(value, -place) for place, value in enumerate(values) if value is not None]
    value, place = max(known, default=(None, 0))
    return value, -place


def _runs(flags: list[bool]) -> Iterator[tuple[int, int]]:
    first = None
    for place, flag in enumerate([*flags, False]):
        if flag and first is None:
            first = place
        if not flag and first is not None:
            yield first, place - 1
            first = None
