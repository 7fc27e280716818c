"""Who pays: lines to pools by GPU time, the time of pools to teams by the rate card, teams to their models.

Every step splits what is there by largest remainder, so that each subtotal closes: a line is the sum of its
pools, a pool of its states, a state of its teams, a team of its models.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sre.finance.bill import IDLE, PLATFORM, UNTAGGED, Kind, Row, State
from sre.finance.costs.model import Costs
from sre.finance.lines import Charges, Line
from sre.finance.money import Money, split
from sre.finance.usage import CardTime, Usage, Use
from sre.finance.weights import RateCard

_KINDS: Mapping[str, Kind] = {
    "fixed": "fixed", "credit": "credit", "tax": "tax", "adjustment": "adjustment", "fallback": "fallback",
}  # fmt: skip


@dataclass(frozen=True)
class Share:
    """A team's part of something, with the arithmetic behind it; the cost closes over all shares beside it."""

    team: str
    model: str
    weight: int
    weight_of: int
    method: str


@dataclass(frozen=True)
class PoolUse:
    """What is known of one pool: its uses by team and model with their weights, and what its cards did."""

    pool: str
    uses: Mapping[tuple[str, str], Use]
    weights: Mapping[tuple[str, str], int]
    time: Mapping[State, int]
    """State -> card time; empty where it was not measured."""
    cards: bool = True
    """Whether it has cards of its own, or stands for an API."""

    @property
    def teams(self) -> dict[str, int]:
        """Team -> weight, of those that used it; nothing where no use weighs anything."""
        found = defaultdict[str, int](int)
        for (team, _), weight in self.weights.items():
            found[team] += weight
        return dict(sorted(found.items())) if any(found.values()) else {}


def allocate(costs: Costs, charges: Charges, usage: Usage, card: RateCard, month: str) -> tuple[Row, ...]:
    """All rows of the month's lines, sorted. Their costs add up to the lines, to the minor unit."""
    uses = by_pool_name(usage)
    pools = {
        name: _pool_use(name, uses.get(name, ()), costs, charges, measured(usage, name, costs), card)
        for name in _pool_names(charges, usage)
    }
    rows = [row for line in charges.lines for row in _rows(line, costs, charges, pools, month)]
    rows = [*_with_quantities(rows, pools, charges, month, costs)]
    return tuple(sorted(rows, key=order))


def measured(usage: Usage, pool: str, costs: Costs) -> CardTime | None:
    """What a pool's cards did; None where nothing is known of it, and the file does not say how that is priced.

    From records alone no pool is measured, and no policy on missing telemetry can apply.
    """
    silent = (
        CardTime(0, 0, 0) if usage.cards and costs.unknown != "as_measured" and pool in costs.gpus else None
    )
    return usage.cards.get(pool, silent)


def order(row: Row) -> tuple[str, ...]:
    """The place of a row on a bill."""
    return row.charge_month, row.invoice, row.line, row.kind, row.pool, row.state, row.team, row.model, row.id


def row_id(month: str, *key: str) -> str:
    """Stable, and safe to show: names are hostile text, so their hash stands for them."""
    form = json.dumps(key, ensure_ascii=True, separators=(",", ":"))
    return f"{month}-{hashlib.sha256(form.encode()).hexdigest()[:16]}"


def _pool_names(charges: Charges, usage: Usage) -> list[str]:
    own = {line.pool for line in charges.lines if line.pool}
    return sorted(own | set(charges.paid) | {use.pool for use in usage.uses})


def _pool_use(
    name: str, used: Sequence[Use], costs: Costs, charges: Charges, cards: CardTime | None, card: RateCard
) -> PoolUse:
    uses = {(use.team, use.model): use for use in used}
    weights = {key: card.weigh(use) for key, use in uses.items()}
    time = _time(cards, charges.paid.get(name, 0) * 1000, costs)
    return PoolUse(name, uses, weights, time, name in charges.paid)


def by_pool_name(usage: Usage) -> dict[str, list[Use]]:
    """Pool -> its uses."""
    found = defaultdict[str, list[Use]](list)
    for use in usage.uses:
        found[use.pool].append(use)
    return dict(found)


def _time(cards: CardTime | None, paid: int, costs: Costs) -> Mapping[State, int]:
    """Card time by state, where it was measured; what is paid and unknown is priced by the file's policy."""
    if cards is None or (not cards.known and costs.unknown == "as_measured"):
        return {}
    unknown = max(0, paid - cards.known)
    busy = cards.busy + (unknown if costs.unknown == "busy" else 0)
    idle = cards.idle + (unknown if costs.unknown == "idle" else 0)
    return {"used": busy, "wasted": cards.wasted, "idle": idle} if busy + cards.wasted + idle else {}


def _rows(
    line: Line, costs: Costs, charges: Charges, pools: Mapping[str, PoolUse], month: str
) -> Iterator[Row]:
    if line.held:
        yield _row(line, "", "used", Share(PLATFORM, "", 0, 0, "whole"), line.amount, month)
        return
    for pool, part in by_pool(line, charges).items():
        for state, amount in by_state(part, pools[pool]).items():
            for share, cost in by_team(amount, state, pools[pool], costs):
                yield _row(line, pool, state, share, cost, month)


def by_pool(line: Line, charges: Charges) -> dict[str, Money]:
    """A line in parts for the pools: whole where it names one, else by the GPU time that is paid for."""
    if line.pool:
        return {line.pool: line.amount}
    paid = charges.paid if any(charges.paid.values()) else dict.fromkeys(charges.paid, 1)
    return {pool: part for pool, part in split(line.amount, paid).items() if charges.paid.get(pool) or part}


def by_state(amount: Money, pool: PoolUse) -> dict[State, Money]:
    """A pool's part by what its cards did; used as a whole where nobody measured, idle where nobody used it."""
    if pool.time:
        return {state: part for state, part in split(amount, pool.time).items() if pool.time[state]}
    return {"used" if pool.teams or not pool.cards else "idle": amount}


def by_team(amount: Money, state: State, pool: PoolUse, costs: Costs) -> Iterator[tuple[Share, Money]]:
    """A state's part for teams and their models."""
    if state == "used":
        # Cards that worked for nobody who is known: usage without a name.
        yield from (
            _by_usage(amount, pool, costs.allocate_by)
            if pool.teams
            else _whole(amount, UNTAGGED, pool, state)
        )
        return
    teams = pool.teams
    match costs.idle:
        case "proportional" if teams:
            yield from _by_usage(amount, pool, costs.allocate_by)
        case "even" if teams:
            yield from _by_shares(amount, dict.fromkeys(teams, 1), "even")
        case "fixed":
            yield from _by_shares(amount, _whole_shares(costs), "fixed")
        case "by_reservation" if pool.pool in costs.reservations:
            yield from _by_shares(amount, _reserved(costs, pool.pool), "reservation")
        case _:
            yield from _whole(amount, IDLE, pool, state)


def _by_usage(amount: Money, pool: PoolUse, method: str) -> Iterator[tuple[Share, Money]]:
    whole, models = sum(pool.weights.values()), defaultdict[str, dict[str, int]](dict)
    for (name, model), weight in pool.weights.items():
        models[name][model] = weight
    for team, part in split(amount, pool.teams).items():
        own = models[team]
        parts = split(part, own) if any(own.values()) else dict.fromkeys(sorted(own), part)
        for model, cost in parts.items():
            yield Share(team, model, own[model], whole, method), cost


def _by_shares(amount: Money, shares: Mapping[str, int], method: str) -> Iterator[tuple[Share, Money]]:
    whole = sum(shares.values())
    for team, cost in split(amount, shares).items():
        if shares[team]:
            yield Share(team, "", shares[team], whole, method), cost


def _whole(amount: Money, team: str, pool: PoolUse, state: State) -> Iterator[tuple[Share, Money]]:
    # In microseconds, as the seconds of requests are.
    weight, of = pool.time.get(state, 0) * 1000, sum(pool.time.values()) * 1000
    yield Share(team, "", weight, of, "gpu_seconds" if of else "whole"), amount


def _whole_shares(costs: Costs) -> dict[str, int]:
    return {team: int(share.scaleb(12)) for team, share in costs.idle_shares.items()}


def _reserved(costs: Costs, pool: str) -> dict[str, int]:
    """Cards by team; those that nobody reserved stay with the platform."""
    reserved = dict(costs.reservations[pool])
    most = max(entry.gpus for entry in costs.gpus[pool])
    return {**reserved, IDLE: max(0, most - sum(reserved.values()))}


def _kind(line: Line, state: State, team: str) -> Kind:
    if line.kind in _KINDS:
        return _KINDS[line.kind]
    if state != "used":
        return "wasted" if state == "wasted" else "idle"
    return "untagged" if team == UNTAGGED else "usage"


def _row(line: Line, pool: str, state: State, share: Share, cost: Money, month: str) -> Row:
    name = line.name
    return Row(
        id=row_id(month, line.invoice, line.kind, name, pool, state, share.team, share.model),
        month=month, charge_month=month, invoice=line.invoice, line=name, kind=_kind(line, state, share.team),
        state=state, team=share.team, model=share.model, pool=pool, cost=cost,
        weight=share.weight, weight_of=share.weight_of, method=share.method,
    )  # fmt: skip


def _with_quantities(
    rows: list[Row], pools: Mapping[str, PoolUse], charges: Charges, month: str, costs: Costs
) -> Iterator[Row]:
    """The rows, with each use's quantities on one of them; a use that no row stands for gets one of no cost."""
    left = {(name, *key): use for name, pool in pools.items() for key, use in pool.uses.items()}
    for row in sorted(rows, key=lambda row: (_rank(row), order(row))):
        use = left.pop((row.pool, row.team, row.model), None) if row.state == "used" else None
        yield _counted(row, use) if use else row
    for (name, team, model), use in sorted(left.items()):
        nothing = Money(0, costs.unit)
        line = Line("gpus", "gpus", name, charges.invoices[0].id, nothing, nothing, "no cost")
        share = Share(team, model, 0, 0, costs.allocate_by)
        yield _counted(_row(line, name, "used", share, nothing, month), use)


def _rank(row: Row) -> int:
    """Quantities stand with the cards, or with the API; else with what the pool is charged for."""
    return (
        0 if row.kind in ("usage", "untagged") and row.line == "gpus" else 1 if row.kind == "fallback" else 2
    )


def _counted(row: Row, use: Use) -> Row:
    return replace(row, requests=use.requests, successful_requests=use.successful_requests, tokens=use.tokens)
