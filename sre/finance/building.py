"""From costs and usage to a bill: what is asked of both, the allocation, and the proof that it adds up."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from sre import __version__
from sre.finance.allocation import allocate, by_pool_name, measured
from sre.finance.bill import UNTAGGED, Bill, Coverage, Row
from sre.finance.costs.model import Costs
from sre.finance.costs.parts import period_end
from sre.finance.lines import Charges, charge
from sre.finance.money import Money, round_money, total
from sre.finance.months import Month, midnight
from sre.finance.unit_costs import quotient
from sre.finance.usage import Usage
from sre.finance.weights import RateCard, rate_card
from sre.findings import Finding, Refused
from sre.source import show

TOOL = f"inference-sre {__version__}"
_NEARLY_ALL = Decimal("0.995")
"""Less than this is news; more is a scrape that came late at an end of the month."""


def build(costs: Costs, usage: Usage, *, previous: Mapping[str, Money] | None = None) -> Bill:
    """The bill of the usage's month. The same arguments give the same bill on any machine.

    ``previous`` is the team's cost of the month before, where its bill is closed. Raises ``Refused`` for usage
    that has no price or no weight, and ``Unbalanced`` where an invoice is not its lines.
    """
    month, card = Month(usage.month, costs.timezone), rate_card(costs)
    charges = charge(costs, month, usage.energy)
    findings = [*_unpriced(costs, charges, usage), *_unweighed(usage, card)]
    tagged = _tagged(usage, card)
    findings += _gate(costs, tagged)
    if findings:
        raise Refused(findings)
    rows = allocate(costs, charges, usage, card, month.name)
    _prove(rows, charges, costs)
    return Bill(
        month=month.name,
        start=month.start,
        end=month.end,
        timezone=costs.timezone,
        currency=costs.unit,
        rows=rows,
        total=total((row.cost for row in rows), costs.unit),
        corrections=Money(0, costs.unit),
        invoices=charges.invoices,
        mode=costs.mode,
        idle_policy=costs.idle,
        source=usage.source,
        rate_card=card.version,
        weights=costs.weights,
        coverage=Coverage(tagged, _telemetry(charges, usage), _samples(usage)),
        budgets={team: round_money(amount, costs.unit) for team, amount in sorted(costs.budgets.items())},
        previous=previous,
        notes=(*charges.notes, *_notes(costs, charges, usage)),
        tool=TOOL,
    )


def _prove(rows: tuple[Row, ...], charges: Charges, costs: Costs) -> None:
    """The one promise: for each invoice the rows add up to what is billed. Anything else is our own fault."""
    for invoice in charges.invoices:
        found = total((row.cost for row in rows if row.invoice == invoice.id), costs.unit)
        assert found == invoice.billed, f"rows of {invoice.id!r} add up to {found}, not {invoice.billed}"
    assert len({row.id for row in rows}) == len(rows), "two rows have one id"


def _unpriced(costs: Costs, charges: Charges, usage: Usage) -> Iterator[Finding]:
    """Usage in a pool, or at a time, that nothing is paid for."""
    month = Month(usage.month, costs.timezone)
    apis = {line.pool for line in charges.lines if line.kind == "fallback"}
    for pool, uses in sorted(by_pool_name(usage).items()):
        if not pool or pool in apis:
            continue
        requests = sum(use.requests for use in uses)
        if pool not in costs.gpus:
            yield Finding(
                f"pool {show(pool)}",
                f"{requests} requests used it, and the cost file has no such pool",
                "their usage would be free of charge",
                "add it under `gpus`, or under `fallback` where it is an API",
            )
        elif not charges.paid.get(pool):
            yield Finding(
                f"pool {show(pool)}",
                f"{requests} requests used it in {month.name}, where no price holds",
                "their usage would be free of charge",
                "write the price of that time under `gpus`",
            )
        else:
            yield from _outside_prices(costs, month, pool, usage)


def _outside_prices(costs: Costs, month: Month, pool: str, usage: Usage) -> Iterator[Finding]:
    """Usage before the first and behind the last time of the month for which cards are paid."""
    if pool not in usage.seen:
        return
    entries, (first, last) = costs.gpus[pool], usage.seen[pool]
    ends = (period_end(entries, index) for index in range(len(entries)))
    paid = [
        (one.start, end)
        for one, end in zip(entries, ends, strict=True)
        if one.gpus and month.within(one.start, end)
    ]
    (begins, _), (_, until) = paid[0], paid[-1]
    if first < midnight(begins, costs.timezone).timestamp():
        yield _unpaid(pool, f"it was used before {begins}, where its first price begins")
    if until and last >= midnight(until, costs.timezone).timestamp():
        yield _unpaid(pool, f"it was used on {until} or later, where its last price has ended")


def _unpaid(pool: str, what: str) -> Finding:
    return Finding(
        f"pool {show(pool)}",
        what,
        "usage without a price would be free of charge",
        "write the price of that time under `gpus`",
    )


def _unweighed(usage: Usage, card: RateCard) -> Iterator[Finding]:
    for model in sorted({use.model for use in usage.uses if use.tokens.total and not card.knows(use.model)}):
        yield Finding(
            f"model {show(model)}",
            "the rate card has no weights for it, and no `default`",
            "its usage would be free of charge",
            "add it, or `default`, under `rate_card`",
        )


def _tagged(usage: Usage, card: RateCard) -> Decimal | None:
    weights = [(use.team, card.weigh(use)) for use in usage.uses]
    return quotient(sum(w for team, w in weights if team != UNTAGGED), sum(w for _, w in weights), 6)


def _gate(costs: Costs, tagged: Decimal | None) -> Iterator[Finding]:
    if tagged is not None and 1 - tagged > costs.untagged_limit:
        yield Finding(
            "untagged usage",
            f"{1 - tagged:.2%} of the usage names no team; `untagged_limit` is {costs.untagged_limit:.2%}",
            "what nobody is charged for is paid by the platform",
            "let the gateway send the team, or raise `untagged_limit`",
        )


def _telemetry(charges: Charges, usage: Usage) -> Decimal | None:
    if not usage.cards:
        return None
    paid = {pool: seconds * 1000 for pool, seconds in charges.paid.items() if seconds}
    known = sum(min(usage.cards[pool].known, most) for pool, most in paid.items() if pool in usage.cards)
    return quotient(known, sum(paid.values()), 6)


def _samples(usage: Usage) -> Decimal | None:
    return (
        quotient(min(usage.counted.samples, usage.counted.expected), usage.counted.expected, 6)
        if usage.counted
        else None
    )


def _notes(costs: Costs, charges: Charges, usage: Usage) -> Iterator[str]:
    cards = {pool: measured(usage, pool, costs) for pool in charges.paid}
    unmeasured = [pool for pool, seconds in charges.paid.items() if seconds and not cards[pool]]
    if unmeasured:
        names = "every pool" if not usage.cards else ", ".join(unmeasured)
        yield f"idleness of {names} is not known, since no card was measured there: allocated whole"
    for pool, seconds in charges.paid.items():
        seen = cards[pool]
        known = seen.known if seen else seconds * 1000
        if known < seconds * 1000 * _NEARLY_ALL:
            hours = Decimal(seconds * 1000 - known) / 3_600_000
            yield f"{pool}: {hours:.1f} of {seconds // 3600} card-hours are not known; they are priced {_priced(costs)}"
    if usage.counted and usage.counted.gaps:
        yield (
            f"{len(usage.counted.gaps)} gaps in the usage counters: what was counted in them is in the growth "
            "around them, unless the program was restarted there"
        )


def _priced(costs: Costs) -> str:
    return {"as_measured": "like the rest of the month", "busy": "as busy", "idle": "as idle"}[costs.unknown]
