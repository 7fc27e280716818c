"""What a catalogue expression refers to: raw signals (`@name`), recorded series (`level:metric:operation`)."""

import re
from collections.abc import Iterable
from functools import cache

_SIGNAL = re.compile(r"@([a-z][a-z0-9_]*)")
_SERIES = re.compile(r"\b[a-z_]+:[a-z0-9_]+:[a-z0-9_]+\b")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


@cache
def signals(expr: str) -> frozenset[str]:
    """Names behind `@`, as written: a histogram's carries its suffix."""
    return frozenset(_SIGNAL.findall(expr))


@cache
def series(expr: str) -> frozenset[str]:
    return frozenset(_SERIES.findall(expr))


def levels(exprs: Iterable[str]) -> frozenset[str]:
    """Of the recorded series that any of these read: `pool`, `gpu`, `consumer` and the like."""
    return frozenset(name.partition(":")[0] for expr in exprs for name in series(expr))


def signal_of(name: str, known: object) -> str:
    """`ttft_bucket` -> `ttft`, where only the latter is known."""
    return name if name in known else _SUFFIX.sub("", name)  # type: ignore[operator]


def static(name: str) -> bool:
    """Series that the compiler writes from the fleet file itself."""
    return name.endswith((":threshold", ":fleet:info")) or name.startswith(("fleet:", "pool_signal:"))
