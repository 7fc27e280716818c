"""The bill as a page that a team lead reads: what was used, what it cost, against last month and the budget."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from hashlib import sha256
from importlib.resources import files

from sre.finance.bill import IDLE, PLATFORM, TOKEN_CLASSES, UNTAGGED, Bill, Row, State, Tokens
from sre.finance.money import Money, total
from sre.finance.unit_costs import UnitCost, quotient, unit_costs
from sre.fleet import file_name

INDEX = "statement.html"
_TITLES = {IDLE: "Idle cards", PLATFORM: "Held by the platform", UNTAGGED: "Usage without a team"}
_STATES: Mapping[State, str] = {
    "used": "cards at work",
    "wasted": "cards with a model loaded, without a request",
    "idle": "cards with nothing loaded",
}
_EXPLAINED = {
    IDLE: "Time in which cards did no work. By the policy of this bill no team pays for it.",
    PLATFORM: "Lines of the cost file that the platform keeps.",
    UNTAGGED: "Requests whose records name no team: the gateway did not say who they were for.",
}


@dataclass(frozen=True)
class _Part:
    """A named share of an amount; ``width`` is its percentage of the largest one, 0 where it is a credit."""

    name: str
    cost: Money
    width: Decimal


@dataclass(frozen=True)
class _Team:
    """One team's month. Unset members are not known."""

    key: str
    title: str
    explained: str
    file: str
    cost: Money
    width: Decimal
    previous: Money | None
    change: Decimal | None
    """Against the month before, in per cent; corrections of earlier months are no part of either."""
    budget: Money | None
    spent: Decimal | None
    """Of the budget, in per cent."""
    tokens: Tokens
    requests: int
    lines: tuple[_Part, ...]
    states: tuple[_Part, ...]
    """What the cards did in the time that is paid for; nothing where all of it was work."""
    units: tuple[UnitCost, ...]
    corrections: tuple[Row, ...]


def statements(bill: Bill) -> dict[str, str]:
    """Path -> page: one of all teams, and one for each team that holds nothing of the others."""
    teams = _teams(bill)
    pages = {INDEX: _render(bill, teams, alone=False)}
    for team in teams:
        pages[team.file] = _render(bill, (team,), alone=True)
    return pages


def _render(bill: Bill, teams: tuple[_Team, ...], *, alone: bool) -> str:
    return str(_template().render(
        bill=bill, teams=teams, alone=alone, classes=TOKEN_CLASSES, number=_number, percent=_percent, money=_money,
        class_parts=_class_parts, hours=round((bill.end - bill.start).total_seconds()) // 3600,
    ))  # fmt: skip


@cache
def _template():  # type: ignore[no-untyped-def]  # jinja2 is imported by who writes one
    from jinja2 import Environment, StrictUndefined

    # Escaped everywhere: team and model names are whatever somebody called them.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(
        files("sre.finance").joinpath("statement.html").read_text(encoding="utf-8")
    )


def _teams(bill: Bill) -> tuple[_Team, ...]:
    rows, units = defaultdict[str, list[Row]](list), defaultdict[str, list[UnitCost]](list)
    for row in bill.rows:
        rows[row.team].append(row)
    for unit in unit_costs(bill):
        units[unit.team].append(unit)
    for team in bill.budgets:
        rows.setdefault(team, [])
    most = max((abs(total((r.cost for r in own), bill.currency).minor) for own in rows.values()), default=0)
    # Teams first, then what no team pays for.
    return tuple(
        _team(bill, name, rows[name], tuple(units[name]), most)
        for name in sorted(rows, key=lambda name: (name in _TITLES, name))
    )


def _team(bill: Bill, name: str, rows: list[Row], units: tuple[UnitCost, ...], most: int) -> _Team:
    own, corrections = _apart(rows)
    cost, spent = (total((row.cost for row in some), bill.currency) for some in (rows, own))
    previous = None if bill.previous is None else bill.previous.get(name, Money(0, bill.currency))
    budget = bill.budgets.get(name)
    return _Team(
        name, _TITLES.get(name, name), _EXPLAINED.get(name, ""), _file(name),
        cost, _share(cost.minor, most), previous,
        quotient((spent.minor - previous.minor) * 100, previous.minor, 1) if previous else None,
        budget, quotient(cost.minor * 100, budget.minor, 1) if budget else None,
        sum((row.tokens for row in own), Tokens()), sum(row.requests for row in own),
        _parts(bill, rows, map(_paid_for, rows)),
        _states(bill, own),
        units, corrections,
    )  # fmt: skip


def _states(bill: Bill, rows: list[Row]) -> tuple[_Part, ...]:
    told = any(row.state != "used" for row in rows)
    return _parts(bill, rows, (_STATES[row.state] for row in rows)) if told else ()


def _apart(rows: list[Row]) -> tuple[list[Row], tuple[Row, ...]]:
    """The month's own rows, and the corrections of earlier ones."""
    return [r for r in rows if r.kind != "correction"], tuple(r for r in rows if r.kind == "correction")


def _paid_for(row: Row) -> str:
    if row.kind == "correction":
        return "corrections of earlier months"
    return f"{row.line} of {row.pool}" if row.pool else row.line


def _file(team: str) -> str:
    """Two names never share a page: what is not its own file name gets some digits of its hash."""
    plain = file_name(team)[:80]
    mark = "" if plain == team else f"-{sha256(team.encode()).hexdigest()[:8]}"
    return f"statements/{plain}{mark}.html"


def _parts(bill: Bill, rows: list[Row], names: Iterable[str]) -> tuple[_Part, ...]:
    sums = dict[str, Money]()
    for row, name in zip(rows, names, strict=True):
        sums[name] = sums.get(name, Money(0, bill.currency)) + row.cost
    most = max((cost.minor for cost in sums.values()), default=0)
    ranked = sorted(sums.items(), key=lambda item: (-item[1].minor, item[0]))
    return tuple(_Part(name, cost, _share(cost.minor, most)) for name, cost in ranked)


def _class_parts(tokens: Tokens) -> Mapping[str, Decimal]:
    """Share of each class, in per cent."""
    return {
        name: _share(count, tokens.total) for name, count in tokens.by_class().items() if count > 0
    }  # fmt: skip


def _share(part: int, whole: int) -> Decimal:
    return max(quotient(part * 100, whole, 2) or Decimal(0), Decimal(0))


def _number(count: int) -> str:
    return f"{count:,}"


def _money(cost: Money | Decimal) -> str:
    return f"{cost.amount if isinstance(cost, Money) else cost:,}"


def _percent(share: Decimal | None) -> str:
    return "-" if share is None else f"{share * 100:.1f} %"
