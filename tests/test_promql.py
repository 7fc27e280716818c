"""Text that enters PromQL: whatever it is, a matcher holds exactly that, for the parser and for Prometheus."""

import re

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.promql import MATCHERS, STRING, all_of, matches, one_of, quote, replacement

# Surrogates alone are no text that can be written to a file.
texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\"'`\\{}$@|\n"), max_size=20)


@given(text=texts)
def test_a_literal_stands_for_the_text_that_was_quoted(text: str) -> None:
    """Quotes, backslashes, braces and line breaks come back as they went in."""
    assert promql_parser.parse(quote(text)).val == text
    assert re.fullmatch(STRING, quote(text))


@given(values=st.sets(texts, min_size=1, max_size=4), other=texts)
def test_one_of_lets_through_those_values_and_no_others(values: set[str], other: str) -> None:
    """Nothing in a value means anything to the pattern that joins several."""
    matcher = one_of("pool", values)
    assert all(matches({"pool": value}, matcher) for value in values)
    assert matches({"pool": other}, matcher) is (other in values)


@given(labels=st.dictionaries(st.sampled_from(["a", "b", "by"]), texts, min_size=1))
def test_all_of_asks_for_every_label(labels: dict[str, str]) -> None:
    """Each value is compared as it is, and what stands between the braces is found whole again."""
    selector = f"{{{all_of(labels)}}}"
    found = promql_parser.parse(f"x{selector}").matchers.matchers
    assert {m.name: m.value for m in found} == labels
    assert re.fullmatch(MATCHERS, selector)


@given(before=texts, after=texts)
def test_matchers_end_where_their_own_brace_closes(before: str, after: str) -> None:
    """A brace between quotes is text, also in the two kinds of quotes that the compiler does not write."""
    selector = "{" + f"a={quote(before)}, b='}}', c=`}}`" + "}"
    found = re.match(MATCHERS, selector + " + x{" + f"d={quote(after)}" + "}")
    assert found
    assert found[0] == selector


@pytest.mark.parametrize(("text", "literal"), [("a$1", '"a$$1"'), ("$$", '"$$$$"'), ('"\\', r'"\"\\"')])
def test_a_replacement_holds_no_group(text: str, literal: str) -> None:
    """label_replace reads `$$` as `$`, and `$1` as what the pattern found."""
    assert replacement(text) == literal
