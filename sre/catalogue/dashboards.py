"""Dashboards from their files, and what is wrong with them: with the page alone, and with what it names."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sre import promql, source
from sre.catalogue import folders, known
from sre.catalogue.dashboard_model import OUTSIDE, Dashboard, Panel, macros, plain
from sre.catalogue.entries import no_mapping, read_entry
from sre.catalogue.model import Catalogue
from sre.explain import unknown
from sre.findings import Finding, Refused
from sre.source import Loc, Source

_UID = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")
_DURATION = re.compile(r"[1-9][0-9]*[mhdw]")
_FIRING = re.compile(r"ALERTS(\{.*\})?")

# Queries are numbered by letters.
_MOST_QUERIES = 26


def load_dashboards(folder: Path) -> tuple[dict[str, Dashboard], list[Finding]]:
    """Dashboards of one folder by uid, and what is wrong with each file; a file with an error gives none."""
    loaded, findings = dict[str, Dashboard](), list[Finding]()
    for path in folders.files(folder.parent, folder.name):
        try:
            text = folders.read(path)
        except Refused as refused:
            findings += refused.findings
            continue
        dashboard, said = _read(text)
        if dashboard and dashboard.uid in loaded:
            said.append(text.finding(("uid",), f"a second dashboard `{dashboard.uid}`", *_SECOND_UID))
        elif dashboard:
            loaded[dashboard.uid] = dashboard
        findings += said
    return loaded, findings


_SECOND_UID = "Grafana keeps one of them, whichever comes last", "give it a uid of its own"


def _read(text: Source) -> tuple[Dashboard | None, list[Finding]]:
    if not isinstance(text.data, dict):
        return None, [no_mapping(text, ())]
    dashboard, findings = read_entry(Dashboard, text, (), _placed(text))
    findings += _stray_places(text)
    if dashboard:
        findings += [*_page(text, dashboard), *_panels(text, dashboard)]
    return (None if findings else dashboard), findings


def _stray_places(text: Source) -> Iterator[Finding]:
    """A panel's place is its line in the file, nothing that a person writes."""
    rows = text.place.inside["rows"].inside if "rows" in text.place.inside else {}
    for row, row_place in rows.items():
        panels = row_place.inside["panels"].inside if "panels" in row_place.inside else {}
        for panel, place in panels.items():
            if "place" in place.inside:
                yield unknown(("rows", row, "panels", panel, "place"), text, Dashboard)


def _placed(text: Source) -> Any:
    """The file's data with each panel's line in it; what is not shaped like a dashboard passes untouched."""
    data = text.data
    if not isinstance(data.get("rows"), list):
        return data
    return {**data, "rows": [_placed_row(text, index, row) for index, row in enumerate(data["rows"])]}


def _placed_row(text: Source, index: int, row: Any) -> Any:
    if not isinstance(row, dict) or not isinstance(row.get("panels"), list):
        return row
    placed = [
        {**panel, "place": text.where(("rows", index, "panels", at))} if isinstance(panel, dict) else panel
        for at, panel in enumerate(row["panels"])
    ]
    return {**row, "panels": placed}


def _page(text: Source, dashboard: Dashboard) -> Iterator[Finding]:
    if not _UID.fullmatch(dashboard.uid):
        what, why = f"{source.show(dashboard.uid)} is no uid", "it becomes a file name and an address"
        yield text.finding(("uid",), what, why, "write 2 to 40 of a-z, 0-9 and -, like llm-pool")
    for key in ("range", "refresh"):
        span = getattr(dashboard, key)
        if not _DURATION.fullmatch(span):
            what, fix = f"{source.show(span)} is no time span", "write a number and m, h, d or w, like 3h"
            yield text.finding((key,), what, "Grafana reads it", fix)
    if not _FIRING.fullmatch(dashboard.firing) or _objection(dashboard.firing):
        what, why = f"{source.show(dashboard.firing)} selects no alerts", "none would be marked on the graphs"
        yield text.finding(("firing",), what, why, "write ALERTS, with matchers where not all are meant")
    for what, why, fix in _unasked(dashboard, dashboard.firing):
        yield text.finding(("firing",), what, why, fix)


def _unasked(dashboard: Dashboard, expr: str) -> Iterator[tuple[str, str, str]]:
    """Words that stand for nothing: neither a choice of this page nor what the compiler puts in."""
    known_words = (*dashboard.variables, "replica_label")
    for word in macros(expr):
        if word not in known_words:
            what = f"asks for `${word}`, which is no variable of this dashboard"
            yield what, "Grafana would send it as it stands", source.suggest(word, known_words)


def _panels(text: Source, dashboard: Dashboard) -> Iterator[Finding]:
    titles = set[str]()
    for row_at, row in enumerate(dashboard.rows):
        for at, panel in enumerate(row.panels):
            loc: Loc = ("rows", row_at, "panels", at)
            if panel.title in titles:
                what = f"a second panel called {source.show(panel.title)}"
                why = "a panel's number, and so links to it, come from its title"
                yield text.finding((*loc, "title"), what, why, "give it a title of its own")
            titles.add(panel.title)
            for inner, what, why, fix in (*_objections(panel), *_queries(dashboard, panel)):
                yield text.finding((*loc, *inner), what, why, fix)


def _objections(panel: Panel) -> Iterator[tuple[Loc, str, str, str]]:
    shown = source.show(panel.title)
    drawn = panel.draw not in ("text", "firing_alerts", "blind_alerts")
    if drawn and not panel.queries and not panel.alert:
        yield (), f"panel {shown} draws nothing", "it would be empty", "add `queries:` or `alert:`"
    if panel.draw == "table" and not panel.by:
        yield (), f"table {shown} has no rows", "its columns are joined on labels", "add `by: [pool]`"
    if len(panel.queries) > _MOST_QUERIES:
        what = f"panel {shown} has {len(panel.queries)} queries"
        yield (), what, "nobody reads that many", f"leave at most {_MOST_QUERIES}"


def _queries(dashboard: Dashboard, panel: Panel) -> Iterator[tuple[Loc, str, str, str]]:
    for index, query in enumerate(panel.queries):
        if problem := _objection(query.expr):
            why = "Grafana would show an error"
            yield ("queries", index), problem, why, "write PromQL that gives one value for each line"
        for said in _unasked(dashboard, query.expr):
            yield ("queries", index), *said


def _objection(expr: str) -> str | None:
    """What the parser says; a number or a window alone parses, and gives nothing to draw."""
    asked = plain(expr)
    if error := promql.check(asked):
        return f"does not parse: {error}"
    return "gives no series" if promql.check(f"absent(\n{asked}\n)") else None


def review_dashboards(catalogue: Catalogue) -> Iterator[Finding]:
    """What needs the whole catalogue: alerts and series that panels name exist, and no alert has two panels."""
    seen = dict[str, str]()
    for panel in (p for d in catalogue.dashboards.values() for p in d.panels):
        yield from _unknown(catalogue, panel)
        if panel.alert and panel.alert in seen:
            what = f"{panel.alert} has a second panel; the first stands at {seen[panel.alert]}"
            fix = "keep one; elsewhere draw its series without `alert:`"
            yield Finding(panel.place, what, "the alert's link leads to one of them", fix)
        seen.setdefault(panel.alert or "", panel.place)
    for dashboard in catalogue.dashboards.values():
        yield from _unknown_choices(catalogue, dashboard)


def _unknown_choices(catalogue: Catalogue, dashboard: Dashboard) -> Iterator[Finding]:
    where, recorded = dashboard.panels[0].place.rpartition(":")[0], known.series(catalogue)
    for name, variable in dashboard.variables.items():
        if variable.values not in recorded:
            what = f"the variable `{name}` asks `{variable.values}`, which nothing records"
            yield Finding(where, what, "it would be empty", source.suggest(variable.values, recorded))


def _unknown(catalogue: Catalogue, panel: Panel) -> Iterator[Finding]:
    if panel.alert and panel.alert not in catalogue.alerts:
        fix = source.suggest(panel.alert, catalogue.alerts)
        yield Finding(panel.place, f"`{panel.alert}` is no alert", "the panel has nothing to draw", fix)
    recorded = known.series(catalogue)
    for query in panel.queries:
        for name in sorted(promql.series_read(plain(query.expr))):
            if name not in recorded and not OUTSIDE.fullmatch(name):
                what = f"panel {source.show(panel.title)} reads `{name}`, which nothing records"
                yield Finding(panel.place, what, "it would stay empty", source.suggest(name, recorded))
