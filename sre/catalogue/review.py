"""Checks that need the whole catalogue: every name is known, every expression can be read."""

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from sre.catalogue import known, references
from sre.catalogue.alert_review import review_alerts
from sre.catalogue.dashboards import review_dashboards
from sre.catalogue.expressions import RECORD_MACROS, objections
from sre.catalogue.fault_review import review_faults
from sre.catalogue.model import Catalogue
from sre.catalogue.runbook_review import review_runbooks
from sre.findings import Finding
from sre.source import suggest

_NAMES = {
    "records": (r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", "level:metric:operation, like pool:queue_depth:sum"),
    "baselines": (r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", "level:metric:operation, like pool:queue_depth:baseline"),
    "frozen": (r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", "level:metric:operation, like pool:queue_depth:frozen"),
    "signals": (r"[a-z][a-z0-9_]*", "small letters, digits and underscores, like queue_depth"),
    "thresholds": (r"[a-z][a-z0-9_]*", "small letters, digits and underscores, like queue_depth"),
    "constants": (r"[a-z_]+", "small letters and underscores, like server_errors"),
}
_SUFFIXED = re.compile(r"(.+)_(bucket|sum|count)")


def review(catalogue: Catalogue) -> list[Finding]:
    """All findings about content that is well-formed entry by entry."""
    return [
        *_spelling(catalogue),
        *_records(catalogue),
        *_circles(catalogue),
        *_bindings(catalogue),
        *review_alerts(catalogue),
        *review_faults(catalogue),
        *review_dashboards(catalogue),
        *review_runbooks(catalogue),
    ]


def _spelling(catalogue: Catalogue) -> Iterator[Finding]:
    """Names that an expression could not be told from other text by."""
    for section, (pattern, form) in _NAMES.items():
        entries = getattr(catalogue, section)
        for entry in entries:
            name = entries[entry] if section in ("baselines", "frozen") else entry
            if not re.fullmatch(pattern, name):
                where = catalogue.where(section, entry)
                yield Finding(where, f"`{name}` is no name here", "nothing could ask for it", f"write {form}")


def _records(catalogue: Catalogue) -> Iterator[Finding]:
    recorded, signals = known.series(catalogue), catalogue.signals
    for record in catalogue.records.values():
        found = [
            *objections(record.branches, record.join, RECORD_MACROS, recorded, signals),
            *((i, said) for i, branch in enumerate(record.branches) for said in _kinds(catalogue, branch)),
        ]
        for index, (what, why, fix) in found:
            where = catalogue.where("records", record.name, "expr", index)
            yield Finding(where, f"`{record.name}` {what}", why, fix)
    for name, to in catalogue.baselines.items():
        where = catalogue.where("baselines", name)
        if name not in catalogue.records:
            what, why = f"a baseline of `{name}`, which nothing records", "it would never exist"
            yield Finding(where, what, why, suggest(name, catalogue.records))
        if to in catalogue.records or list(catalogue.baselines.values()).count(to) > 1:
            what, why = (
                f"a baseline called `{to}`, which is recorded already",
                "one series would be two things",
            )
            yield Finding(where, what, why, "give it a name of its own")
    yield from _frozen(catalogue)


def _frozen(catalogue: Catalogue) -> Iterator[Finding]:
    taken = [*catalogue.records, *catalogue.baselines.values(), *catalogue.frozen.values()]
    for name, to in catalogue.frozen.items():
        where = catalogue.where("frozen", name)
        if name not in catalogue.baselines:
            what, why = f"a frozen `{name}`, which has no baseline", "nothing would compare with it"
            yield Finding(where, what, why, suggest(name, catalogue.baselines))
        if taken.count(to) > 1:
            what = f"a frozen baseline called `{to}`, which is recorded already"
            yield Finding(where, what, "one series would be two things", "give it a name of its own")


def _kinds(catalogue: Catalogue, branch: str) -> Iterator[tuple[str, str, str]]:
    """A histogram is read by its buckets, sum or count; nothing else has any."""
    for name in sorted(references.signals(branch)):
        parts = _SUFFIXED.fullmatch(name)
        signal = catalogue.signals.get(references.signal_of(name, catalogue.signals))
        if signal and (signal.type == "histogram") != (signal.name != name):
            why = "the raw series would not exist"
            fix = (
                f"write @{name}_bucket, @{name}_sum or @{name}_count"
                if not parts
                else f"write @{signal.name}"
            )
            yield f"reads `@{name}`, but `{signal.name}` is a {signal.type}", why, fix


def _circles(catalogue: Catalogue) -> Iterator[Finding]:
    """A series that is made from itself, over whatever way, is never made."""
    origin = {to: name for name, to in catalogue.baselines.items()}
    cards = {"gpu:card:info"}
    graph = {
        name: {origin.get(s, s) for b in record.branches for s in references.series(b)}
        | (cards if record.per else set())
        for name, record in catalogue.records.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        way = list(reversed(error.args[1]))
        where, fix = catalogue.where("records", way[0], "expr"), "read what it is made from instead"
        what = f"`{way[0]}` is made from itself: " + " reads ".join(f"`{name}`" for name in way)
        yield Finding(where, what, "no order of evaluation would record it", fix)


def _bindings(catalogue: Catalogue) -> Iterator[Finding]:
    for section in ("engines", "gpus", "usage"):
        for kind, binding in getattr(catalogue, section).items():
            for part in ("signals", "bounds", "bound_keys"):
                for name in getattr(binding, part):
                    if name not in catalogue.signals:
                        where, why = catalogue.where(section, kind, part, name), "nothing would read it"
                        fix = suggest(name, catalogue.signals)
                        yield Finding(where, f"binds `{name}`, which is no signal", why, fix)
