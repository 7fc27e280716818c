"""Level 0: catalogue expressions over `@signal` become PromQL over one binding's raw series.

`rate(@steps[2m])` becomes the raw metric with the fleet's targets selected and its labels renamed. All names of
that metric are joined with `or`, so that a recorded signal stays one series through a rolling upgrade.

An expression of the catalogue is read once, from left to right, and what is put in is not read again. What a fleet
file says is only ever put in: a pool called `@steps` or `a$place` stays a name.

Ten thousand cards have their labels renamed at every evaluation, and each renaming costs by the label. An
aggregation that stands around nothing but a signal is therefore made twice: over the raw labels that matter to it,
and over their new names.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from types import MappingProxyType
from typing import Self

from sre.catalogue.bindings import Binding, MetricSource
from sre.promql import MATCHERS, STRING, all_of, quote

_MACRO = re.compile(r"\$([a-z_]+)")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
# Inside a text only macros count. A function that reads a window, rate(@steps[2m]), goes inside, to each raw name.
_TOKEN = re.compile(
    rf"{STRING}|\$[a-z_]+"
    r"|(?:(?P<aggregation>sum|max|min|group) by \((?P<by>[^()]*)\)\s*\(\s*)?"
    r"(?:(?P<function>[a-z_]+)\(\s*)?@(?P<signal>[a-z][a-z0-9_]*)"
    rf"(?P<selector>{MATCHERS})?(?P<tail>(?(function)\[\w+\]|)(?:\s+offset\s+\w+)?)(?(function)\s*\)|)(?(aggregation)\s*\)|)"
)

Rename = tuple[str, str, str]
"""(target label, source label, pattern whose first group is the value)."""


@dataclass(frozen=True)
class Exposure:
    """One binding as one fleet sees it: which targets, and which labels to rename on the way in.

    ``fold`` are labels to which a signal is folded, to its greatest value, that no aggregation stands around.
    """

    binding: Binding
    matcher: str = ""
    renames: tuple[Rename, ...] = ()
    fold: tuple[str, ...] = ()

    def only(self, labels: Mapping[str, str]) -> Self:
        """The same for those of its series alone that have these labels."""
        return replace(self, matcher=",".join(filter(None, (self.matcher, all_of(labels)))))

    def expand(self, expr: str, macros: Mapping[str, str] = MappingProxyType({})) -> str:
        """PromQL without `@` and `$name`. Signals must be bound: ask ``coverage`` first."""
        return _TOKEN.sub(lambda token: self._expanded(token, macros), expr)

    def _expanded(self, token: re.Match[str], macros: Mapping[str, str]) -> str:
        if not token["signal"]:
            return fill(token[0], macros)
        selector = fill(token["selector"] or "{}", macros)[1:-1]
        name = token["signal"]
        signal = name if name in self.binding.signals else _SUFFIX.sub("", name)
        sources, suffix = self.binding.signals[signal], name[len(signal) :]
        # Renamed once, behind the `or`: servers parse and evaluate every byte of this at every interval.
        found = " or ".join(
            self._source(s, suffix, selector, token["tail"], token["function"]) for s in sources
        )
        if token["aggregation"]:
            return self._aggregated(token["aggregation"], found, fill(token["by"], macros).split(", "))
        if self.fold:
            own = dict.fromkeys(label for source in sources for label in source.labels)
            return self._aggregated("max", found, [*self.fold, *own])
        return rename(f"({found})" if len(sources) > 1 else found, self.renames)

    def _aggregated(self, aggregation: str, raw: str, by: list[str]) -> str:
        """The aggregation over renamed labels, of the same one over all labels that these are made of."""
        renames = [r for r in self.renames if r[0] in by]
        if not renames:
            return f"{aggregation} by ({', '.join(by)}) ({raw})"
        before = dict.fromkeys((*by, *(old for _, old, _ in renames)))
        narrow = f"{aggregation} by ({', '.join(before)}) ({raw})"
        return f"{aggregation} by ({', '.join(by)}) ({rename(narrow, renames)})"

    def _source(
        self, source: MetricSource, suffix: str, selector: str, tail: str, function: str | None
    ) -> str:
        matchers = [m for m in (self.matcher, source.matchers, selector) if m]
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
    """The catalogue's own text with `$name` replaced; what is not a macro (a `$1` of label_replace) stays."""
    return _MACRO.sub(lambda m: macros.get(m[1], m[0]), expr)
