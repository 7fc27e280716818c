"""The bill of one month, as plain data: what exports, statements and comparisons are made from.

A bill is complete when it is built: its rows add up to its totals to the minor unit, for each invoice. It holds
no time of making, no path and no machine's name, so that the same inputs give the same bill everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from sre.finance.money import Currency, Money

Kind = Literal[
    "usage", "idle", "wasted", "untagged", "fixed", "fallback", "credit", "tax", "adjustment", "correction"
]
"""What a row is.

``usage`` / ``wasted`` / ``idle`` / ``untagged``: a share of the cards or of their power that a team used, that
was loaded without a request, that nothing was loaded on, or that was used without a team's name.
``fixed`` / ``credit`` / ``tax`` / ``adjustment``: a share of such a line of the cost file. ``fallback``: a share
of what was spent on an API beside the pools. ``correction``: a difference to a closed month.
"""
State = Literal["used", "wasted", "idle"]
"""Which part of the pool's time the row pays for; ``wasted`` is a loaded model without a request."""
Mode = Literal["showback", "internal_invoice"]
IdlePolicy = Literal["platform", "proportional", "even", "fixed", "by_reservation"]
Source = Literal["usage", "prometheus", "both"]

IDLE = "__idle__"
"""The team of idle and wasted time that no policy gives to a team; the platform pays it."""
PLATFORM = "__platform__"
"""The team of cost lines that the cost file holds back from the teams (`held: true`)."""
UNTAGGED = "__untagged__"
"""The team of usage whose records name none."""
TOKEN_CLASSES = ("uncached_input", "cached_input", "cache_write", "output", "reasoning")
"""Disjoint: their sum is all tokens."""


@dataclass(frozen=True, order=True)
class Tokens:
    """Token counts by class; in a correction they may be negative."""

    uncached_input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    def by_class(self) -> dict[str, int]:
        """In the order of ``TOKEN_CLASSES``."""
        return {name: getattr(self, name) for name in TOKEN_CLASSES}

    @property
    def total(self) -> int:
        """All classes together."""
        return self.uncached_input + self.cached_input + self.cache_write + self.output + self.reasoning

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.uncached_input + other.uncached_input,
            self.cached_input + other.cached_input,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )

    def __neg__(self) -> "Tokens":
        return Tokens(*(-count for count in self.by_class().values()))

    def __sub__(self, other: "Tokens") -> "Tokens":
        return self + -other


@dataclass(frozen=True)
class Row:
    """One line of the bill: a share of one cost line, for one team and model in one pool.

    Quantities (``requests``, ``successful_requests``, ``tokens``) stand on one row of each (pool, team, model)
    only, that of the pool's first cost line, and are 0 on its other rows: summing a column never counts twice.
    ``weight / weight_of`` is the exact share by which the row was measured, both whole numbers or both zero; the
    cost is that share of what was split, closed by largest remainder first over teams, then over models.
    """

    id: str
    """Stable: the same month, line, pool, state, team and model have the same id in every build. [0-9a-f-]."""
    month: str
    """The billing month, ``2026-10``: that of the bill."""
    charge_month: str
    """The month that the charge is for: earlier than ``month`` in a correction only."""
    invoice: str
    """The invoice that the cost is on; corrections have one of their own. Empty where the file names none."""
    line: str
    """The name of the cost line: ``gpus``, ``power``, or what the file calls it (``operations``)."""
    kind: Kind
    state: State
    team: str
    """A team's name as the records have it (hostile text), or ``IDLE`` or ``UNTAGGED``."""
    model: str
    """As the records have it (hostile text); empty where the charge is for no model."""
    pool: str
    """Empty where the charge is for no pool."""
    cost: Money
    requests: int = 0
    successful_requests: int = 0
    tokens: Tokens = Tokens()
    weight: int = 0
    weight_of: int = 0
    method: str = ""
    """How the share was measured: ``tokens``, ``requests``, ``gpu_seconds`` (weights are microseconds), ``even``,
    ``fixed``, ``reservation``, ``whole`` (nothing to split), ``restated`` (a correction)."""
    corrects: str = ""
    """The id of the row of the closed month that a correction corrects; empty elsewhere."""


ROW_TEXTS = ("month", "charge_month", "invoice", "line", "kind", "state", "team", "model", "pool", "method")
"""The members of a row that are text, in the order of its exports; its ids stand apart."""


@dataclass(frozen=True)
class Invoice:
    """One invoice: what it says, what its lines come to, and what that is in the bill's currency.

    ``lines`` equals ``stated`` where that is known, and the bill's rows of this invoice add up to ``billed``.
    ``rate`` (1 where the currencies are the same) is home currency per unit, with its source and ISO date.
    """

    id: str
    issuer: str
    stated: Money | None
    lines: Money
    billed: Money
    rate: Decimal = Decimal(1)
    rate_source: str = ""
    rate_date: str = ""


@dataclass(frozen=True)
class Coverage:
    """How much of the month was seen. Shares are 0 to 1; None where it cannot be known from what was given.

    ``tagged`` is the share of the weight that names a team, ``telemetry`` the share of the pools' GPU time whose
    state is known, ``samples`` the share of expected samples of the usage counters that are there.
    """

    tagged: Decimal | None = None
    telemetry: Decimal | None = None
    samples: Decimal | None = None


@dataclass(frozen=True)
class Bill:
    """The bill of one month; ``rows`` are sorted: charge month, invoice, line, kind, pool, state, team, model, id.

    ``start`` (inclusive) and ``end`` (exclusive) are the month's boundaries in the finance time zone, as UTC
    instants. ``total`` is the sum of all rows; ``corrections`` the part of it that corrects closed months.
    """

    month: str
    start: datetime
    end: datetime
    timezone: str
    currency: Currency
    rows: tuple[Row, ...]
    total: Money
    corrections: Money
    invoices: tuple[Invoice, ...]
    mode: Mode
    idle_policy: IdlePolicy
    source: Source
    rate_card: str
    """The rate card's version: the first 12 digits of the SHA-256 of its canonical form."""
    weights: Mapping[str, Mapping[str, Decimal]]
    """The rate card itself: model or ``default`` -> token class -> weight."""
    coverage: Coverage = Coverage()
    budgets: Mapping[str, Money] = field(default_factory=dict)
    """Team -> what it may spend in a month, where the cost file says so."""
    previous: Mapping[str, Money] | None = None
    """Team -> cost of the month before, from its closed bill; None where that is not known."""
    notes: tuple[str, ...] = ()
    """What a reader must know: idleness not measured, energy not measured, gaps and how they were priced."""
    tool: str = ""
    """Name and version of the program, ``inference-sre 0.1.0``."""
