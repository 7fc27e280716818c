"""The report as data: totals, tables by pool, owner and card type, cards, findings. Every output is made from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from sre.finance.money import Money
from sre.fleet import Fleet
from sre.idle.states import BUSY, STATES, UNDERUSED, WHOLE, hours, idle_hours, idle_share
from sre.idle.windows import Window


@dataclass(frozen=True)
class Account:
    """One line of a table: parts of card-minutes by state, those in business hours, and what idling cost."""

    name: str
    parts: tuple[int, ...]
    business: tuple[int, ...]
    cost: Money | None = None
    owner: str = ""
    kind: str = ""

    @property
    def hours(self) -> dict[str, Decimal]:
        return hours(self.parts)

    @property
    def idle(self) -> Fraction:
        """Share of idle time."""
        return idle_share(self.parts)

    @property
    def idle_hours(self) -> Decimal:
        return idle_hours(self.parts)

    @property
    def outside(self) -> tuple[int, ...]:
        """Parts outside business hours, by state."""
        return tuple(map(int.__sub__, self.parts, self.business))

    @property
    def used(self) -> Fraction:
        """Share of time with work."""
        return Fraction(self.parts[BUSY] + self.parts[UNDERUSED], sum(self.parts) or 1)


@dataclass(frozen=True)
class CardLine:
    """One card of one pool over the period; ``course`` is the state that most of each window was in, by its place."""

    uuid: str
    mig: str
    pool: str
    owner: str
    kind: str
    host: str
    gpu: str
    parts: tuple[int, ...]
    business: tuple[int, ...]
    signal: str
    course: bytes

    @property
    def hours(self) -> dict[str, Decimal]:
        return hours(self.parts)


@dataclass(frozen=True)
class Report:
    """Everything that is told of one period."""

    fleet: Fleet
    start: datetime
    end: datetime
    windows: tuple[Window, ...]
    total: Account
    pools: tuple[Account, ...]
    owners: tuple[Account, ...]
    types: tuple[Account, ...]
    cards: tuple[CardLine, ...]
    unseen: tuple[CardLine, ...]
    """What nobody saw, by pool: one line for all cards of it together."""
    beyond: tuple[CardLine, ...]
    reasons: Mapping[str, int]
    """Card-minutes that were left out, by reason."""
    evidence: Mapping[str, int]
    """Card-minutes by what told the state."""
    bill: Money | None
    """What all of these card-hours cost."""
    trend: "Trend | None"

    @cached_property
    def cost(self) -> Money | None:
        return self.total.cost

    @property
    def idle(self) -> Fraction:
        return self.total.idle

    @property
    def idle_before(self) -> Fraction | None:
        """Idle share in the period before, by the same count; None where too little of it was recorded."""
        if not self.trend or not self.trend.known:
            return None
        # Recorded idle time is compared: what nobody sees, and what is kept, is taken to have been the same.
        whole = Fraction(sum(self.total.parts), WHOLE) or Fraction(1)
        return min(Fraction(1), max(Fraction(0), self.idle + self.trend.fewer / whole))


@dataclass(frozen=True)
class Trend:
    """``fewer`` idle minutes of cards than in the period before, of which so much was ``looked`` at: a share."""

    fewer: Fraction
    looked: float

    @property
    def known(self) -> bool:
        """Nine tenths of it: what is missing may have been anything."""
        return self.looked >= 0.9


NOWHERE = len(STATES)
"""Of a card's course: it was not there."""

DIGITS = bytes(ord("0") + min(value, NOWHERE) for value in range(256))
"""With which a course translates into text."""
