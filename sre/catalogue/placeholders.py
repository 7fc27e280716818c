"""The small template language of runbook pages: ``{{name}}``, ``{{name:argument}}``, ``{{#name}}...{{/name}}``.

A template is read once from left to right and what is filled in is never looked at again, so that a pool called
``{{threshold}}`` stays a name.
"""

import re
from collections.abc import Callable, Collection, Iterator

Fill = Callable[[str, str], str]
"""(name, argument or "") -> text."""

_FIELD = re.compile(r"\{\{([a-z_]+)(?::([a-z0-9_]+))?\}\}")
# Marks that stand alone on their lines take their lines along; inside a line they leave nothing behind.
_BLOCK = re.compile(
    r"^\{\{#(?P<b>[a-z_]+)\}\}\n(?P<lines>.*?)^\{\{/(?P=b)\}\}(?:\n|\Z)|\{\{#(?P<i>[a-z_]+)\}\}(?P<text>.*?)\{\{/(?P=i)\}\}",
    re.DOTALL | re.MULTILINE,
)
_BRACES = re.compile(r"\{\{[^}\n]*\}?\}?|\}\}")


def choose(template: str, holds: Collection[str]) -> str:
    """The template with the blocks that hold, and without those that do not. Blocks do not nest."""
    return _BLOCK.sub(
        lambda m: (m["lines"] or m["text"] or "") if (m["b"] or m["i"]) in holds else "", template
    )


def fill(template: str, value: Fill) -> str:
    """Every ``{{name:argument}}`` replaced by its value. Blocks must be chosen before."""
    return _FIELD.sub(lambda m: value(m[1], m[2] or ""), template)


def fields(template: str) -> frozenset[tuple[str, str]]:
    """(name, argument) of every field."""
    return frozenset((m[1], m[2] or "") for m in _FIELD.finditer(template))


def objections(
    template: str, names: Collection[str], conditions: Collection[str]
) -> Iterator[tuple[int, str]]:
    """(line counted from 0, what is wrong) for every mark that would be printed instead of being read."""
    known = {f"{{{{{mark}{name}}}}}" for name in conditions for mark in "#/"}
    for match in _BRACES.finditer(_without_pairs(template)):
        field = _FIELD.fullmatch(match[0])
        if not (field and field[1] in names):
            lonely = ", which stands alone" if match[0] in known else ", which means nothing here"
            yield template.count("\n", 0, match.start()), f"`{match[0]}`{lonely}"
    for match in _BLOCK.finditer(template):
        name = match["b"] or match["i"]
        if name not in conditions:
            yield template.count("\n", 0, match.start()), f"`{{{{#{name}}}}}`, which is no condition"


def _without_pairs(template: str) -> str:
    """Same length and lines, with the marks of complete blocks blanked out."""
    marks = re.compile(r"\{\{[#/][a-z_]+\}\}")
    return _BLOCK.sub(lambda m: marks.sub(lambda mark: " " * len(mark[0]), m[0]), template)
