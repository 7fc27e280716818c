"""What is wrong with a format whose parts are all well-formed: paths that get in each other's way."""

from collections.abc import Iterator

from sre.findings import Finding
from sre.source import Source
from sre.usage.formats.model import GatewayFormat, paths_of
from sre.usage.formats.paths import Path


def review(spec: GatewayFormat, text: Source) -> Iterator[Finding]:
    """All findings about one format."""
    known = list(paths_of(spec))
    fields = [path for loc, path in known if loc != ("loose",)]
    lists = {path[:place] for _, path in known for place, key in enumerate(path) if place and key.isdigit()}
    for loc, path in known:
        if path[0].isdigit():
            what, fix = "a path begins with the number of a list's entry", "begin with a key of the record"
            yield text.finding(loc, what, "a line is an object, never a list", fix)
        if path[-1].isdigit():
            what, fix = (
                f"`{_spelled(path)}` ends with the number of a list's entry",
                "name a key inside the entry",
            )
            yield text.finding(loc, what, "entries are read where they are objects", fix)
        if spec.embedded and path == (spec.embedded,):
            what, fix = f"`{spec.embedded}` is embedded JSON and read as a field too", "name a key inside it"
            yield text.finding(loc, what, "its whole text would be taken for one value", fix)
        if loc == ("loose",) and not any(path == field[: len(path)] != field for field in fields):
            what, fix = (
                f"no field is read in `{_spelled(path)}`",
                "leave it out, or name what fields are read in",
            )
            yield text.finding(loc, what, "it is passed over anyway", fix)
        for place in range(1, len(path) + 1):
            if path[:place] in lists and not "".join(path[place : place + 1]).isdigit():
                what = (
                    f"`{_spelled(path)}` takes `{_spelled(path[:place])}` for no list, another path for one"
                )
                yield text.finding(loc, what, "one of the two would never be found", "write both alike")


def _spelled(path: Path) -> str:
    return "/".join(path)
