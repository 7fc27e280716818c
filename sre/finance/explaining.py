"""One row of a bill in words: which arithmetic, over which numbers, led to its cost."""

from collections.abc import Iterator

from sre.finance.allocation import by_pool, measured
from sre.finance.bill import IDLE, PLATFORM, UNTAGGED, Bill, Row
from sre.finance.costs.model import Costs
from sre.finance.lines import Charges, Line, charge
from sre.finance.money import Money, total
from sre.finance.months import Month
from sre.finance.usage import Usage
from sre.finance.weights import rate_card
from sre.source import show

_STATES = {"used": "busy", "wasted": "loaded and without a request", "idle": "empty"}
_METHODS = {
    "tokens": "by tokens times the rate card",
    "requests": "by requests",
    "gpu_seconds": "by the seconds that were measured",
    "even": "evenly among the teams that used the pool",
    "fixed": "by the cost file's idle_shares",
    "reservation": "by the cards reserved",
    "whole": "as a whole",
}


def explain(row: Row, bill: Bill, costs: Costs, usage: Usage) -> list[str]:
    """Sentences, from the cost line down to the row. ``row`` is one of the bill's."""
    if row.kind == "correction":
        return list(_correction(row))
    charges = charge(costs, Month(bill.month, bill.timezone), usage.energy)
    kind = {"usage": "gpus", "untagged": "gpus", "idle": "gpus", "wasted": "gpus"}.get(row.kind, row.kind)
    kind = "power" if row.line == "power" and kind == "gpus" else kind
    line = next(
        (
            one
            for one in charges.lines
            if (one.invoice, one.kind, one.name) == (row.invoice, kind, row.line)
            and one.pool in ("", row.pool)
        ),
        None,
    )
    if line is None:
        return [f"{_who(row)} has no cost here: the row only carries what was counted."]
    return [
        *_line(line, charges),
        *_pool(line, row, charges, usage, costs),
        *_team(row, bill, usage, costs),
        *_rounding(row, bill),
    ]


def _line(line: Line, charges: Charges) -> Iterator[str]:
    where = f" of pool {show(line.pool)}" if line.pool else ""
    yield f"The line {show(line.name)}{where} comes to {_money(line.original)}: {line.terms}."
    invoice = next(one for one in charges.invoices if one.id == line.invoice)
    if invoice.rate_source:
        yield (
            f"Its invoice {show(invoice.id)} of {_money(invoice.lines)} is {_money(invoice.billed)} at {invoice.rate} "
            f"({invoice.rate_source}, {invoice.rate_date}); the line's part of that is {_money(line.amount)}."
        )


def _pool(line: Line, row: Row, charges: Charges, usage: Usage, costs: Costs) -> Iterator[str]:
    if line.held:
        yield "The cost file holds it back from the teams."
        return
    part = by_pool(line, charges).get(row.pool)
    if not line.pool and part is not None:
        own, all_of = charges.paid.get(row.pool, 0), sum(charges.paid.values())
        yield (
            f"Of it, pool {show(row.pool)} has {_money(part)}: {_hours(own)} of {_hours(all_of)} card-hours paid."
        )
    time = measured(usage, row.pool, costs)
    if time:
        states = {"used": time.busy, "wasted": time.wasted, "idle": time.idle}
        unknown = max(0, charges.paid.get(row.pool, 0) * 1000 - time.known)
        priced = (
            f", {_hours(unknown // 1000)} unknown and priced as `unknown: {costs.unknown}` says"
            if unknown
            else ""
        )
        yield (
            f"The pool's cards were {_STATES[row.state]} for {_hours(states[row.state] // 1000)} of "
            f"{_hours(time.known // 1000)} card-hours measured{priced}."
        )
    else:
        yield "What the pool's cards did was not measured, so the pool is allocated whole."


def _team(row: Row, bill: Bill, usage: Usage, costs: Costs) -> Iterator[str]:
    if row.team == IDLE:
        yield f"`idle: {bill.idle_policy}` leaves this part with the platform."
        return
    if row.team == PLATFORM:
        return
    if row.method == costs.allocate_by == "tokens":
        card = rate_card(costs)
        weights = bill.weights.get(row.model) or bill.weights.get("default", {})
        use = next(
            (u for u in usage.uses if (u.pool, u.team, u.model) == (row.pool, row.team, row.model)), None
        )
        if use:
            counted = use.tokens if card.charge_failed else use.tokens - use.failed_tokens
            terms = [f"{n} {name} x {weights.get(name, 0)}" for name, n in counted.by_class().items() if n]
            yield f"{_who(row)} used {' + '.join(terms) or 'no tokens'}."
    if row.weight_of:
        units = {
            "tokens": f", in units of 1/{rate_card(costs).scale} token",
            "gpu_seconds": ", in microseconds",
        }
        scale = units.get(row.method, "")
        yield f"Its share is {row.weight} / {row.weight_of}{scale}, {_METHODS.get(row.method, row.method)}."


def _rounding(row: Row, bill: Bill) -> Iterator[str]:
    beside = [
        one
        for one in bill.rows
        if (one.invoice, one.line, one.kind, one.pool, one.state)
        == (row.invoice, row.line, row.kind, row.pool, row.state)
    ]
    whole = total((one.cost for one in beside), bill.currency)
    yield (
        f"{_who(row)} pays {_money(row.cost)}: with it, {len(beside)} rows add up to {_money(whole)} exactly, "
        "closed by largest remainder, first over teams, then over their models."
    )


def _correction(row: Row) -> Iterator[str]:
    yield f"The month {row.charge_month} is closed; row {row.corrects} of it would come out otherwise today."
    yield (
        f"The difference is booked in {row.month}: {_money(row.cost)}, {row.requests:+d} requests, "
        f"{row.tokens.total:+d} tokens."
    )


def _who(row: Row) -> str:
    names = {UNTAGGED: "Usage without a team", IDLE: "Idle time", PLATFORM: "The platform"}
    team = names.get(row.team) or f"Team {show(row.team)}"
    return f"{team} with model {show(row.model)}" if row.model else team


def _money(money: Money) -> str:
    return f"{money} {money.currency}"


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:.1f}".removesuffix(".0")
