"""What an expression of the catalogue cannot do without: of `or` one side, of `unless` the left one, else everything.

So an alert that reads what is absent sees: a pool without targets counts no replica, and that number is there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, reduce

import promql_parser

_SIGNAL = re.compile(r"@(?=[a-z])")
_MACRO = re.compile(r"\$([a-z_]+)")
# What is no list of labels; nobody is asked about the claims, for they only ever add.
_MACROS = {"declared_claims": "", "burn_in": ""}
_MARK = ":"
_LATELY = 3600


@dataclass(frozen=True, order=True)
class Read:
    """A recorded series, or a signal (``raw``). ``lately``: what it was within the last hour serves as well."""

    name: str
    raw: bool = False
    lately: bool = False


Needs = tuple[frozenset[Read], ...]
"""Sets of reads, in the order of the text; one whole set is enough."""


@cache
def needs(expr: str) -> Needs | None:
    """The sets of which the expression needs one; None where it cannot be parsed."""
    plain = _MACRO.sub(lambda m: _MACROS.get(m[1], m[1]), _SIGNAL.sub(_MARK, expr))
    try:
        return _needs(promql_parser.parse(plain))
    except ValueError:
        return None


def _needs(node: object) -> Needs:
    match node:
        case promql_parser.VectorSelector():
            return _read(node.name or "", lately=False)
        case promql_parser.MatrixSelector():
            return _read(node.vector_selector.name or "", lately=node.range.total_seconds() >= _LATELY)
        case promql_parser.BinaryExpr():
            return _joined(str(node.op), _needs(node.lhs), _needs(node.rhs))
        case promql_parser.Call():
            return _all(map(_needs, node.args))
        case promql_parser.AggregateExpr() | promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            return _needs(node.expr)
        case promql_parser.SubqueryExpr():
            return _needs(node.expr)
    return (frozenset(),)


def _read(name: str, *, lately: bool) -> Needs:
    # Macros stand for labels and numbers; where one parses as a series, it has no level in its name.
    raw = name.startswith(_MARK)
    return (frozenset({Read(name.removeprefix(_MARK), raw, lately)} if ":" in name else ()),)


def _joined(operator: str, left: Needs, right: Needs) -> Needs:
    match operator:
        case "or":
            return _shortest(left + right)
        case "unless":
            return left
    return _all((left, right))


def _all(parts: Iterable[Needs]) -> Needs:
    start: Needs = (frozenset(),)
    return reduce(lambda one, other: _shortest(tuple(a | b for a in one for b in other)), parts, start)


def _shortest(found: Needs) -> Needs:
    """Without sets that hold another one whole: they never are enough where that one is not."""
    once = tuple(dict.fromkeys(found))
    return tuple(one for one in once if not any(other < one for other in once))
