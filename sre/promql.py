"""PromQL as text: the one place where outside text enters an expression, and what an expression reads."""

import re
from collections.abc import Iterable
from functools import cache

import promql_parser

_SELECTOR = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


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


def check(expr: str) -> str | None:
    """What the parser objects to, or None."""
    try:
        promql_parser.parse(expr)
    except ValueError as error:
        return str(error)
    return None


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
