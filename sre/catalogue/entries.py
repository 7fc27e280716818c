"""One entry of a file as a model, or everything that is wrong with it, at its own lines."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sre.explain import explain, unknown, written
from sre.findings import Finding
from sre.source import Loc, Source

_M = TypeVar("_M", bound=BaseModel)


def read_entry(
    model: type[_M], text: Source, at: Loc, data: object, **loaded: object
) -> tuple[_M | None, list[Finding]]:
    """The entry at ``at``; ``loaded`` are the fields that no person writes."""
    if not isinstance(data, dict):
        return None, [no_mapping(text, at)]
    inner = [key for key in data if key in model.model_fields and key not in written(model)]
    findings = [unknown((key,), text, model, at) for key in inner]
    try:
        value = model.model_validate({**data, **loaded})
    except ValidationError as error:
        return None, [*findings, *explain(error, text, model, at)]
    return (None if findings else value), findings


def no_mapping(text: Source, at: Loc) -> Finding:
    """What is said where something else stands in a mapping's place."""
    return text.finding(
        at, "a mapping (name: entry) belongs here", "nothing else is read", "give every entry a name"
    )


def places_of(text: Source, at: Loc) -> dict[str, str]:
    """`file:line` of the entry's name and of everything in the entry, by its dotted path."""
    place = text.place
    for part in at:
        place = place.inside[part]
    # An entry that is a whole file has no name of its own: its parts begin with the dot.
    name = ".".join(map(str, at))
    found, todo = {name: f"{text.name}:{place.key}"}, [(name, place)]
    while todo:
        around, outer = todo.pop()
        for part, inner in outer.inside.items():
            found[f"{around}.{part}"] = f"{text.name}:{inner.line}"
            todo.append((f"{around}.{part}", inner))
    return found
