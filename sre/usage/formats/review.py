"""What is wrong with a format whose parts are all well-formed: paths that get in each other's way."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from sre.findings import Finding
from sre.source import Loc, Source
from sre.usage.formats.model import GatewayFormat


def review(spec: GatewayFormat, text: Source) -> Iterator[Finding]:
    """All findings about one format."""
    known = list(_paths(spec, ()))
    numbered = {path[:place]: loc for loc, path in known for place, key in enumerate(path) if key.isdigit()}
    for loc, path in known:
        if path[0].isdigit():
            what, fix = "a path begins with the number of a list's entry", "begin with a key of the record"
            yield text.finding(loc, what, "a line is an object, never a list", fix)
        for place, key in enumerate(path):
            if path[:place] in numbered and not key.isdigit():
                what = f"`{'/'.join(path)}` takes `{'/'.join(path[:place])}` for a mapping, another path for a list"
                yield text.finding(loc, what, "one of the two would never be found", "write both alike")
        if spec.embedded and path == (spec.embedded,):
            what, fix = f"`{spec.embedded}` is embedded JSON and read as a field too", "name a key inside it"
            yield text.finding(loc, what, "its whole text would be taken for one value", fix)


def _paths(value: Any, loc: Loc) -> Iterator[tuple[Loc, tuple[str, ...]]]:
    """Every path of a format, and where it stands in the file."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            spelled = field.validation_alias if isinstance(field.validation_alias, str) else name
            yield from _paths(getattr(value, name), (*loc, spelled))
    elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
        yield from ((loc, path) for path in value)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _paths(item, (*loc, index))
