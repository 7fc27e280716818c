"""How far back rules look, series by series: what a bench must load, and nothing more."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta

import promql_parser

Window = tuple[int, int]
"""(begin, end) in seconds before an evaluation; begin is the further one."""

_INSTANT = 60
"""Seconds behind an instant that are loaded, for the sample that it sees."""


def windows(exprs: Iterable[str]) -> dict[str, list[Window]]:
    """Every window in which some expression reads a series, by the series' name."""
    found = defaultdict(list)
    for expr in exprs:
        for name, window in _windows(promql_parser.parse(expr), 0, 0):
            found[name].append(window)
    return found


def instants(read: Iterable[Window], step: int) -> list[int]:
    """Every ``step`` seconds inside the windows, as seconds relative to the evaluation, in order."""
    return sorted({-at for begin, end in read for at in range(-(-end // step) * step, begin + step, step)})


def _windows(node: object, begin: int, end: int) -> Iterator[tuple[str, Window]]:
    match node:
        case promql_parser.MatrixSelector():
            yield from _windows(node.vector_selector, begin + _seconds(node.range), end)
        case promql_parser.SubqueryExpr():
            later = _seconds(node.offset)
            yield from _windows(node.expr, begin + _seconds(node.range) + later, end + later)
        case promql_parser.VectorSelector():
            later = _seconds(node.offset)
            yield node.name or "", (max(begin, _INSTANT) + later, end + later)
        case _:
            for child in _children(node):
                yield from _windows(child, begin, end)


def _children(node: object) -> Iterator[object]:
    yield from (c for name in ("expr", "lhs", "rhs", "param") if (c := getattr(node, name, None)) is not None)
    if isinstance(node, promql_parser.Call):
        yield from node.args


def _seconds(span: timedelta | None) -> int:
    return int(span.total_seconds()) if span else 0
