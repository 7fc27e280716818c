"""Level 0: catalogue expressions over `@signal` become PromQL over one binding's raw series.

`rate(@steps[2m])` becomes the raw metric with the fleet's targets selected and its labels renamed. All names of
that metric are joined with `or`, so that a recorded signal stays one series through a rolling upgrade.

An expression of the catalogue is read once, from left to right, and what is put in is not read again. What a fleet
file says is only ever put in: a pool called `@steps` or `a$place` stays a name.

Ten thousand cards are read at every evaluation, and whatever is done with one costs by the label. An aggregation
that stands around nothing but a signal is therefore made twice: over the raw labels that matter to it, and over their
new names. A card's own expression goes further: bounds are asked of the raw series, everything is done under raw
labels, and what is left is renamed once.
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
_LABELS = re.compile(rf"{STRING}|\b(?P<word>by|on)\s*\((?P<labels>[^()]*)\)")
_BOUNDS = r"(?:\s*(?:>=|<=|==|!=|>|<)\s*-?[0-9][0-9.e]*)+(?=\s*(?:$|[),]|(?:and|or|unless)\b))"
"""Comparisons of a signal with numbers, and nothing behind them that binds closer."""
_ALONE = re.compile(r"(?:^|[(,]|\b(?:and|or|unless)(?: on \([^()]*\))?)\s*$")
"""What may stand before a signal whose bounds are its own: in `@a - @b > 0` they are the difference's."""
# Inside a text only macros count. A function that reads a window, rate(@steps[2m]), goes inside, to each raw name.
_TOKEN = re.compile(
    rf"{STRING}|\$[a-z_]+"
    r"|(?:(?P<aggregation>sum|max|min|group) by \((?P<by>[^()]*)\)\s*\(\s*)?"
    r"(?:(?P<function>[a-z_]+)\(\s*)?@(?P<signal>[a-z][a-z0-9_]*)"
    rf"(?P<selector>{MATCHERS})?(?P<tail>(?(function)\[\w+\]|)(?:\s+offset\s+\w+)?)(?(function)\s*\)|)"
    rf"(?P<bounds>{_BOUNDS})?(?(aggregation)\s*\)|)"
)

CARD = ("uuid", "mig")
"""What tells cards apart, slices of MIG included."""

Rename = tuple[str, str, str]
"""(target label, source label, pattern whose first group is the value)."""


@dataclass(frozen=True)
class Exposure:
    """One binding as one fleet sees it: which targets, and which labels to rename on the way in.

    ``fold`` are labels to which a signal is folded, to its greatest value, that no aggregation stands around;
    ``card`` are those that tell cards apart.
    """

    binding: Binding
    matcher: str = ""
    renames: tuple[Rename, ...] = ()
    fold: tuple[str, ...] = ()
    card: tuple[str, ...] = CARD

    def only(self, labels: Mapping[str, str]) -> Self:
        """The same for those of its series alone that have these labels."""
        return replace(self, matcher=",".join(filter(None, (self.matcher, all_of(labels)))))

    def expand(self, expr: str, macros: Mapping[str, str] = MappingProxyType({})) -> str:
        """PromQL without `@` and `$name`. Signals must be bound: ask ``coverage`` first."""
        return _TOKEN.sub(lambda token: self._expanded(token, macros), expr)

    def expand_late(self, expr: str, macros: Mapping[str, str] = MappingProxyType({})) -> str:
        """The same with the labels renamed behind everything; nothing but signals may be read in it."""
        raw = replace(self, renames=(), fold=self._widened(self.fold), card=self._widened(self.card))
        return rename(raw.expand(self._wide(expr), macros), self.renames)

    def _wide(self, expr: str) -> str:
        """Lists of labels in it with the raw ones beside those that are made of them."""

        def wide(found: re.Match[str]) -> str:
            if not found["word"]:
                return found[0]
            labels = (label.strip() for label in found["labels"].split(","))
            return f"{found['word']} ({', '.join(self._widened(labels))})"

        return _LABELS.sub(wide, expr)

    def _widened(self, labels: Iterable[str]) -> tuple[str, ...]:
        """Raw labels behind these. A raw one that is written over is left out, unless it is a spelling of the same.

        Series that differ in nothing else, as before and after an exporter's restart, would be renamed to one and
        the same, which servers refuse.
        """
        asked = tuple(labels)
        renames = [(to, old) for to, old, _ in self.renames if to in asked]
        made = {to for to, _ in renames if to not in self.binding.labels.get(to, ())}
        return tuple(dict.fromkeys((*(x for x in asked if x not in made), *(old for _, old in renames))))

    def _expanded(self, token: re.Match[str], macros: Mapping[str, str]) -> str:
        if not token["signal"]:
            return fill(token[0], macros)
        selector = fill(token["selector"] or "{}", macros)[1:-1]
        name = token["signal"]
        signal = name if name in self.binding.signals else _SUFFIX.sub("", name)
        sources, suffix = self.binding.signals[signal], name[len(signal) :]
        reading = _Reading(suffix, selector, token["tail"], token["function"], token["bounds"] or "")
        if token["aggregation"]:
            return self._aggregated(
                token["aggregation"], sources, reading, fill(token["by"], macros).split(", ")
            )
        # Renamed once, behind the `or`: servers parse and evaluate every byte of this at every interval.
        make = self._folded if self.fold else self._renamed
        if _ALONE.search(token.string[: token.start()]):
            return make(sources, reading)
        return make(sources, replace(reading, bounds="")) + reading.bounds

    def _renamed(self, sources: tuple[MetricSource, ...], reading: "_Reading") -> str:
        found = " or ".join(self._source(source, reading) for source in sources)
        return rename(f"({found})" if len(sources) > 1 else found, self.renames)

    def _folded(self, sources: tuple[MetricSource, ...], reading: "_Reading") -> str:
        own = dict.fromkeys(label for source in sources for label in source.labels)
        return self._aggregated("max", sources, reading, [*self.fold, *own])

    def _aggregated(
        self, aggregation: str, sources: tuple[MetricSource, ...], reading: "_Reading", by: list[str]
    ) -> str:
        """The aggregation over renamed labels, of the same one over all labels that these are made of."""
        renames = [r for r in self.renames if r[0] in by]
        narrow = f"{aggregation} by ({', '.join(self._widened(by))})"
        # `or` is dear over raw labels. A card shows under one name at a time, and a group is 1 whoever is in it.
        if aggregation == "group" or (aggregation in ("max", "min") and {*self.card} <= {*by}):
            found = " or ".join(self._scaled(narrow, source, reading) for source in sources)
            found = f"({found})" if len(sources) > 1 and not renames else found
        else:
            found = f"{narrow} ({' or '.join(self._source(s, reading) for s in sources)})"
        return f"{aggregation} by ({', '.join(by)}) ({rename(found, renames)})" if renames else found

    def _scaled(self, narrow: str, source: MetricSource, reading: "_Reading") -> str:
        """One source aggregated, and scaled when it is: a product costs by the label, too."""
        if not source.scale:
            return f"{narrow} ({self._source(source, reading)})"
        plain = self._source(source.model_copy(update={"scale": None}), replace(reading, bounds=""))
        return f"{narrow} ({plain}) * {source.scale}{reading.bounds}"

    def _source(self, source: MetricSource, reading: "_Reading") -> str:
        matchers = [m for m in (self.matcher, source.matchers, reading.selector) if m]
        selector = f"{{{','.join(matchers)}}}" if matchers else ""
        raw = f"{source.metric}{reading.suffix}{selector}{reading.tail}"
        called = f"{reading.function}({raw})" if reading.function else raw
        labels = [(to, old, "(.+)") for to, old in source.labels.items() if to != old]
        renamed = rename(called, labels)
        return (f"({renamed} * {source.scale})" if source.scale else renamed) + reading.bounds


@dataclass(frozen=True)
class _Reading:
    """How an expression reads a signal: what stands behind its name, around it, and what it is compared with."""

    suffix: str
    selector: str
    tail: str
    function: str | None
    bounds: str


def rename(expr: str, renames: Iterable[Rename]) -> str:
    return reduce(
        lambda inner, r: f'label_replace({inner}, "{r[0]}", "$1", "{r[1]}", {quote(r[2])})', renames, expr
    )


def fill(expr: str, macros: Mapping[str, str]) -> str:
    """The catalogue's own text with `$name` replaced; what is not a macro (a `$1` of label_replace) stays."""
    return _MACRO.sub(lambda m: macros.get(m[1], m[0]), expr)
