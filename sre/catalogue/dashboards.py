"""Dashboards as data: rows of panels over recorded series. Adding one is adding a file.

An expression names recorded series alone; which of them a viewer chose (pool, replica, host, card, model) is put in
when it is compiled, from the labels of each series and the variables of the dashboard.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sre import promql, source
from sre.catalogue import references
from sre.catalogue.model import Catalogue
from sre.explain import explain
from sre.findings import Finding, Refused

Draw = Literal[
    "timeseries", "state_timeline", "stat", "table", "heatmap", "text", "firing_alerts", "blind_alerts"
]
Colour = Literal["green", "blue", "yellow", "orange", "red", "purple", "text", "transparent"]
VariableName = Literal["pool", "replica", "host", "uuid", "model"]

OUTSIDE = re.compile(r"ALERTS(_FOR_STATE)?|up|scrape_\w+|prometheus_\w+")
"""What no rule records and a panel may read all the same: what Prometheus says about itself, its targets and alerts."""

_UID = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")
_DURATION = re.compile(r"[1-9][0-9]*[mhdw]")
_GRAFANA = re.compile(r"\$__\w+")
_MACRO = re.compile(r"\$[a-z_]+")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _query(value: object) -> object:
    """An expression alone is the short form of ``{expr: ...}``."""
    return {"expr": value} if isinstance(value, str) else value


class Query(_Model):
    """One expression of a panel and how its lines are told from the others."""

    expr: str = Field(description="what is drawn", examples=["pool:ttft:p50"])
    name: str = Field(
        default="", description="the word that tells these lines from the panel's others", examples=["p50"]
    )
    unit: str | None = Field(default=None, description="the unit, where the series' own does not hold")
    axis: Literal["left", "right"] = Field(default="left", description="which scale it belongs to")
    usual: bool = Field(default=False, description="drawn dotted: what is usual, to compare with")
    by: tuple[str, ...] = Field(
        default=(), description="labels that this column of a table has beside the table's own"
    )
    hidden: bool = Field(default=False, description="brings its labels into a table, not its value")
    red_from: Decimal | None = Field(default=None, description="a table's cell is red from this value on")
    red_below: Decimal | None = Field(default=None, description="a table's cell is red below this value")


class State(_Model):
    """What one value is called and how it is coloured."""

    text: str = Field(description="the word for the value", examples=["Down"])
    colour: Colour = Field(description="its colour", examples=["red"])


class Panel(_Model):
    """One picture. ``place`` is ``file:line``, put in by the loader."""

    place: str = Field(default="", description="put in by the loader")
    title: str = Field(description="what is to be seen", examples=["Time to first token"])
    about: str = Field(default="", description="how to read it", examples=["Each line is one pool."])
    draw: Draw = Field(default="timeseries", description="the kind of picture")
    alert: str | None = Field(
        default=None, description="the alert whose series, limit, condition and runbook are shown"
    )
    queries: tuple[Annotated[Query, BeforeValidator(_query)], ...] = Field(
        default=(),
        description="what is drawn; for an alert, what is drawn beside its own series",
        examples=[["pool:ttft:p50"]],
    )
    by: tuple[str, ...] = Field(
        default=(), description="the labels that make one row of a table", examples=[["pool"]]
    )
    unit: str | None = Field(
        default=None, description="the unit, where the series' own does not hold", examples=["ratio"]
    )
    states: dict[int, State] = Field(default_factory=dict, description="words and colours of values")
    red_from: Decimal | None = Field(default=None, description="a number is red from this value on")
    orange_from: Decimal | None = Field(default=None, description="a number is orange from this value on")
    no_value: str = Field(
        default="No data", description="what stands there when there is nothing", examples=["No traffic"]
    )
    otherwise: str = Field(default="", description="what is said instead where this fleet records none of it")
    text: str = Field(default="", description="Markdown of a text panel")
    stack: bool = Field(default=False, description="areas on top of each other: parts of a whole")
    max: Decimal | None = Field(default=None, description="the upper end of the scale", examples=[1])
    width: int = Field(default=8, ge=1, le=24, description="of 24 columns")
    height: int = Field(default=8, ge=2, le=40, description="in grid units of 30 pixels")


class Row(_Model):
    """A heading and the panels under it, from left to right, then down."""

    title: str = Field(description="the question that its panels answer", examples=["What users feel"])
    panels: tuple[Panel, ...] = Field(
        min_length=1, description="from left to right", examples=[[{"title": "..."}]]
    )


class Variable(_Model):
    """A choice at the top of a dashboard. Those above it narrow it down."""

    values: str = Field(description="the series whose label values are offered", examples=["pool:fleet:info"])
    absent: bool = Field(
        default=False, description="`All` includes series without the label, such as cards of no pool"
    )
    first: bool = Field(
        default=False, description="begins with the first pool of the fleet file, not with all"
    )


class Dashboard(_Model):
    """One page."""

    uid: str = Field(description="its address: /d/<uid>", examples=["llm-pool"])
    title: str = Field(description="what it is called", examples=["LLM pool"])
    about: str = Field(
        description="the question that it answers", examples=["One pool, from its users to its cards."]
    )
    variables: dict[VariableName, Variable] = Field(
        default_factory=dict, description="the choices at the top, in order"
    )
    firing: str = Field(
        default="ALERTS", description="the alerts that are marked on its graphs", examples=["ALERTS"]
    )
    range: str = Field(default="3h", description="how far back it looks at first", examples=["3h"])
    refresh: str = Field(default="1m", description="how often it asks again", examples=["1m"])
    rows: tuple[Row, ...] = Field(min_length=1, description="its contents", examples=[[{"title": "..."}]])

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, in order."""
        return tuple(panel for row in self.rows for panel in row.panels)


def load_dashboards(folder: Path) -> tuple[dict[str, Dashboard], list[Finding]]:
    """Dashboards of one folder by uid, and what is wrong with each file; a file with an error gives none."""
    loaded, findings = dict[str, Dashboard](), list[Finding]()
    for path in sorted(folder.glob("*.yaml")):
        try:
            text = replace(source.read(path), name=f"{folder.name}/{path.name}")
        except Refused as refused:
            findings += [
                replace(f, where=f.where.replace(str(path), f"{folder.name}/{path.name}"))
                for f in refused.findings
            ]
            continue
        dashboard, said = _dashboard(text)
        if dashboard and dashboard.uid in loaded:
            said.append(
                text.finding(
                    ("uid",),
                    f"a second dashboard `{dashboard.uid}`",
                    "Grafana keeps one of them, whichever comes last",
                    "give it a uid of its own",
                )
            )
        elif dashboard:
            loaded[dashboard.uid] = dashboard
        findings += said
    return loaded, findings


def _dashboard(text: source.Source) -> tuple[Dashboard | None, list[Finding]]:
    try:
        dashboard = Dashboard.model_validate(_placed(text))
    except ValidationError as error:
        return None, explain(error, text, Dashboard)
    findings = [*_page(text, dashboard), *_panels(text, dashboard)]
    return (None if findings else dashboard), findings


def _placed(text: source.Source) -> Any:
    """The file's data with each panel's line in it; anything that is not shaped like a dashboard passes untouched."""
    data = text.data
    if not isinstance(data, dict) or not isinstance(data.get("rows"), list):
        return data
    return {**data, "rows": [_placed_row(text, index, row) for index, row in enumerate(data["rows"])]}


def _placed_row(text: source.Source, index: int, row: Any) -> Any:
    if not isinstance(row, dict) or not isinstance(row.get("panels"), list):
        return row
    return {
        **row,
        "panels": [
            {**panel, "place": text.where(("rows", index, "panels", at))}
            if isinstance(panel, dict)
            else panel
            for at, panel in enumerate(row["panels"])
        ],
    }


def _page(text: source.Source, dashboard: Dashboard) -> Iterator[Finding]:
    if not _UID.fullmatch(dashboard.uid):
        yield text.finding(
            ("uid",),
            f"{source.show(dashboard.uid)} is no uid",
            "it becomes a file name and an address",
            "write 2 to 40 of a-z, 0-9 and -, like llm-pool",
        )
    for key in ("range", "refresh"):
        if not _DURATION.fullmatch(getattr(dashboard, key)):
            yield text.finding(
                (key,),
                f"{source.show(getattr(dashboard, key))} is no time span",
                "Grafana reads it",
                "write a number and m, h, d or w, like 3h",
            )
    if problem := _objection(dashboard.firing):
        yield text.finding(
            ("firing",), f"does not parse: {problem}", "no alert would be marked", "write PromQL, like ALERTS"
        )


def _panels(text: source.Source, dashboard: Dashboard) -> Iterator[Finding]:
    titles = dict[str, tuple[str | int, ...]]()
    for row_at, row in enumerate(dashboard.rows):
        for at, panel in enumerate(row.panels):
            loc = ("rows", row_at, "panels", at)
            if panel.title in titles:
                yield text.finding(
                    (*loc, "title"),
                    f"a second panel called {source.show(panel.title)}",
                    "a panel's number, and so links to it, come from its title",
                    "give it a title of its own",
                )
            titles[panel.title] = loc
            yield from (text.finding((*loc, *inner), *words) for inner, words in _objections(panel))


def _objections(panel: Panel) -> Iterator[tuple[tuple[str | int, ...], tuple[str, str, str]]]:
    drawn = panel.draw not in ("text", "firing_alerts", "blind_alerts")
    if drawn and not panel.about:
        yield (
            (),
            (
                f"panel {source.show(panel.title)} does not say how to read it",
                "it is read at night by someone who has not seen it before",
                "add `about: ...`",
            ),
        )
    if drawn and not panel.queries and not panel.alert:
        yield (
            (),
            (
                f"panel {source.show(panel.title)} draws nothing",
                "it would be empty",
                "add `queries:` or `alert:`",
            ),
        )
    if panel.draw == "table" and not panel.by:
        yield (
            (),
            (
                f"table {source.show(panel.title)} has no rows",
                "its columns are joined on these labels",
                "add `by: [pool]`",
            ),
        )
    for index, query in enumerate(panel.queries):
        if problem := _objection(query.expr):
            yield (
                ("queries", index),
                (f"does not parse: {problem}", "the panel would show an error", "write PromQL"),
            )


def plain(expr: str) -> str:
    """The expression with Grafana's windows and our macros replaced, so that a PromQL parser reads it."""
    return _MACRO.sub("x", _GRAFANA.sub("5m", expr))


def _objection(expr: str) -> str | None:
    return promql.check(plain(expr))


def review_dashboards(catalogue: Catalogue) -> Iterator[Finding]:
    """What needs the whole catalogue: each alert and series that a panel names exists, and no alert has two panels."""
    seen = dict[str, str]()
    for panel in (p for d in catalogue.dashboards.values() for p in d.panels):
        yield from _unknown(catalogue, panel)
        if panel.alert and panel.alert in seen:
            yield Finding(
                panel.place,
                f"{panel.alert} has a second panel; the first stands at {seen[panel.alert]}",
                "the alert's link leads to one of them",
                "keep one; draw its series without `alert:` elsewhere",
            )
        seen.setdefault(panel.alert or "", panel.place)
    for dashboard in catalogue.dashboards.values():
        for name, variable in dashboard.variables.items():
            if variable.values not in catalogue.records and not references.static(variable.values):
                yield Finding(
                    dashboard.panels[0].place.rsplit(":", 1)[0],
                    f"the variable `{name}` asks `{variable.values}`, which nothing records",
                    "it would be empty",
                    source.suggest(variable.values, catalogue.records),
                )


def _unknown(catalogue: Catalogue, panel: Panel) -> Iterator[Finding]:
    if panel.alert and panel.alert not in catalogue.alerts:
        yield Finding(
            panel.place,
            f"`{panel.alert}` is no alert",
            "the panel has nothing to draw",
            source.suggest(panel.alert, catalogue.alerts),
        )
    known = frozenset(catalogue.records) | frozenset(catalogue.baselines.values())
    for query in panel.queries:
        for name in sorted(promql.series_read(plain(query.expr))):
            if name not in known and not references.static(name) and not OUTSIDE.fullmatch(name):
                yield Finding(
                    panel.place,
                    f"panel {source.show(panel.title)} reads `{name}`, which nothing records",
                    "it would stay empty",
                    source.suggest(name, known),
                )


def panel_of(dashboards: Mapping[str, Dashboard], alert: str) -> tuple[str, Panel] | None:
    """The dashboard (by uid) and panel that show an alert."""
    return next(
        (
            (uid, panel)
            for uid, dashboard in dashboards.items()
            for panel in dashboard.panels
            if panel.alert == alert
        ),
        None,
    )
