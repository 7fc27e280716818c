"""Money as whole minor units (cents): exact, summable in any order, never a float.

Prices and quantities are ``Decimal`` or ``Fraction``; they become ``Money`` once, by ``round_money``, and from
there on are only added or split. A split always adds up to what was split.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Protocol, Self, TypeVar

from sre.finance.currencies import DIGITS

_AMOUNT = re.compile(r"-?\d{1,15}(?:\.\d{1,12})?", re.ASCII)


class _Key(Hashable, Protocol):
    def __lt__(self, other: Self, /) -> bool: ...


K = TypeVar("K", bound=_Key)


@dataclass(frozen=True, order=True)
class Currency:
    """A national currency: its ISO 4217 code, and the digits of its minor unit (EUR 2, JPY 0, KWD 3)."""

    code: str
    digits: int

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True)
class Money:
    """An amount: ``minor`` whole minor units (cents) of ``currency``; may be negative.

    ``str`` gives the plain decimal text with all digits of the currency and no symbol: ``-12.50``, ``1300``.
    Adding or comparing amounts of two currencies raises ``ValueError``. ``bool`` is false for nothing at all.
    """

    minor: int
    currency: Currency

    @property
    def amount(self) -> Decimal:
        """The exact decimal amount, with the currency's number of digits."""
        return Decimal(self.minor).scaleb(-self.currency.digits)

    def __str__(self) -> str:
        return format(self.amount, "f")

    def __bool__(self) -> bool:
        return self.minor != 0

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added or compared")
        return other.minor


def currency(code: str) -> Currency:
    """The currency of an ISO 4217 code in capitals. Raises ``ValueError`` for any other text."""
    if code not in DIGITS:
        raise ValueError(f"{code!r} is not a currency")
    return Currency(code, DIGITS[code])


def parse_amount(text: str) -> Decimal:
    """A price or amount of any precision from plain text: ``2.52``, ``-0.000125``.

    No exponent, no separators of thousands, no plus sign, no symbol. Raises ``ValueError``.
    """
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is not an amount")
    return Decimal(text)


def parse_money(text: str, unit: Currency) -> Money:
    """Money from plain text, ``str``'s inverse. Raises ``ValueError``, for a fraction of a minor unit too."""
    minor = parse_amount(text).scaleb(unit.digits)
    if minor != minor.to_integral_value():
        raise ValueError(f"{text!r} has more digits than {unit} has")
    return Money(int(minor), unit)


def round_money(amount: Decimal | Fraction | int, unit: Currency) -> Money:
    """To whole minor units, commercially: a half goes away from zero, so that -x gives what x gives, negated."""
    return Money(round_half_away(Fraction(amount) * 10**unit.digits), unit)


def round_half_away(number: Fraction) -> int:
    """The nearest whole number; a half goes away from zero."""
    return divide(number.numerator, number.denominator)


def divide(number: int, by: int) -> int:
    """The whole number nearest to ``number / by``, which is more than 0; a half goes away from zero."""
    whole = (2 * abs(number) + by) // (2 * by)
    return whole if number >= 0 else -whole


def total(parts: Iterable[Money], unit: Currency) -> Money:
    """The sum; nothing at all is zero of ``unit``."""
    return sum(parts, Money(0, unit))


def split(amount: Money, weights: Mapping[K, int | Decimal | Fraction]) -> dict[K, Money]:
    """The amount in parts proportional to the weights, adding up to it exactly (largest remainder, Hamilton).

    Each part is its exact share cut to whole minor units towards zero; the units left go, one each, to the
    largest remainders, and among equal ones to the smallest key, so that the order of the mapping decides
    nothing. Negative amounts split like positive ones. The result is sorted by key.

    Raises ``ValueError`` where a weight is negative, or where all are zero and the amount is not.
    """
    shares = _whole_numbers(weights)
    if any(share < 0 for share in shares.values()):
        raise ValueError("a weight is negative")
    whole = sum(shares.values())
    if not whole:
        if amount:
            raise ValueError("nothing has a weight")
        return dict.fromkeys(sorted(shares), amount)
    sign, size = (1 if amount.minor > 0 else -1), abs(amount.minor)
    parts = {key: divmod(size * shares[key], whole) for key in sorted(shares)}
    left = size - sum(part for part, _ in parts.values())
    # Sorting keeps the order of the keys among equal remainders.
    lucky = set(sorted(parts, key=lambda key: -parts[key][1])[:left])
    return {key: Money(sign * (part + (key in lucky)), amount.currency) for key, (part, _) in parts.items()}


def _whole_numbers(weights: Mapping[K, int | Decimal | Fraction]) -> dict[K, int]:
    """The same proportions in whole numbers."""
    exact = {key: weight if isinstance(weight, int) else Fraction(weight) for key, weight in weights.items()}
    scale = lcm(*(weight.denominator for weight in exact.values()))
    return {key: int(weight * scale) for key, weight in exact.items()}


def close(exact: Mapping[K, Fraction], whole: int) -> dict[K, int]:
    """Whole numbers next to the exact ones that add up to ``whole``, by largest remainder; sorted by key.

    ``whole`` is the sum of the exact numbers, or that sum rounded. Signs may be mixed: what is negated gives
    the negated result.
    """
    cut = {key: int(number) for key, number in sorted(exact.items(), key=lambda item: item[0])}
    left = whole - sum(cut.values())
    step = 1 if left > 0 else -1
    ranked = sorted(cut, key=lambda key: (-step * (exact[key] - cut[key]), key))
    for key in ranked[: abs(left)]:
        cut[key] += step
    assert sum(cut.values()) == whole, "the exact numbers do not add up to the whole"
    return cut
