"""The kinds of value that a cost file holds: money as text, days, months, currencies, each with its words."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from sre.explain import objection
from sre.finance.currencies import DIGITS
from sre.finance.money import parse_amount
from sre.finance.months import parse_month
from sre.source import show, suggest

_FLOAT = "programs that edit YAML rewrite numbers, and 0.1 is none that a computer can hold: money is text"


def _text_amount(value: object) -> object:
    """A ``Decimal`` from text; a number without quotes is refused, whatever it is."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        raise objection(f"{show(value)} is a number, not text", f'put quotes around it: "{value}"', _FLOAT)
    if not isinstance(value, str):
        return value
    try:
        return parse_amount(value)
    except ValueError:
        raise objection(
            f"{show(value)} is not an amount",
            'write digits with a point, like "1250.00": no symbol, no separators, no exponent',
        ) from None


def _at_least_zero(value: object) -> object:
    number = _text_amount(value)
    if isinstance(number, Decimal) and number < 0:
        raise objection(f"{show(str(value))} is negative", "write 0 or more; what is given back is a credit")
    return number


def _share(value: object) -> object:
    number = _at_least_zero(value)
    if isinstance(number, Decimal) and number > 1:
        raise objection(f"{show(str(value))} is more than all", 'write a share of at most 1, like "0.25"')
    return number


def _pue(value: object) -> object:
    number = _text_amount(value)
    if isinstance(number, Decimal) and not 1 <= number <= 5:
        raise objection(
            f"{show(str(value))} is no power usage effectiveness",
            'write 1 or more, like "1.3"',
            "it is the building's energy over that of its machines: less than 1 cannot be",
        )
    return number


def _month(value: object) -> object:
    if isinstance(value, str):
        try:
            return parse_month(value, "UTC").name
        except ValueError:
            raise objection(f"{show(value)} is not a month", "write year and month: 2026-10") from None
    return value


def _currency(value: object) -> object:
    if isinstance(value, str) and value not in DIGITS:
        near = suggest(value.upper(), DIGITS) if value.isascii() and len(value) < 9 else ""
        raise objection(
            f"{show(value)} is not a currency",
            near if "did you mean" in near else "write its ISO 4217 code in capitals, like EUR, JPY or KWD",
            "it decides how many digits an amount has",
        )
    return value


_PATTERN = r"^-?[0-9]{1,15}(\.[0-9]{1,12})?$"


def _as_text(
    check: Callable[[object], object], pattern: str = _PATTERN
) -> tuple[BeforeValidator, WithJsonSchema]:
    return BeforeValidator(check), WithJsonSchema({"type": "string", "pattern": pattern})


Amount = Annotated[Decimal, *_as_text(_text_amount)]
"""An amount of any sign, as text."""
Price = Annotated[Decimal, *_as_text(_at_least_zero, _PATTERN.replace("-?", ""))]
"""An amount of 0 or more, as text; of any precision, as prices per hour are."""
Share = Annotated[Decimal, *_as_text(_share, r"^(0(\.[0-9]{1,12})?|1(\.0{1,12})?)$")]
"""A share from 0 to 1, as text."""
Pue = Annotated[Decimal, *_as_text(_pue, r"^[1-5](\.[0-9]{1,12})?$")]
MonthName = Annotated[
    str, BeforeValidator(_month), WithJsonSchema({"type": "string", "pattern": "^2[0-9]{3}-(0[1-9]|1[0-2])$"})
]
"""``2026-10``."""
CurrencyCode = Annotated[
    str, BeforeValidator(_currency), WithJsonSchema({"type": "string", "enum": sorted(DIGITS)})
]
