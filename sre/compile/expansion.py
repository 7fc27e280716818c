"""Level 0: catalogue expressions over `@signal` become PromQL over one binding's raw series.

`rate(@steps[2m])` becomes the raw metric with the fleet's targets selected and its labels renamed. All names of
that metric are joined with `or`, so that a recorded signal stays one series through a rolling upgrade.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

from sre.catalogue.model import Binding, MetricSource
from sre.promql import quote

_RANGE = re.compile(r"([a-z_]+)\(\s*@([a-z][a-z0-9_]*)(\{[^}]*\})?\[(\w+)\](\s+offset\s+\w+)?\s*\)")
_INSTANT = re.compile(r"@([a-z][a-z0-9_]*)(\{[^}]*\})?(\s+offset\s+\w+)?")
_MACRO = re.compile(r"\$([a-z_]+)")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")

Rename = tuple[str, str, str]
"""(target label, source label, pattern whose first group is the value)."""


@dataclass(frozen=True)
class Exposure:
    """One binding as one fleet sees it: which targets, and which labels to rename on the way in."""

    binding: Binding
    matcher: str = ""
    renames: tuple[Rename, ...] = ()

    def expand(self, expr: str) -> str:
        """PromQL without `@`. Signals must be bound: ask ``coverage`` first."""
        expr = _RANGE.sub(lambda m: self._call(m[2], m[3], f"[{m[4]}]{m[5] or ''}", m[1]), expr)
        return _INSTANT.sub(lambda m: self._call(m[1], m[2], m[3] or "", None), expr)

    def _call(self, name: str, selector: str | None, tail: str, function: str | None) -> str:
        signal = name if name in self.binding.signals else _SUFFIX.sub("", name)
        suffix = name[len(signal) :]
        sources = self.binding.signals[signal]
        found = [self._source(s, suffix, selector, tail, function) for s in sources]
        # Renamed once, behind the `or`: servers parse and evaluate every byte of this at every interval.
        return rename(found[0] if len(found) == 1 else f"({' or '.join(found)})", self.renames)

    def _source(
        self, source: MetricSource, suffix: str, selector: str | None, tail: str, function: str | None
    ) -> str:
        matchers = [m for m in (self.matcher, source.matchers, (selector or "{}")[1:-1]) if m]
        raw = f"{source.metric}{suffix}" + (f"{{{','.join(matchers)}}}" if matchers else "") + tail
        called = f"{function}({raw})" if function else raw
        labels = [(to, old, "(.+)") for to, old in source.labels.items() if to != old]
        renamed = rename(called, labels)
        return f"({renamed} * {source.scale})" if source.scale else renamed


def rename(expr: str, renames: Iterable[Rename]) -> str:
    return reduce(
        lambda inner, r: f'label_replace({inner}, "{r[0]}", "$1", "{r[1]}", {quote(r[2])})', renames, expr
    )


def fill(expr: str, macros: Mapping[str, str]) -> str:
    """Replace `$name`; what is not a macro (a `$1` of label_replace) stays."""
    return _MACRO.sub(lambda m: macros.get(m[1], m[0]), expr)
