"""What no single value of a cost file shows: periods that overlap or leave gaps, names that nothing has."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal

from sre.finance.bill import TOKEN_CLASSES
from sre.finance.costs.model import Costs
from sre.finance.costs.parts import Adjustment, Credit, Fallback, FixedCost, Tax
from sre.finance.costs.periods import check_fixed, check_prices
from sre.findings import Finding
from sre.source import Loc, Source, show, suggest


def check(
    costs: Costs, source: Source, pools: Collection[str] | None, teams: Collection[str] | None
) -> Iterator[Finding]:
    """``pools`` and ``teams`` are those of the fleet file; None where there is none."""
    yield from check_prices(costs, source)
    yield from check_fixed(costs, source)
    yield from _taxes(costs, source)
    yield from _names(costs, source)
    yield from _pools(costs, source, pools)
    yield from _idle(costs, source)
    yield from _rate_card(costs, source)
    yield from _invoices(costs, source)
    if teams:
        yield from _teams(costs, source, teams)


def _taxes(costs: Costs, source: Source) -> Iterator[Finding]:
    for index, tax in enumerate(costs.taxes):
        if (tax.rate is None) == (tax.amount is None) or (tax.amount is not None and not tax.month):
            yield source.finding(
                ("taxes", index),
                f"`taxes[{index + 1}]` is neither a rate nor the amount of a month",
                "what it comes to would be a guess",
                "write rate, or amount with month",
            )


def _names(costs: Costs, source: Source) -> Iterator[Finding]:
    """A line's name is its identity on the bill: the same one twice in a month is one line paid twice."""
    lists: Mapping[str, tuple[Credit | Adjustment | Fallback | Tax, ...]] = {
        "credits": costs.credits,
        "adjustments": costs.adjustments,
        "fallback": costs.fallback,
        "taxes": costs.taxes,
    }
    for key, entries in lists.items():
        seen = set[tuple[str, str | None, str]]()
        for index, one in enumerate(entries):
            identity = (one.name, one.month, one.invoice)
            if identity in seen:
                yield source.finding(
                    (key, index, "name"),
                    f"{show(one.name)} stands in `{key}` twice for {one.month}",
                    "one of them may be the other, counted twice",
                    "give each its own name",
                )
            seen.add(identity)
    for index, one in enumerate(costs.fallback):
        if one.name in costs.gpus:
            yield source.finding(
                ("fallback", index, "name"),
                f"{show(one.name)} is a pool as well",
                "their usage could not be told apart",
                "name the API otherwise",
            )


def _pools(costs: Costs, source: Source, known: Collection[str] | None) -> Iterator[Finding]:
    if known is not None:
        for pool in costs.gpus:
            if pool not in known:
                yield _unknown_pool(
                    ("gpus", pool), pool, known, "the fleet file has none of that name", source, key=True
                )
        for pool in sorted(set(known) - set(costs.gpus)):
            yield source.finding(
                ("gpus",),
                f"the pool {show(pool)} of the fleet file has no price",
                "usage of it could not be billed",
                "add it, with `gpus: 0` while it costs nothing",
                "warning",
                key=True,
            )
    for loc, pool in [*_named_pools(costs), *_power_pools(costs)]:
        if pool not in costs.gpus:
            yield _unknown_pool(loc, pool, costs.gpus, "`gpus` has none of that name", source)


def _named_pools(costs: Costs) -> Iterator[tuple[Loc, str]]:
    for key in ("fixed", "credits", "adjustments"):
        entries: tuple[FixedCost | Credit | Adjustment, ...] = getattr(costs, key)
        yield from (((key, i, "pool"), one.pool) for i, one in enumerate(entries) if one.pool is not None)
    yield from ((("reservations", pool), pool) for pool in costs.reservations)
    yield from ((("models", model), pool) for model, pool in costs.models.items())


def _power_pools(costs: Costs) -> Iterator[tuple[Loc, str]]:
    if costs.power:
        yield from ((("power", "pools", i), pool) for i, pool in enumerate(costs.power.pools or ()))
        yield from (
            (("power", "readings", i, "pool"), one.pool) for i, one in enumerate(costs.power.readings)
        )


def _unknown_pool(
    loc: Loc, pool: str, known: Iterable[str], which: str, source: Source, *, key: bool = False
) -> Finding:
    return source.finding(
        loc,
        f"there is no pool {show(pool)}: {which}",
        "its cost or usage would reach nobody",
        suggest(pool, known),
        key=key,
    )


def _idle(costs: Costs, source: Source) -> Iterator[Finding]:
    shared = sum(costs.idle_shares.values(), Decimal(0))
    if costs.idle == "fixed" and shared != 1:
        yield source.finding(
            ("idle_shares",),
            f"the shares of idle time add up to {shared}, not to 1",
            "the rest would be paid by nobody, or twice",
            "make them add up to exactly 1",
            key=True,
        )
    if costs.idle == "by_reservation" and not costs.reservations:
        yield source.finding(
            ("idle",),
            "`idle` is by_reservation, and nothing is reserved",
            "nobody would be known to pay for idle time",
            "add `reservations: {pool: {team: cards}}`",
        )
    for key, policy in (("idle_shares", "fixed"), ("reservations", "by_reservation")):
        if getattr(costs, key) and costs.idle != policy:
            yield source.finding(
                (key,),
                f"`{key}` is read with `idle: {policy}` only, and `idle` is {costs.idle}",
                "it has no effect",
                f"write `idle: {policy}`, or leave it out",
                "warning",
                key=True,
            )


def _rate_card(costs: Costs, source: Source) -> Iterator[Finding]:
    for model, weights in costs.rate_card.items():
        if not any(weights.values()):
            yield source.finding(
                ("rate_card", model),
                f"no token of {show(model)} weighs anything",
                "its usage would be free of charge",
                "give at least one class a weight",
            )
        missing = [name for name in TOKEN_CLASSES if name not in weights]
        if missing and any(weights.values()):
            yield source.finding(
                ("rate_card", model),
                f"{show(model)} gives no weight to {', '.join(missing)}",
                "tokens of these classes are free of charge",
                'say so with "0", or give them a weight',
                "warning",
                key=True,
            )


def _invoices(costs: Costs, source: Source) -> Iterator[Finding]:
    ids = [one.id for one in costs.invoice]
    for index, one in enumerate(costs.invoice):
        loc: Loc = ("invoice", index) if isinstance(source.data.get("invoice"), list) else ("invoice",)
        if (one.id, one.month) in {(other.id, other.month) for other in costs.invoice[:index]}:
            yield source.finding(
                (*loc, "id"),
                f"the invoice {show(one.id)} stands here twice",
                "its total could be either",
                "keep one of them",
            )
        if (
            one.currency
            and one.currency != costs.currency
            and not any(r.currency == one.currency for r in costs.fx)
        ):
            yield source.finding(
                (*loc, "currency"),
                f"there is no rate for {one.currency}",
                f"the bill is in {costs.currency}",
                f'add `fx: [{{currency: {one.currency}, rate: "...", source: ..., date: ...}}]`',
            )
    for loc, name in _named_invoices(costs):
        if name and name not in ids:
            yield source.finding(
                loc,
                f"there is no invoice {show(name)}",
                "the line would be checked against nothing",
                suggest(name, ids) or "declare it under `invoice`",
            )


def _named_invoices(costs: Costs) -> Iterator[tuple[Loc, str]]:
    for pool, entries in costs.gpus.items():
        yield from ((("gpus", pool, i, "invoice"), one.invoice) for i, one in enumerate(entries))
    if costs.power:
        yield ("power", "invoice"), costs.power.invoice
    for key in ("fixed", "credits", "taxes", "adjustments", "fallback"):
        yield from (((key, i, "invoice"), one.invoice) for i, one in enumerate(getattr(costs, key)))


def _teams(costs: Costs, source: Source, known: Collection[str]) -> Iterator[Finding]:
    named: Mapping[str, Iterable[str]] = {"budgets": costs.budgets, "idle_shares": costs.idle_shares}
    places: list[tuple[Loc, str]] = [((key, team), team) for key, teams in named.items() for team in teams]
    places += [
        (("reservations", pool, team), team) for pool, teams in costs.reservations.items() for team in teams
    ]
    for loc, team in places:
        if team not in known:
            yield source.finding(
                loc,
                f"there is no team {show(team)} in the fleet file",
                "nobody has that name in the records",
                suggest(team, known),
                "warning",
                key=True,
            )
