"""What the cards of each pool did, minute by minute, as the rules recorded it: `gpu:state:info`."""

from collections import defaultdict
from collections.abc import Mapping

from sre.finance.months import Month
from sre.finance.usage import CardTime
from sre.metering.counters import read_growth
from sre.metering.pages import Pages

STATES: Mapping[str, str] = {
    "busy": "busy", "underused": "busy", "loaded_idle": "wasted", "excluded": "wasted",
    "empty_idle": "idle", "unallocated": "idle",
}  # fmt: skip
"""State of a card -> whom its time is charged to. A card that starts or is burnt in serves nobody, so it is wasted."""
_MINUTE = 60_000
"""Milliseconds between two samples of the state."""
ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
"""Millijoules since the driver was loaded (NVIDIA DCGM, field 156)."""
_MILLIJOULES = 3_600_000
"""Of a watt-hour."""

Minutes = Mapping[tuple[str, str, str], int]
"""(card, pool, state) -> minutes."""


def read_minutes(pages: Pages, month: Month) -> Minutes:
    """All minutes of the month, a local day at a time. Raises ``Unreachable``."""
    found = defaultdict[tuple[str, str, str], int](int)
    for start, end in month.days():
        # From a millisecond before the day to a millisecond before the next: the same samples whether a server counts
        # those at the first instant of a range (Prometheus 2) or not (Prometheus 3, VictoriaMetrics).
        length = round((end - start).total_seconds() * 1000)
        expr = f"sum by (uuid, mig, pool, state) (count_over_time(gpu:state:info[{length}ms]))"
        for pairs, value in pages.at(expr, end.timestamp() - 0.001):
            labels = dict(pairs)
            card = f"{labels.get('uuid', '')}/{labels.get('mig', '')}"
            found[card, labels.get("pool", ""), labels.get("state", "")] += round(value)
    return dict(found)


def card_time(minutes: Minutes) -> dict[str, CardTime]:
    """Pool -> what its cards did; minutes without evidence are left out, as are those of no pool."""
    sums = defaultdict[str, dict[str, int]](lambda: defaultdict(int))
    for (_, pool, state), number in minutes.items():
        if pool:
            sums[pool][STATES.get(state, "unknown")] += number * _MINUTE
    return {pool: CardTime(one["busy"], one["wasted"], one["idle"]) for pool, one in sorted(sums.items())}


def read_energy(pages: Pages, month: Month, minutes: Minutes) -> dict[str, int]:
    """Pool -> watt-hours of its cards: each card's counter, shared by the minutes that it was each pool's."""
    start, end = (round(moment.timestamp()) for moment in (month.start, month.end))
    grown = read_growth(pages, ENERGY, start, end)
    cards = defaultdict[str, int](int)
    for pairs, amount in grown.amounts.items():
        labels = dict(pairs)
        uuid = labels.get("UUID") or labels.get("uuid", "")
        # A card that several pods share is exposed once for each: its energy is spent once.
        cards[uuid] = max(cards[uuid], amount)
    owned = defaultdict[str, dict[str, int]](lambda: defaultdict(int))
    for (card, pool, _), number in minutes.items():
        owned[card.partition("/")[0]][pool] += number
    found = defaultdict[str, int](int)
    for uuid, millijoules in sorted(cards.items()):
        whole = sum(owned[uuid].values())
        for pool, number in sorted(owned[uuid].items()):
            if pool and whole:
                found[pool] += millijoules * number // whole
    return {pool: amount // _MILLIJOULES for pool, amount in sorted(found.items())}
