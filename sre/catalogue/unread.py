"""Recorded series that nothing reads: every evaluation pays for them, and over ten thousand cards that is much."""

from collections.abc import Collection, Iterable, Iterator

from sre.catalogue import references
from sre.catalogue.model import Catalogue
from sre.findings import Finding

_WHY = "every evaluation pays for it, and over many cards that is much"
_FIX = "let an alert, dashboard or runbook read it; take it out where nothing outside does"


def review_unread(catalogue: Catalogue, shipped: Collection[str] = ()) -> Iterator[Finding]:
    """A warning for each record, but the ``shipped`` ones, that no alert, page, fault or other record leads to."""
    read = _read(catalogue)
    for name in catalogue.records:
        if name not in read and name not in shipped:
            where = catalogue.where("records", name)
            yield Finding(where, f"`{name}` is recorded, and nothing reads it", _WHY, _FIX, "warning")


def _read(catalogue: Catalogue) -> set[str]:
    """Everything that is asked for, through baselines and through all records on the way."""
    origin = {to: name for name, to in catalogue.baselines.items()}
    found, todo = set[str](), list(_asked(catalogue))
    while todo:
        name = todo.pop()
        name = origin.get(name, name)
        if name not in found:
            found.add(name)
            record = catalogue.records.get(name)
            todo += (
                [read for branch in record.branches for read in references.series(branch)] if record else []
            )
            todo += ["gpu:card:info"] if record and record.per else []
    return found


def _asked(catalogue: Catalogue) -> Iterator[str]:
    """Series that alerts, dashboards, runbooks and faults name, wherever in them."""
    for entries in (catalogue.alerts, catalogue.dashboards, catalogue.runbooks, catalogue.faults):
        for entry in entries.values():
            for text in _texts(entry.model_dump()):
                yield from references.series(text)


def _texts(part: object) -> Iterable[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for inner in (*part, *part.values()):
            yield from _texts(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _texts(inner)
