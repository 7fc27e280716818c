"""What `sre breakeven` shows: the inputs first, then the answer, then what it hangs on."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre.cli.report import plain
from sre.finance.breakeven.answer import Answer
from sre.finance.breakeven.claims import Standing
from sre.finance.breakeven.comparison import Against
from sre.finance.breakeven.prices import Prices
from sre.finance.breakeven.sensitivity import STEP
from sre.finance.costs.model import Costs
from sre.finance.money import round_half_away

_AT = (Fraction(1, 10), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(1))
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))


def show(answer: Answer, costs: Costs, prices: Prices, console: Console | None = None) -> None:
    """To standard output; names from the files are text and never markup."""
    console = console or Console(highlight=False)
    for line in (*_inputs(answer, costs, prices), *_own(answer, costs)):
        console.print(Text(plain(line)), soft_wrap=True)
    console.print(_rivals(answer, costs))
    for rival in answer.rivals:
        for line in _verdict(answer, rival, costs):
            console.print(Text(plain(line)), soft_wrap=True)
    for line in _claims(answer):
        console.print(Text(plain(line)), soft_wrap=True)


def tell(answer: Answer, costs: Costs, prices: Prices) -> dict[str, Any]:
    """The same for machines: amounts as text, in the cost file's currency; shares as text with six digits."""
    mine = answer.own
    return {
        "month": answer.month.name,
        "currency": costs.currency,
        "own": {
            "cost": _text(mine.cost, 2), "capacity_tokens": _text(mine.capacity, 0), "tokens": mine.tokens,
            "utilization": _text(mine.utilization, 6),
            "per_million": {f"{float(u):g}": _text(mine.per_million(u), 6) for u in _AT},
        },
        "apis": [_told(answer, one, prices) for one in answer.rivals],
        "notes": list(answer.notes),
    }  # fmt: skip


def _told(answer: Answer, one: Against, prices: Prices) -> dict[str, Any]:
    return {
        "name": one.api.name,
        "per_million": _text(one.per_million, 6),
        "month": _text(one.month, 2),
        "break_even_tokens": _text(one.volume, 0),
        "break_even_requests": _requests(answer, one, prices),
        "break_even_utilization": _text(one.utilization, 6),
        "reachable": one.reachable,
        "sensitivity": [
            {"input": s.what, "low": _text(s.low, 6), "high": _text(s.high, 6)} for s in answer.swings[one.api.name]
        ],
        "claims": [
            {"claim": s.claim.says, "own": _text(s.own, 6), "factor": _text(s.factor, 6)}
            for s in answer.standings[one.api.name]
        ],
    }  # fmt: skip


def _requests(answer: Answer, one: Against, prices: Prices) -> str | None:
    if one.volume is None or not prices.requests:
        return None
    return _text(one.volume * prices.requests / answer.own.tokens, 0)


def _inputs(answer: Answer, costs: Costs, prices: Prices) -> Iterator[str]:
    yield f"Costs of {answer.month.name}, in {costs.currency}"
    for line in answer.lines:
        whose = f" of {line.pool}" if line.pool else ", its share by GPU time"
        yield f"  {line.amount}  {line.name}{whose}: {line.terms}"
    yield from (f"  note: {note}" for note in answer.notes)
    mix = ", ".join(f"{count} {name}" for name, count in prices.workload.items())
    yield f"Workload: {mix}" + (f"; {prices.requests} requests" if prices.requests else "")
    capacity = prices.capacity
    yield f"Cards: {capacity.tokens_per_second} {capacity.of} tokens a second at full load ({capacity.source})"
    for api in prices.apis:
        asked = ", ".join(f"{name} {price}" for name, price in api.per_million.items())
        yield f"{api.name}: {prices.currency} a million: {asked} ({api.source}, {api.date})"
    if prices.exchange:
        rate = prices.exchange
        yield f"1 {prices.currency} = {rate.rate} {costs.currency} ({rate.source}, {rate.date})"
    yield ""


def _own(answer: Answer, costs: Costs) -> Iterator[str]:
    mine = answer.own
    more = " - more than they can serve" if mine.utilization > 1 else ""
    month = f"{_short(mine.month, 2)} {costs.currency} a month"
    yield f"Own cards: {month}, {_percent(mine.utilization)} used by this workload{more}"
    at = ", ".join(f"{_short(mine.per_million(u))} at {_percent(u)}" for u in _AT)
    yield f"  a million tokens cost {at}"
    yield ""


def _rivals(answer: Answer, costs: Costs) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("API", overflow="fold")
    for name in ("a million", "this workload", "own / API", "break-even tokens", "utilisation"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in answer.rivals:
        ratio = answer.own.month / one.month if one.month else None
        table.add_row(
            Text(plain(one.api.name)),
            _short(one.per_million),
            f"{_short(one.month, 2)} {costs.currency}",
            "-" if ratio is None else f"{_short(ratio)}x",
            "never" if one.volume is None else _large(one.volume),
            Text(
                "never" if one.utilization is None else _percent(one.utilization),
                "" if one.reachable else "red",
            ),
        )
    return table


def _verdict(answer: Answer, one: Against, costs: Costs) -> Iterator[str]:
    mine = answer.own
    yield ""
    if one.utilization is None:
        yield f"{one.api.name}: a token of one's own costs as much as theirs before any card is paid: never cheaper."
        return
    if not one.reachable:
        full = _short(mine.per_million(Fraction(1)))
        yield (
            f"{one.api.name}: not even full cards are cheaper: a million tokens cost {full} {costs.currency} on them, "
            f"{_short(one.per_million)} there."
        )
    else:
        now = mine.month / one.month - 1
        word = "dearer" if now > 0 else "cheaper"
        yield (
            f"{one.api.name}: own cards get cheaper above {_percent(one.utilization)} utilisation; "
            f"at today's {_percent(mine.utilization)} they are {_percent(abs(now))} {word}."
        )
    for swing in answer.swings[one.api.name]:
        low, high = (("never" if end is None else _percent(end)) for end in (swing.low, swing.high))
        yield f"  {swing.what} {_percent(STEP)} lower: {low}; {_percent(STEP)} higher: {high}"


def _claims(answer: Answer) -> Iterator[str]:
    first = answer.rivals[0]
    yield ""
    yield f"What is said elsewhere, beside your own break-even against {first.api.name}:"
    for one in answer.standings[first.api.name]:
        yield f"  {one.claim.says}: {_standing(one)}"


def _standing(one: Standing) -> str:
    if one.own is None:
        return "cannot be compared with these inputs"
    figure = _percent(one.own) if one.claim.measure == "utilization" else _large(one.own)
    figure += " a day" if one.claim.measure == "requests" else ""
    factor = one.factor
    assert factor is not None
    if factor == 1:
        return f"yours is {figure}, within it"
    return f"yours is {figure}, {_short(max(factor, 1 / factor))} times {'higher' if factor > 1 else 'lower'}"


def _large(number: Fraction) -> str:
    for size, word in _SCALES:
        if number >= size:
            return f"{_short(number / size)} {word}"
    return f"{round_half_away(number):,}"


def _short(number: Fraction, digits: int | None = None) -> str:
    """Three or four figures that count, or a fixed number of digits behind the point."""
    if digits is None:
        digits = 0 if number >= 1000 else 1 if number >= 100 else 2 if number >= 1 else 4
    return f"{Decimal(round_half_away(number * 10**digits)).scaleb(-digits):,f}"


def _percent(share: Fraction) -> str:
    return f"{_short(share * 100, 0 if share >= Fraction(1, 10) or share == 0 else 1)} %"


def _text(number: Fraction | None, digits: int) -> str | None:
    return (
        None if number is None else format(Decimal(round_half_away(number * 10**digits)).scaleb(-digits), "f")
    )
