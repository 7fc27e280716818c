"""What Alertmanager takes in `global` and in a receiver's integrations, and what it would refuse.

Alertmanager reads its configuration whole or not at all: one key too many, and a reload keeps the old routes while a
restart brings none. What can be told without Alertmanager is told here, at its line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import combinations
from typing import Any

import yaml

from sre.fleet.integration_values import KINDS, SECRETS
from sre.fleet.problem import Problem
from sre.source import Loc, show, suggest

REFUSED = "Alertmanager would refuse its whole configuration"
_RULES = ("needs", "only_one")


@dataclass(frozen=True)
class Need:
    """Keys of which one must be there, here or under other names in `global`."""

    one_of: tuple[str, ...]
    or_global: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shape:
    """The keys of one mapping with the kind of each, and which must or may not stand in it together."""

    keys: Mapping[str, str]
    needs: tuple[Need, ...]
    only_one: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Part:
    """One mapping that a person wrote: where it stands, what it is called, its shape."""

    loc: Loc
    called: str
    shape: Shape
    written: dict[str, Any]


@cache
def shapes() -> Mapping[str, Shape]:
    """Every shape of integrations.yaml by its name."""
    text = resources.files("sre.fleet").joinpath("integrations.yaml").read_text("utf-8")
    return {name: _shape(rows) for name, rows in yaml.load(text, Loader=yaml.CSafeLoader).items()}


def _shape(rows: dict[str, Any]) -> Shape:
    keys = {key: kind for kind, names in rows.items() if kind not in _RULES for key in names}
    needs = [need if isinstance(need, dict) else {"one_of": need} for need in rows.get("needs", ())]
    twins = [(key, f"{key}_file") for key in keys if f"{key}_file" in keys]
    return Shape(
        keys,
        tuple(Need(tuple(need["one_of"]), tuple(need.get("or_global", ()))) for need in needs),
        (*twins, *map(tuple, rows.get("only_one", ()))),
    )


def integrations() -> list[str]:
    """The keys of a receiver beside its name."""
    return [name for name in shapes() if name.endswith("_configs")]


def check(loc: Loc, value: Any, shape: str, called: str, default: Mapping[str, Any]) -> Iterator[Problem]:
    """What Alertmanager would refuse in the mapping at ``loc``; ``default`` is what stands under `global`."""
    if not isinstance(value, dict):
        what = f"{called} is {show(value)}, but a mapping (key: value) belongs here"
        yield Problem(loc, what, REFUSED, "write its keys, indented, below it")
        return
    part = Part(loc, called, shapes()[shape], {key: item for key, item in value.items() if item is not None})
    unknown = {key: suggest(key, part.shape.keys) for key in value if key not in part.shape.keys}
    for key, fix in unknown.items():
        yield Problem((*loc, key), f"unknown key `{show(key)[1:-1]}` in {called}", REFUSED, fix, key=True)
    for key, item in part.written.items():
        if key not in unknown:
            yield from _value(part, key, item, default)
    # What a misspelt key was meant to be is not missing as well.
    meant = [key for key in part.shape.keys if f"did you mean `{key}`?" in unknown.values()]
    yield from _missing(part, meant, default)
    yield from _together(part)


def _value(part: Part, key: str, value: Any, default: Mapping[str, Any]) -> Iterator[Problem]:
    loc, kind = (*part.loc, key), part.shape.keys[key]
    if kind.startswith("["):
        if not isinstance(value, list):
            yield Problem(loc, f"`{key}` of {part.called} is no list", REFUSED, "begin each entry with `-`")
            return
        for index, item in enumerate(value):
            yield from check(
                (*loc, index), item, kind[1:-1], f"an entry of `{key}` of {part.called}", default
            )
    elif kind in KINDS:
        yield from _scalar(part, key, value)
    else:
        yield from check(loc, value, kind, f"`{key}` of {part.called}", default)


def _scalar(part: Part, key: str, value: Any) -> Iterator[Problem]:
    loc, kind = (*part.loc, key), KINDS[part.shape.keys[key]]
    # A secret that is no web address may still be one.
    shown = "not" if part.shape.keys[key] in SECRETS else f"{show(value)}, not"
    if not kind.holds(value):
        yield Problem(
            loc, f"`{key}` of {part.called} is {shown} {kind.called}", REFUSED, f"write it like {kind.like}"
        )


def _missing(part: Part, meant: list[str], default: Mapping[str, Any]) -> Iterator[Problem]:
    for need in part.shape.needs:
        there = any(_found(part.written, key) for key in need.one_of)
        if (
            there
            or any(key in meant for key in need.one_of)
            or any(default.get(key) for key in need.or_global)
        ):
            continue
        also = f", and `global` has no {_any(need.or_global)}" if need.or_global else ""
        # A secret in a file of its own is the better advice wherever there is the choice.
        best = next((key for key in need.one_of if key.endswith("_file")), need.one_of[0])
        above = next((key for key in need.or_global if key.endswith("_file")), "".join(need.or_global[:1]))
        fix = f"add `{best}: ...`" + (f", or `{above}: ...` under `global` for all of them" if above else "")
        yield Problem(part.loc, f"{part.called} has no {_any(need.one_of)}{also}", REFUSED, fix)


def _found(written: Any, path: str) -> bool:
    for key in path.split("."):
        written = written.get(key) if isinstance(written, dict) else None
    return written not in (None, "", 0)


def _any(keys: tuple[str, ...]) -> str:
    return " or ".join(f"`{key}`" for key in keys)


def _together(part: Part) -> Iterator[Problem]:
    pairs = {pair for group in part.shape.only_one for pair in combinations(group, 2)}
    for one, other in sorted(pairs):
        if _found(part.written, one) and _found(part.written, other):
            what = f"{part.called} has both `{one}` and `{other}`"
            yield Problem((*part.loc, other), what, REFUSED, "keep one of them", key=True)


def secrets(loc: Loc, value: Any, shape: str) -> Iterator[Problem]:
    """Secrets written out: they would be copied into a file that is stored, compared and shown in diffs."""
    keys = shapes()[shape].keys
    for key, item in value.items() if isinstance(value, dict) else ():
        kind = keys.get(key, "any")
        if kind in SECRETS and f"{key}_file" in keys and isinstance(item, str):
            yield Problem(
                (*loc, key),
                f"`{key}` holds a secret in plain text",
                "it is copied into alertmanager.yaml, which pipelines store and print in diffs",
                f"write `{key}_file` with the path of a mounted secret",
                "warning",
            )
        elif kind in shapes():
            yield from secrets((*loc, key), item, kind)
