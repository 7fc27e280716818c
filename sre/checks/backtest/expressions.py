"""What an expression reads and how far back; and its parts that another server has to answer.

The parser's own writing of string literals loses escapes: literals are taken out before it reads an expression,
and put back into what it wrote.
"""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta

import promql_parser
from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    VectorSelector,
)

from sre.promql import STRING

_LITERAL = re.compile(r'"literal (\d+)"')
_MIXED = "reads records and other series within one window, which cannot be taken apart"


def reaches(expr: str) -> dict[str, int]:
    """Series that an expression selects, each with how long before an evaluation it begins to read it, in ms."""
    found = dict[str, int]()
    for name, back in _reaches(promql_parser.parse(expr), 0):
        found[name] = max(found.get(name, 0), back)
    return found


def split(expr: str, local: Collection[str], name: Callable[[str], str]) -> tuple[str, dict[str, str]]:
    """The expression with its largest parts that read nothing ``local`` replaced by series, and those parts.

    ``name`` gives a part's series its name. Raises ``ValueError`` for a window over both kinds.
    """
    masked, literals = _masked(expr)
    root = promql_parser.parse(masked)
    text, parts = str(root), dict[str, str]()
    for part in sorted({str(node) for node in _foreign(root, local)}, key=len, reverse=True):
        asked = _unmasked(part, literals)
        copy = name(asked)
        parts[copy] = asked
        # Not a piece of a longer name, and not what a window or an offset still belongs to.
        pattern = rf"(?<![\w:]){re.escape(part)}(?![\w:])(?!\s*(?:\[|offset\b|@))"
        # A name of a series holds nothing that a replacement would read as a group.
        text = re.sub(pattern, copy, text)
    return _unmasked(text, literals), parts


def _masked(expr: str) -> tuple[str, list[str]]:
    literals = list[str]()

    def taken(literal: re.Match[str]) -> str:
        literals.append(literal[0])
        return f'"literal {len(literals) - 1}"'

    return re.sub(STRING, taken, expr), literals


def _unmasked(text: str, literals: list[str]) -> str:
    return _LITERAL.sub(lambda found: literals[int(found[1])], text)


def _foreign(node: object, local: Collection[str]) -> Iterator[object]:
    """The largest parts that can stand alone anywhere in a text, and that read something, but nothing local."""
    read = {name for name, _ in _reaches(node, 0)}
    if not read:
        return
    if read.isdisjoint(local) and _stands_alone(node):
        yield node
        return
    if isinstance(node, SubqueryExpr | MatrixSelector) and not read <= set(local):
        raise ValueError(_MIXED)
    for child in _children(node):
        yield from _foreign(child, local)


def _stands_alone(node: object) -> bool:
    """Not an operation, whose text binds otherwise in another place, and not a number instead of series."""
    return isinstance(node, Call | AggregateExpr | ParenExpr | VectorSelector) and not _is_number(node)


def _is_number(node: object) -> bool:
    if isinstance(node, ParenExpr):
        return _is_number(node.expr)
    if isinstance(node, BinaryExpr):
        return _is_number(node.lhs) and _is_number(node.rhs)
    return isinstance(node, promql_parser.NumberLiteral) or (
        isinstance(node, Call) and node.func.name in ("scalar", "time", "pi")
    )


def _reaches(node: object, back: int) -> Iterator[tuple[str, int]]:
    if isinstance(node, MatrixSelector):
        yield from _reaches(node.vector_selector, back + _ms(node.range))
    elif isinstance(node, SubqueryExpr):
        yield from _reaches(node.expr, back + _ms(node.range) + _ms(node.offset))
    elif isinstance(node, VectorSelector):
        yield node.name or "", back + max(0, _ms(node.offset))
    else:
        for child in _children(node):
            yield from _reaches(child, back)


def _children(node: object) -> Iterator[object]:
    for name in ("lhs", "rhs", "param", "expr"):
        child = getattr(node, name, None)
        if child is not None:
            yield child
    if isinstance(node, Call):
        yield from node.args


def _ms(duration: timedelta | None) -> int:
    return round(duration.total_seconds() * 1000) if duration else 0
