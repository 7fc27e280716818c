"""Dashboards from their files, and what is wrong with them: with the page alone, and with what it names."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sre import promql, source
from sre.catalogue import references
from sre.catalogue.dashboard_model import OUTSIDE, Dashboard, Panel, plain
from sre.catalogue.model import Catalogue
from sre.explain import explain
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
    for path in sorted(folder.glob("*.yaml")):
        name = f"{folder.name}/{path.name}"
        try:
            text = replace(source.read(path), name=name)
        except Refused as refused:
            findings += [replace(f, where=f.where.replace(str(path), name)) for f in refused.findings]
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
    try:
        dashboard = Dashboard.model_validate(_placed(text))
    except ValidationError as error:
        return None, explain(error, text, Dashboard)
    findings = [*_page(text, dashboard), *_panels(text, dashboard)]
    return (None if findings else dashboard), findings


def _placed(text: Source) -> Any:
    """The file's data with each panel's line in it; what is not shaped like a dashboard passes untouched."""
    data = text.data
    if not isinstance(data, dict) or not isinstance(data.get("rows"), list):
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
            for inner, what, why, fix in _objections(panel):
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
    for index, query in enumerate(panel.queries):
        if problem := _objection(query.expr):
            yield (
                ("queries", index),
                f"does not parse: {problem}",
                "Grafana would show an error",
                "write PromQL",
            )


def _objection(expr: str) -> str | None:
    return promql.check(plain(expr))


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
    where = dashboard.panels[0].place.rpartition(":")[0]
    for name, variable in dashboard.variables.items():
        if not _recorded(catalogue, variable.values):
            what = f"the variable `{name}` asks `{variable.values}`, which nothing records"
            yield Finding(
                where, what, "it would be empty", source.suggest(variable.values, catalogue.records)
            )


def _unknown(catalogue: Catalogue, panel: Panel) -> Iterator[Finding]:
    if panel.alert and panel.alert not in catalogue.alerts:
        fix = source.suggest(panel.alert, catalogue.alerts)
        yield Finding(panel.place, f"`{panel.alert}` is no alert", "the panel has nothing to draw", fix)
    for query in panel.queries:
        for name in sorted(promql.series_read(plain(query.expr))):
            if not _recorded(catalogue, name) and not OUTSIDE.fullmatch(name):
                what = f"panel {source.show(panel.title)} reads `{name}`, which nothing records"
                yield Finding(
                    panel.place, what, "it would stay empty", source.suggest(name, catalogue.records)
                )


def _recorded(catalogue: Catalogue, name: str) -> bool:
    return name in catalogue.records or name in catalogue.baselines.values() or references.static(name)
