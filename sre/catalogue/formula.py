"""Small arithmetic in content: `3 * ttft_p95`, so that one fault fits every fleet's thresholds."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_ROUNDED: dict[str, Callable[[float], float]] = {"ceil": math.ceil, "floor": math.floor, "abs": abs}
_CHOSEN: dict[str, Callable[[list[float]], float]] = {"max": max, "min": min}
_SERIES = re.compile(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+")
# Python's own name for the n-th series: no name that content may use.
_STAND_IN = "SERIES_"
_NAME = re.compile(rf"{_STAND_IN}\d+|[a-z][a-z0-9_]*")
_LONGEST = 200
_MOST = 1e20


@dataclass(frozen=True)
class Formula:
    """Numbers, names, ``+ - * /``, ``max``, ``min``, ``ceil``, ``floor`` and ``abs``; a name may be a
    recorded series.

    What is not known is None, and so is what is computed from it; ``max`` and ``min`` take what is known.
    """

    text: str

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for anything but arithmetic that a number can come of."""
        if len(self.text) > _LONGEST:
            raise ValueError(f"a formula of {len(self.text)} characters is longer than {_LONGEST}")
        if _STAND_IN in self.text:
            raise ValueError(f"{self.text!r} is no formula")
        for node in ast.walk(self._tree):
            if not _arithmetic(node):
                raise ValueError(f"{self.text!r} is more than arithmetic")
        value = self.value({}) if not self.names else 0.0
        if value is None or not math.isfinite(value):
            raise ValueError(f"{self.text!r} gives no number")

    @cached_property
    def _series(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_SERIES.findall(self.text)))

    @cached_property
    def _tree(self) -> ast.expr:
        text = self.text
        for index, name in enumerate(self._series):
            text = re.sub(rf"{name}(?![a-z0-9_:])", f"{_STAND_IN}{index}", text)
        try:
            return ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ValueError(f"{self.text!r} is no formula") from None

    @cached_property
    def names(self) -> frozenset[str]:
        """What must be known to compute it."""
        functions = {id(node.func) for node in ast.walk(self._tree) if isinstance(node, ast.Call)}
        found = (
            node.id
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Name) and id(node) not in functions
        )
        return frozenset(self._named(name) for name in found)

    def value(self, known: Mapping[str, float | None]) -> float | None:
        """The number, or None where it rests on something unknown.

        Raises ``KeyError`` for a name nobody has heard of.
        """
        return self._value(self._tree, known)

    def _named(self, name: str) -> str:
        return self._series[int(name.removeprefix(_STAND_IN))] if name.startswith(_STAND_IN) else name

    def _value(self, node: ast.expr, known: Mapping[str, float | None]) -> float | None:
        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            return known[self._named(node.id)]
        if isinstance(node, ast.UnaryOp):
            inner = self._value(node.operand, known)
            return None if inner is None else -inner
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, known), self._value(node.right, known)
            return None if left is None or right is None else _computed(node.op, left, right)
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        return _call(node.func.id, [self._value(part, known) for part in node.args])


_ALLOWED = (ast.BinOp, ast.UnaryOp, ast.USub, ast.Name, ast.Load, *_OPERATORS)


def _arithmetic(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        value = node.value
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST
    if isinstance(node, ast.Name):
        return bool(_NAME.fullmatch(node.id))
    if isinstance(node, ast.Call):
        return (
            isinstance(node.func, ast.Name)
            and not node.keywords
            and node.func.id in _ROUNDED.keys() | _CHOSEN.keys()
        )
    return isinstance(node, _ALLOWED)


def _computed(sign: ast.operator, left: float, right: float) -> float | None:
    """None where nothing can be said: a share of nothing is as unknown as a share of what is unknown."""
    try:
        return _OPERATORS[type(sign)](left, right)
    except (ZeroDivisionError, OverflowError):
        return None


def _call(name: str, parts: list[float | None]) -> float | None:
    given = [part for part in parts if part is not None]
    if name in _CHOSEN:
        return _CHOSEN[name](given) if given else None
    return _ROUNDED[name](given[0]) if given else None
