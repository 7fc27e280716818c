"""Money: text in, whole minor units inside, text out; what is split adds up."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.finance.currencies import DIGITS
from sre.finance.money import close, currency, parse_amount, parse_money, round_money, split

EUR, JPY, KWD = currency("EUR"), currency("JPY"), currency("KWD")
weights = st.dictionaries(st.text(max_size=3), st.integers(0, 10**9), min_size=1, max_size=8)


def texts(parts) -> dict[str, str]:
    return {key: str(part) for key, part in parts.items()}


@pytest.mark.parametrize(
    ("text", "unit"), [("3650.00", EUR), ("-12.50", EUR), ("1300", JPY), ("0.001", KWD), ("0", JPY)]
)
def test_money_is_read_and_written_without_loss(text, unit):
    """An amount in a file comes back as the same text."""
    assert str(parse_money(text, unit)) == text


@pytest.mark.parametrize(
    "text", ["1e3", "1,000.00", "+5", " 5", "€5", "NaN", "5.", ".5", "0x10", "١٢", "5\n", "", "1_000"]
)
def test_what_is_no_plain_amount_is_refused(text):
    """Symbols, separators, exponents and digits of other scripts are no money."""
    with pytest.raises(ValueError, match="not an amount"):
        parse_amount(text)


def test_a_fraction_of_a_cent_is_no_money():
    """An invoice total with three digits in euros is a typing error, and yen have no digits at all."""
    with pytest.raises(ValueError, match="more digits"):
        parse_money("10.005", EUR)
    with pytest.raises(ValueError, match="more digits"):
        parse_money("10.5", JPY)


def test_a_half_cent_goes_away_from_zero_on_both_sides():
    """A credit rounds as the charge that it takes back did."""
    assert str(round_money(Decimal("0.125"), EUR)) == "0.13"
    assert str(round_money(Decimal("-0.125"), EUR)) == "-0.13"
    assert str(round_money(Fraction(1, 3), KWD)) == "0.333"


def test_two_currencies_are_never_added():
    """Euros and yen have no sum."""
    with pytest.raises(ValueError, match="cannot be added"):
        parse_money("1.00", EUR) + parse_money("1", JPY)


def test_currencies_have_the_digits_of_iso_4217():
    """Yen none, euros two, dinars three; what is no currency is refused."""
    assert [currency(code).digits for code in ("JPY", "EUR", "KWD")] == [0, 2, 3]
    assert len(DIGITS) > 150
    with pytest.raises(ValueError, match="'EURO'"):
        currency("EURO")


def test_acceptance_24_largest_remainder():
    """3650.00 in three equal parts, and by 85 to 22 to 10, to the cent; rounding each part would give 3650.01."""
    third = split(parse_money("3650.00", EUR), {"c": 1, "a": 1, "b": 1})
    assert texts(third) == {"a": "1216.67", "b": "1216.67", "c": "1216.66"}
    parts = split(parse_money("3650.00", EUR), {"a": 85, "b": 22, "c": 10})
    assert texts(parts) == {"a": "2651.71", "b": "686.32", "c": "311.97"}
    credit = split(parse_money("-3650.00", EUR), {"a": 85, "b": 22, "c": 10})
    assert texts(credit) == {"a": "-2651.71", "b": "-686.32", "c": "-311.97"}


@given(st.integers(-(10**12), 10**12), weights)
def test_parts_add_up_whatever_the_weights(minor, given_weights):
    """No cent is lost or made, none is further than one from its share, and order and sign decide nothing."""
    amount = round_money(minor, JPY)
    if not any(given_weights.values()):
        return
    parts = split(amount, given_weights)
    whole = sum(given_weights.values())
    assert sum(part.minor for part in parts.values()) == minor
    assert all(
        abs(part.minor - Fraction(minor * given_weights[key], whole)) < 1 for key, part in parts.items()
    )
    assert split(amount, dict(reversed(given_weights.items()))) == parts
    assert split(-amount, given_weights) == {key: -part for key, part in parts.items()}
    assert all(not part for key, part in parts.items() if not given_weights[key])


@given(st.lists(st.fractions(-1000, 1000, max_denominator=997), min_size=1, max_size=9))
def test_lines_of_mixed_signs_close_to_their_rounded_sum(numbers):
    """An invoice with credits is converted once, and its lines still add up to it."""
    exact = dict(enumerate(numbers))
    whole = round_money(sum(numbers), JPY).minor
    parts = close(exact, whole)
    assert sum(parts.values()) == whole
    assert all(abs(parts[key] - number) <= 1 for key, number in exact.items())


def test_weights_that_split_nothing_are_refused():
    """A cost that nobody has a share of is never dropped silently."""
    with pytest.raises(ValueError, match="nothing has a weight"):
        split(parse_money("1.00", EUR), {"a": 0})
    with pytest.raises(ValueError, match="negative"):
        split(parse_money("1.00", EUR), {"a": -1, "b": 2})
