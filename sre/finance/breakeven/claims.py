"""Rules of thumb that are going round, to be laid beside one's own figures: they contradict each other by four
orders of magnitude, and none of them is used anywhere in the arithmetic.

They stand in articles on self-hosted inference of 2024 to 2026; what they were computed from, where that is known,
does not give them (50 million tokens a month: 1.6 to 2.4 billion at the prices beside it).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sre.finance.breakeven.comparison import Against, Own


@dataclass(frozen=True)
class Claim:
    """Where self-hosting is said to pay: between ``low`` and ``high`` of ``measure``.

    Tokens are those of a month, requests those of a day; spend is what a month on the API costs, in the home currency;
    utilisation is 0 to 1.
    """

    says: str
    measure: Literal["tokens", "spend", "utilization", "requests"]
    low: Fraction
    high: Fraction


_MILLION = 10**6

CLAIMS = (
    Claim(
        "the API wins below 10 million tokens a month, own cards above 100 million",
        "tokens", Fraction(10 * _MILLION), Fraction(100 * _MILLION),
    ),
    Claim("own cards pay from 10 to 30 million tokens a month", "tokens", Fraction(10**7), Fraction(3 * 10**7)),
    Claim("own cards pay from 50 million tokens a month", "tokens", Fraction(5 * 10**7), Fraction(5 * 10**7)),
    Claim(
        "own cards pay from 200 million tokens a month against the cheapest API",
        "tokens", Fraction(2 * 10**8), Fraction(2 * 10**8),
    ),
    Claim("own cards clearly pay above 100 billion tokens a month", "tokens", Fraction(10**11), Fraction(10**11)),
    Claim("own cards pay from 5,000 to 10,000 a month spent on an API", "spend", Fraction(5000), Fraction(10_000)),
    Claim("own cards pay from 30,000 to 50,000 requests a day", "requests", Fraction(30_000), Fraction(50_000)),
    Claim("the API wins below 25 % utilisation, own cards above 60 %", "utilization", Fraction(1, 4), Fraction(3, 5)),
)  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """A claim beside one's own break-even, in the claim's measure; None where there is none, or nothing to count by."""

    claim: Claim
    own: Fraction | None

    @property
    def factor(self) -> Fraction | None:
        """One's own figure over the nearest end of what is claimed; 1 where it lies between the ends."""
        if self.own is None:
            return None
        nearest = min(max(self.own, self.claim.low), self.claim.high)
        return self.own / nearest


def standings(mine: Own, rival: Against, daily: Fraction | None) -> tuple[Standing, ...]:
    """Every claim beside the break-even against one API. ``daily`` are the requests of the workload on one day."""
    return tuple(Standing(claim, _figure(claim, mine, rival, daily)) for claim in CLAIMS)


def _figure(claim: Claim, mine: Own, rival: Against, daily: Fraction | None) -> Fraction | None:
    if rival.volume is None:
        return None
    match claim.measure:
        case "tokens":
            return rival.volume
        case "spend":
            return rival.volume * rival.per_million / 1_000_000
        case "utilization":
            return rival.utilization
        case "requests":
            return rival.volume * daily / mine.tokens if daily else None
