"""When prices hold: each hour has one, and none is left out."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from sre.finance.costs.model import Costs
from sre.finance.costs.parts import GpuPrice
from sre.findings import Finding
from sre.source import Loc, Source, show


def check_prices(costs: Costs, source: Source) -> Iterator[Finding]:
    for pool, entries in costs.gpus.items():
        for index, entry in enumerate(entries):
            loc: Loc = ("gpus", pool, index)
            yield from _paid_how(entry, loc, source)
            yield from _period(entry.start, entry.until, loc, source)
            if index:
                yield from _follows(entries[index - 1], entry, loc, source)


def _paid_how(entry: GpuPrice, loc: Loc, source: Source) -> Iterator[Finding]:
    ways = (entry.rented is not None) + (entry.owned is not None)
    if ways == 2 or (not ways and entry.gpus):
        what = "is both rented and owned" if ways else "says neither `rented` nor `owned`"
        yield source.finding(
            loc,
            f"`{_spoken(loc)}` {what}",
            "its cost would be a guess",
            "write one of them; `gpus: 0` is a time without cards",
        )


def _period(start: date | None, until: date | None, loc: Loc, source: Source) -> Iterator[Finding]:
    if start and until and until <= start:
        yield source.finding(
            (*loc, "until"),
            f"`{_spoken(loc)}` ends on {until}, not after its start {start}",
            "it holds at no time",
            "write the first day on which it no longer holds",
        )


def _follows(before: GpuPrice, entry: GpuPrice, loc: Loc, source: Source) -> Iterator[Finding]:
    at = (*loc, "from")
    if entry.start <= before.start:
        yield source.finding(
            at,
            f"`{_spoken(loc)}` begins on {entry.start}, and the entry before it on {before.start}",
            "two prices would hold for one hour",
            "write the entries in order of their days, each once",
        )
    elif before.until and before.until > entry.start:
        yield source.finding(
            at,
            f"`{_spoken(loc)}` begins on {entry.start}, and the entry before it ends on {before.until}",
            "two prices would hold for one hour",
            f"let the earlier one end on {entry.start}",
        )
    elif before.until and before.until < entry.start:
        yield source.finding(
            at,
            f"nothing holds from {before.until} until {entry.start}",
            "cards without a price would be free of charge",
            f"let the earlier entry go on, or write {{from: {before.until}, gpus: 0}}",
        )


def check_fixed(costs: Costs, source: Source) -> Iterator[Finding]:
    for index, one in enumerate(costs.fixed):
        loc: Loc = ("fixed", index)
        yield from _period(one.start, one.until, loc, source)
        once = one.amount is not None
        if (
            once == (one.per_month is not None)
            or once != (one.months is not None)
            or (once and not one.start)
        ):
            yield source.finding(
                loc,
                f"`{_spoken(loc)}` is neither a monthly amount nor one that is written off",
                "its cost would be a guess",
                "write per_month, or amount with months and from",
            )
    for name in sorted({one.name for one in costs.fixed}):
        entries = [(index, one) for index, one in enumerate(costs.fixed) if one.name == name]
        for (_, first), (index, second) in pairwise(entries):
            if not first.until or (second.start or date.min) < first.until:
                yield source.finding(
                    ("fixed", index, "name"),
                    f"{show(name)} holds twice at one time",
                    "it would be billed twice",
                    "give the earlier one an `until`, or the later one another name",
                )


def _spoken(loc: Loc) -> str:
    return "".join(
        f"[{part + 1}]" if isinstance(part, int) else f".{part}" if i else str(part)
        for i, part in enumerate(loc)
    )
