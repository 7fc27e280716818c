"""PromQL as text: the one place where outside text enters an expression, and what an expression reads."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

import promql_parser

STRING = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)"""
"""A string literal, as part of a pattern: braces, `@` and `$` inside it are text."""

MATCHERS = rf"\{{(?:{STRING}|[^}}\"'`])*\}}"
"""The matchers of a selector with their braces, as part of a pattern."""


def quote(text: str) -> str:
    """A PromQL string literal that stands for exactly ``text``."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def literal(text: str) -> str:
    """An RE2 pattern that matches only ``text``; Python's own escape writes sequences that RE2 refuses."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


def one_of(label: str, values: Iterable[str]) -> str:
    """A matcher for any of the values: equality for one, an anchored alternation for more."""
    names = sorted(set(values))
    if len(names) == 1:
        return f"{label}={quote(names[0])}"
    return f"{label}=~{quote('|'.join(map(literal, names)))}"


def all_of(labels: Mapping[str, str]) -> str:
    """Matchers for series that have all of these labels."""
    return ",".join(f"{label}={quote(value)}" for label, value in sorted(labels.items()))


def replacement(text: str) -> str:
    """A literal for label_replace's third argument that puts exactly ``text`` there: `$` would begin a group."""
    return quote(text.replace("$", "$$"))


@cache
def check(expr: str) -> str | None:
    """What the parser objects to, or None."""
    try:
        promql_parser.parse(expr)
    except ValueError as error:
        return str(error)
    return None


def same(one: str, other: str) -> bool:
    """Whether two texts are one expression: servers print what they loaded in a spelling of their own."""
    return one == other or _spelled(one) == _spelled(other)


def _spelled(expr: str) -> str:
    try:
        return str(promql_parser.parse(expr).prettify())
    except ValueError:
        return expr


def matches(labels: Mapping[str, str], matchers: str) -> bool:
    """Whether a series with these labels is selected by the matchers, as they stand between the braces."""
    return all(_holds(m.op, labels.get(m.name, ""), m.value) for m in _matchers(matchers))


@cache
def _matchers(matchers: str) -> tuple[promql_parser.Matcher, ...]:
    selected = promql_parser.parse(f"x{{{matchers}}}")
    return tuple(selected.matchers.matchers) if isinstance(selected, promql_parser.VectorSelector) else ()


def _holds(op: object, value: str, wanted: str) -> bool:
    if op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.NotEqual):
        return (value == wanted) is bool(op == promql_parser.MatchOp.Equal)
    return (re.fullmatch(wanted, value) is not None) is bool(op == promql_parser.MatchOp.Re)


@cache
def series_read(expr: str) -> frozenset[str]:
    """Names of all series that an expression selects. Raises ``ValueError`` when it does not parse."""
    return frozenset(_selectors(promql_parser.parse(expr)))


def _selectors(node: object) -> Iterable[str]:
    if isinstance(node, promql_parser.VectorSelector) and node.name:
        yield node.name
    for child in _children(node):
        yield from _selectors(child)


def _children(node: object) -> Iterable[object]:
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, name, None)
        if child is not None:
            yield child
    if isinstance(node, promql_parser.Call):
        yield from node.args
