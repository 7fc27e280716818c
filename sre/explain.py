"""Turns what a pydantic model objects to into findings: what, at which line, why it matters, what to write."""

from collections.abc import Iterator
from types import GenericAlias
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from sre.findings import Finding
from sre.source import Loc, Source, show, suggest

_KINDS = {
    "string": "text",
    "int": "a whole number",
    "bool": "true or false",
    "decimal": "a number",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping (key: value)",
    "model": "a mapping (key: value)",
    "path": "a path",
    "date": "a date like 2026-12-25",
}


def explain(error: ValidationError, source: Source, model: type[BaseModel]) -> list[Finding]:
    """One finding for each thing wrong, at the line of the key or value that is wrong."""
    return [_finding(detail, source, model) for detail in error.errors(include_url=False)]


def _finding(detail: ErrorDetails, source: Source, model: type[BaseModel]) -> Finding:
    loc, kind = detail["loc"], detail["type"]
    name = _spoken(loc)
    if kind == "extra_forbidden":
        return source.finding(
            loc,
            f"unknown key `{loc[-1]}`" + (f" in {_spoken(loc[:-1])}" if loc[:-1] else ""),
            "nothing reads it, so what it asks for would silently not happen",
            suggest(str(loc[-1]), _keys(model, loc[:-1])),
            key=True,
        )
    field = _field(model, loc)
    why = (field.description if field else "") or ""
    if kind == "missing":
        return source.finding(
            loc[:-1], f"{name} is missing", why, f"add `{loc[-1]}: {_example(field)}`", key=True
        )
    if kind == "objection":
        context = detail["ctx"]
        return source.finding(loc, f"{name}: {context['what']}", context["why"] or why, context["fix"])
    what, fix = _plain(detail, field)
    return source.finding(loc, f"{name} {what}", why, fix, key=kind == "too_short")


def _plain(detail: ErrorDetails, field: FieldInfo | None) -> tuple[str, str]:
    kind, value, context = detail["type"], show(detail["input"]), detail.get("ctx", {})
    if kind == "literal_error":
        known = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        return f"is {value}, which means nothing here", suggest(str(detail["input"]), known)
    if kind == "string_pattern_mismatch":
        return (
            f"is {value}, which is no label name",
            "use letters, digits and underscores, with no digit first",
        )
    bound = next(((word, context[key]) for key, word in _BOUNDS.items() if key in context), None)
    if kind.startswith(("greater", "less")) and bound:
        return f"is {value}", f"write {bound[0]} {bound[1]}"
    if kind == "too_short":
        return "is empty", f"add at least one entry, like {_example(field)}"
    wanted = _KINDS.get(kind.split("_")[0])
    if wanted:
        quotes = " (put quotes around it)" if wanted == "text" and isinstance(detail["input"], int) else ""
        return f"is {value}, but {wanted} belongs here", f"write {wanted}{quotes}"
    return f"is {value}: {detail['msg']}", ""


_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _spoken(loc: Loc) -> str:
    """``pools[0].engine.kind``, counted from 1 as people do: `engine.kind` of entry 1 in `pools`."""
    if not loc:
        return "the file"
    spoken = ""
    for part in loc:
        if part == "[key]":
            continue
        spoken += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if spoken else str(part)
    return f"`{spoken}`"


def _example(field: FieldInfo | None) -> str:
    example = field.examples[0] if field and field.examples else "..."
    return _flow(example)


def _flow(value: object) -> str:
    """YAML in one line; examples are our own, so quoting needs no more than this."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) and value[:1].isdigit() else str(value)


def _keys(model: type[BaseModel], loc: Loc) -> list[str]:
    inner = _model(_step_all(model, loc))
    return sorted(inner.model_fields) if inner else []


def _field(model: type[BaseModel], loc: Loc) -> FieldInfo | None:
    """The field at ``loc``, or the nearest one around it (an entry of a list has no field of its own)."""
    for end in range(len(loc), 0, -1):
        owner = _model(_step_all(model, loc[: end - 1]))
        if owner and str(loc[end - 1]) in owner.model_fields:
            return owner.model_fields[str(loc[end - 1])]
    return None


def _step_all(annotation: Any, loc: Loc) -> Any:
    for part in loc:
        annotation = _step(annotation, part)
    return annotation


def _step(annotation: Any, part: str | int) -> Any:
    owner = _model_here(annotation)
    if owner:
        field = owner.model_fields.get(str(part))
        return field.annotation if field else None
    return next((found for item in _items(annotation) if (found := item) is not None), None)


def _model_here(annotation: Any) -> type[BaseModel] | None:
    """The model that ``annotation`` is, alone or beside None; not one inside a list or mapping."""
    if isinstance(annotation, type) and not isinstance(annotation, GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    if get_origin(annotation) in (tuple, list, dict):
        return None
    return next((found for item in get_args(annotation) if (found := _model_here(item))), None)


def _model(annotation: Any) -> type[BaseModel] | None:
    return _model_here(annotation)


def _items(annotation: Any) -> Iterator[Any]:
    """What the entries of a list or the values of a mapping are."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is dict:
        yield args[1]
    elif origin in (tuple, list):
        yield args[0]
    else:
        for item in args:
            yield from _items(item)
