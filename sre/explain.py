"""Turns what a pydantic model objects to into findings: what, on which line, why, what to write instead."""

import re
from typing import Any, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

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
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


class _Loaded:
    """Marks a field that a loader fills in: no key that a person writes."""


LOADED = _Loaded()
"""For ``Annotated[str, LOADED]``."""


def objection(what: str, fix: str, why: str = "") -> PydanticCustomError:
    """A validator's error that says all that a finding says; without ``why``, the field's description."""
    return PydanticCustomError("objection", "{what}", {"what": what, "why": why, "fix": fix})


def explain(error: ValidationError, source: Source, model: type[BaseModel], at: Loc = ()) -> list[Finding]:
    """One finding for each thing wrong, at the line of the key or value that is wrong.

    ``at`` is where the model's data stands in the file, for models of one entry among others.
    """
    return [_finding(detail, source, model, at) for detail in objections(error)]


def written(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys that a person may write, as they are spelled in a file."""
    fields = model.model_fields.items()
    return {_spelled(name, field): field for name, field in fields if LOADED not in field.metadata}


def unknown(loc: Loc, source: Source, model: type[BaseModel], at: Loc = ()) -> Finding:
    """A key that nothing reads; ``loc`` leads to it from the model's own data."""
    owner = _model(_annotation(model, loc[:-1]))
    whole = (*at, *loc)
    what = f"unknown key {_quoted(loc[-1])}" + (f" in {_spoken(whole[:-1])}" if whole[1:] else "")
    why = "nothing reads it, so what it asks for would silently not happen"
    return source.finding(whole, what, why, suggest(str(loc[-1]), written(owner) if owner else ()), key=True)


def objections(error: ValidationError) -> list[ErrorDetails]:
    """What pydantic objects to, without what only follows: a list of bad entries is no empty list too."""
    details = error.errors(include_url=False)
    around = {detail["loc"][:end] for detail in details for end in range(len(detail["loc"]))}
    return [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in around]


def place_of(detail: ErrorDetails) -> Loc:
    """The path into the data; pydantic marks the key of a mapping with a part of its own."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def _finding(detail: ErrorDetails, source: Source, model: type[BaseModel], at: Loc) -> Finding:
    loc, kind = place_of(detail), detail["type"]
    if kind == "extra_forbidden":
        return unknown(loc, source, model, at)
    field, whole = _field(model, loc), (*at, *loc)
    why = (field.description or "") if field else ""
    if kind == "missing":
        what, fix = f"{_spoken(whole)} is missing", f"add `{loc[-1]}: {_example(field)}`"
        return source.finding(whole[:-1], what, why, fix, key=True)
    if kind == "objection":
        said = detail["ctx"]
        return source.finding(whole, f"{_spoken(whole)}: {said['what']}", said["why"] or why, said["fix"])
    what, fix = _plain(detail, field)
    return source.finding(whole, f"{_spoken(whole)} {what}", why, fix, key=kind in ("too_short", "too_long"))


def _plain(detail: ErrorDetails, field: FieldInfo | None) -> tuple[str, str]:
    """What is wrong and what to write, for pydantic's own kinds of error."""
    kind, value, context = detail["type"], show(detail["input"]), detail.get("ctx", {})
    if kind == "literal_error":
        known = re.findall(r"[\w-]+", str(context["expected"]).replace(" or ", " "))
        return f"is {value}, which means nothing here", suggest(str(detail["input"]), known)
    if kind == "string_pattern_mismatch":
        how = "use letters, digits and underscores, with no digit and no two underscores first"
        return f"is {value}, not a label name", how
    if kind in ("too_short", "too_long"):
        return _counted(context, field)
    if kind == "string_too_short":
        return (
            "is empty",
            f"write it like {_example(field)}" if field and field.examples else "write some text",
        )
    for key, word in _BOUNDS.items():
        if key in context:
            return f"is {value}", f"write {word} {context[key]}"
    wanted = _KINDS.get(kind.split("_")[0])
    if wanted is None:
        return f"is {value}, which cannot be read here", f"write it like {_example(field)}"
    return f"is {value}, but {wanted} belongs here", _instead(wanted, detail["input"], field)


def _counted(context: dict[str, Any], field: FieldInfo | None) -> tuple[str, str]:
    """A list that is too short or too long."""
    found, least = context["actual_length"], context.get("min_length", 0)
    if not found:
        return "has no entry", f"write at least {'one' if least == 1 else least}, like {_example(field)}"
    bound = f"at least {least}" if least else f"at most {context['max_length']}"
    return f"has {found} {'entry' if found == 1 else 'entries'}", f"write {bound}"


def _instead(wanted: str, value: object, field: FieldInfo | None) -> str:
    if value is None and not (field and field.examples):
        return f"write {wanted}, or leave the key out"
    if wanted == "text" and value is not None and not isinstance(value, dict | list):
        return "put quotes around it"
    if not (field and field.examples):
        return f"write {wanted}"
    example = field.examples[0]
    # A wrong entry of a list is shown an entry: the nearest field is that of the list around it.
    entry = isinstance(example, list) and wanted != "a list"
    return f"write it like {_flow(example[0] if entry else example)}"


def _spoken(loc: Loc) -> str:
    """``pools[1].engine.kind``: entries of a list are counted from 1, as people do."""
    spoken = ""
    for part in loc:
        spoken += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if spoken else str(part)
    return _quoted(spoken) if spoken else "the file"


def _quoted(name: str | int) -> str:
    return f"`{name}`" if re.fullmatch(r"[\w.:\[\]/-]{1,80}", str(name), re.ASCII) else show(str(name))


def _example(field: FieldInfo | None) -> str:
    return _flow(field.examples[0]) if field and field.examples else "..."


def _flow(value: object) -> str:
    """YAML on one line; the examples are our own, so quoting needs no more than this."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) and value[:1] in "0123456789#" else str(value)


def _field(model: type[BaseModel], loc: Loc) -> FieldInfo | None:
    """The field at ``loc``, or the nearest one around it: an entry of a list has no field of its own."""
    for end in range(len(loc), 0, -1):
        owner = _model(_annotation(model, loc[: end - 1]))
        if owner and (field := _declared(owner, loc[end - 1])):
            return field
    return None


def _declared(owner: type[BaseModel], key: str | int) -> FieldInfo | None:
    """The field behind a key, by its name or by what it is called in a file."""
    return owner.model_fields.get(str(key)) or written(owner).get(str(key))


def _spelled(name: str, field: FieldInfo) -> str:
    """What a field is called in a file."""
    alias = field.validation_alias
    first = alias.choices[0] if isinstance(alias, AliasChoices) else alias
    return first if isinstance(first, str) else name


def _annotation(annotation: Any, loc: Loc) -> Any:
    """The type of what stands at ``loc`` inside a value of the given type; None where nothing is declared."""
    for part in loc:
        owner = _model(annotation)
        if owner:
            field = _declared(owner, part)
            annotation = field.annotation if field else None
        else:
            annotation = _item(annotation)
    return annotation


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model that a type is, alone or beside None; not one inside a list or mapping."""
    if get_origin(annotation) in (tuple, list, dict):
        return None
    if args := get_args(annotation):
        return next((found for arg in args if (found := _model(arg))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _item(annotation: Any) -> Any:
    """The type of a list's entries or a mapping's values, through ``| None`` and ``Annotated``."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is dict:
        return args[1]
    if origin in (tuple, list):
        return args[0]
    return next((found for arg in args if (found := _item(arg)) is not None), None)
