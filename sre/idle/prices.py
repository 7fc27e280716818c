"""What a card's hour costs, from finance's own file: rent as it is paid, or the write-off of what was bought.

Power and fixed lines are not in it: a card that stands still costs its rent, and hardly any power.
"""

from datetime import UTC, datetime
from fractions import Fraction

from sre.finance.costs.model import Costs, GpuPrice
from sre.finance.lines import segments
from sre.finance.months import Month, add_months
from sre.fleet import Fleet
from sre.fleet.hours import zone_info
from sre.idle.windows import Window

_CONVENTION_HOURS = 730


class Prices:
    """Prices of one fleet's cards, by pool and by type, for each window. None where the file has none."""

    def __init__(self, costs: Costs, fleet: Fleet) -> None:
        self.unit = costs.unit
        self._costs, self._zone = costs, zone_info(costs.timezone)
        self._pools = {pool.name: pool.gpus.type for pool in fleet.pools if pool.gpus}
        self._known: dict[tuple[str, str], Fraction | None] = {}

    def of_pool(self, pool: str, window: Window) -> Fraction | None:
        """For one hour of one card."""
        day = datetime.fromtimestamp(window.start, UTC).astimezone(self._zone).date().isoformat()
        key = (pool, day)
        if key not in self._known:
            self._known[key] = self._priced(pool, day)
        return self._known[key]

    def of_type(self, kind: str, window: Window) -> Fraction | None:
        """For a card of no pool: the cheapest of its type."""
        prices = [self.of_pool(pool, window) for pool, own in self._pools.items() if own == kind]
        return min((price for price in prices if price is not None), default=None)

    def _priced(self, pool: str, day: str) -> Fraction | None:
        month = Month(day[:7], self._costs.timezone)
        held = [e for e, _ in segments(self._costs.gpus.get(pool, ()), month) if e.start.isoformat() <= day]
        return _hourly(held[-1], month, day) if held else None


def _hourly(entry: GpuPrice, month: Month, day: str) -> Fraction | None:
    hours = Fraction(month.seconds, 3600)
    if entry.rented:
        price = Fraction(entry.rented.per_gpu_hour)
        return price if entry.rented.hours == "real" else price * _CONVENTION_HOURS / hours
    if entry.owned and entry.gpus:
        if add_months(entry.start, entry.owned.months).isoformat() <= day:
            return Fraction(0)
        return Fraction(entry.owned.purchase) / entry.owned.months / hours / entry.gpus
    return None
