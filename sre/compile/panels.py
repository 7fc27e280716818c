"""Grafana's vocabulary: the one module that knows grafanalib, and corrects its defaults.

grafanalib 0.7.1 draws a point per 120 s where 15 s were asked (maxDataPoints 100 x intervalFactor 2), shows a mean
where the last value was meant, and writes shapes that Grafana 13 no longer reads. Each constructor gives plain data,
without what Grafana's own model (grafana-foundation-sdk 0.0.21) does not know.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafanalib import core

Json = dict[str, Any]
"""A piece of a dashboard, ready to be written."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
"""The data source that the viewer chose: nothing is hard-wired."""

TAG = "inference-sre"

# 40 and above are the v2 line's own steps; 39 is the last that Grafana 10.4 to 13 load alike.
_SCHEMA = 39

# What grafanalib writes and no Grafana since 8 reads.
_OBSOLETE = frozenset((
    "__inputs", "cacheTimeout", "columns", "editable", "error", "fontSize", "gnetId", "height", "hideControls",
    "hideTimeOverride", "intervalFactor", "maxPerRow", "metric", "minSpan", "nowDelay", "repeatDirection", "rows",
    "sharedCrosshair", "span", "step", "style", "tagValuesQuery", "tagsQuery", "timeFrom", "timeShift", "useTags",
))  # fmt: skip

_UNITS = {
    "seconds": "s", "ratio": "percentunit", "celsius": "celsius", "watts": "watt", "bytes": "bytes",
    "megabytes_per_second": "MBs", "tokens_per_second": "si:tok/s", "requests_per_second": "reqps",
    "preemptions_per_second": "suffix:/s", "megabytes_per_token": "suffix:MB/token", "factor": "suffix:x",
    "timestamp": "dateTimeAsLocal", "timestamp_ms": "dateTimeFromNow", "boolean": "bool_yes_no",
}  # fmt: skip


def unit(name: str) -> str:
    """Grafana's name for a unit of the catalogue; whole things (requests, cards) are plain numbers."""
    return _UNITS.get(name, "short")


@dataclass(frozen=True)
class Frame:
    """What every panel has: a number that stays, a place on the grid, a title and how to read it."""

    id: int
    title: str
    about: str
    x: int
    y: int
    width: int
    height: int
    links: tuple[Json, ...] = ()

    def arguments(self) -> Json:
        """As grafanalib wants it. maxDataPoints None: Grafana asks for as many points as there are pixels."""
        return {
            "id": self.id, "title": self.title, "description": self.about or None, "maxDataPoints": None,
            "gridPos": core.GridPos(self.height, self.width, self.x, self.y), "links": list(self.links),
        }  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How a value is shown: its unit, words and colours of values, and what stands there when there is none."""

    unit: str
    no_value: str = "No data"
    steps: tuple[tuple[float | None, str], ...] = ((None, "green"),)
    mappings: tuple[Json, ...] = ()
    links: tuple[Json, ...] = ()
    maximum: float | None = None

    @property
    def soft_maximum(self) -> int | None:
        """Counts that stay at zero are drawn at the bottom, not in the middle of nowhere."""
        return 1 if self.unit == "short" else None

    def defaults(self) -> Json:
        """The `fieldConfig.defaults` of any panel. Steps are numbers, never grafanalib's strings."""
        steps = [{"color": colour, "value": value} for value, colour in self.steps]
        return {
            "unit": self.unit, "noValue": self.no_value, "mappings": list(self.mappings), "links": list(self.links),
            "thresholds": {"mode": "absolute", "steps": steps}, "max": self.maximum,
        }  # fmt: skip


class _Shape(core.Panel):  # type: ignore[misc]
    """A panel that grafanalib does not have in its present form: everything comes from extraJson."""

    def to_json_data(self) -> Json:
        return dict(self.panel_json({}))


def target(
    ref: str, expr: str, legend: str = "", *, form: str = "time_series", instant: bool = False
) -> Json:
    """One query."""
    made = core.Target(
        expr=expr,
        legendFormat=legend,
        refId=ref,
        datasource=SOURCE,
        format=form,
        instant=instant,
        intervalFactor=1,
    ).to_json_data()
    made |= {"editorMode": "code", "range": not instant, "query": None, "target": None}
    return _json(made)


def timeseries(
    frame: Frame, look: Look, targets: Sequence[Json], overrides: Sequence[Json] = (), *, stack: bool = False
) -> Json:
    """Lines over time."""
    custom = {"axisSoftMin": 0, "axisSoftMax": look.soft_maximum, "pointSize": 4}
    panel = core.TimeSeries(
        **frame.arguments(), dataSource=SOURCE, targets=list(targets), overrides=list(overrides),
        lineWidth=1, fillOpacity=30 if stack else 0, showPoints="auto", tooltipMode="multi", tooltipSort="desc",
        stacking={"mode": "normal" if stack else "none", "group": "A"},
        extraJson={
            "fieldConfig": {"defaults": {**look.defaults(), "custom": custom}},
            "options": {"legend": {"showLegend": True}},
        },
    )  # fmt: skip
    return _json(panel)


def stat(frame: Frame, look: Look, targets: Sequence[Json]) -> Json:
    """One number: the last, coloured by its steps."""
    panel = core.Stat(
        **frame.arguments(), dataSource=SOURCE, targets=list(targets), reduceCalc="lastNotNull", noValue=look.no_value,
        color={"mode": "thresholds"}, format=look.unit, graphMode="none" if targets[0].get("instant") else "area",
        extraJson={"fieldConfig": {"defaults": look.defaults()}},
    )  # fmt: skip
    return _json(panel)


def state_timeline(frame: Frame, look: Look, targets: Sequence[Json]) -> Json:
    """One bar per series, coloured by its value."""
    panel = core.StateTimeline(
        **frame.arguments(), dataSource=SOURCE, targets=list(targets), showValue="never", rowHeight=0.8, fillOpacity=80,
        extraJson={
            "fieldConfig": {
                "defaults": {**look.defaults(), "color": {"mode": "thresholds"}, "custom": {"lineWidth": 0}}
            },
            "options": {"legend": {"showLegend": True}},
        },
    )  # fmt: skip
    return _json(panel)


def table(
    frame: Frame, look: Look, targets: Sequence[Json], transformations: Sequence[Json], overrides: Sequence[Json],
    *, sort: tuple[str, bool],
) -> Json:  # fmt: skip
    """Rows from instant queries, sorted by (column, descending).

    Built anew: grafanalib's `displayMode` would win over `cellOptions` in Grafana 13.
    """
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "minWidth": 60}
    panel = _Shape(
        **frame.arguments(), dataSource=SOURCE, targets=list(targets), transformations=list(transformations),
        extraJson={
            "type": "table",
            "fieldConfig": {"defaults": {**look.defaults(), "custom": custom}, "overrides": list(overrides)},
            "options": {
                "showHeader": True, "cellHeight": "sm", "sortBy": [{"displayName": sort[0], "desc": sort[1]}]
            },
        },
    )  # fmt: skip
    return _json(panel)


def heatmap(frame: Frame, look: Look, targets: Sequence[Json]) -> Json:
    """Buckets over time, in the present shape: grafanalib has only the one of the Angular days."""
    panel = _Shape(
        **frame.arguments(), dataSource=SOURCE, targets=list(targets),
        extraJson={
            "type": "heatmap",
            "fieldConfig": {"defaults": {"links": list(look.links), "noValue": look.no_value}, "overrides": []},
            "options": {
                "calculate": False, "cellGap": 1, "filterValues": {"le": 1e-9}, "showValue": "never",
                "color": {"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "scale": "exponential",
                          "exponent": 0.5, "reverse": False, "steps": 64},
                "legend": {"show": True}, "rowsFrame": {"layout": "auto"},
                "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
                "yAxis": {"axisPlacement": "left", "unit": look.unit},
            },
        },
    )  # fmt: skip
    return _json(panel)


def text(frame: Frame, content: str) -> Json:
    """Markdown. Whatever comes from outside must be inert in it already."""
    return _json(core.Text(**frame.arguments(), content=content, mode="markdown"))


def row(number: int, title: str, y: int) -> Json:
    """A heading, open. Of what every panel of grafanalib has, a row knows little."""
    made = _json(core.RowPanel(id=number, title=title, gridPos=core.GridPos(1, 24, 0, y)))
    return {key: made[key] for key in ("id", "title", "type", "gridPos", "collapsed", "panels")}


def override(field: str, properties: Mapping[str, object], *, by: str = "byName") -> Json:
    """What holds for one column (`byName`) or for the lines of one query (`byFrameRefID`) alone."""
    return {
        "matcher": {"id": by, "options": field},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }


def choose_source() -> Json:
    """The variable that says which Prometheus is asked."""
    made = core.Template(
        name="datasource", label="Data source", type="datasource", query="prometheus", refresh=1
    )
    return _json({**made.to_json_data(), "sort": None, "multi": False, "includeAll": False, "current": None})


def variable(name: str, label: str, query: str, *, all_value: str, start: str | None) -> Json:
    """Values to choose from, any number of them: only such a variable has its values escaped inside a matcher.

    ``start`` is the value that it begins with, else all. ``all_value`` keeps `All` short whatever the number of values.
    """
    chosen = (
        {"text": [start], "value": [start]} if start is not None else {"text": ["All"], "value": ["$__all"]}
    )
    made = core.Template(
        name=name,
        label=label,
        query=query,
        dataSource=SOURCE,
        includeAll=True,
        multi=True,
        refresh=2,
        sort=1,
        allValue=all_value,
    ).to_json_data()
    asked = {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    return _json({**made, "query": asked, "definition": query, "current": chosen})


def marks(name: str, expr: str, colour: str, words: tuple[str, str], *, interval: str, shown: bool) -> Json:
    """Regions on every graph where an expression has a value, with a title and a text; ``shown`` from the start."""
    return {
        "name": name, "datasource": SOURCE, "enable": shown, "hide": False, "iconColor": colour,
        "target": {"expr": expr, "interval": interval, "refId": "Anno"},
        "titleFormat": words[0], "textFormat": words[1], "tagKeys": "severity,pool", "useValueForTime": False,
    }  # fmt: skip


def link(title: str, url: str, *, new: bool = False) -> Json:
    """A link of a panel, or of the values that it shows."""
    return {"title": title, "url": url, "targetBlank": new}


def panel_link(title: str, url: str) -> Json:
    """A link in a panel's menu."""
    made = core.DashboardLink(
        type="link", title=title, uri=url, asDropdown=False, includeVars=False, keepTime=False
    )
    return _json({**made.to_json_data(), "tags": [], "targetBlank": True, "tooltip": ""})


def dashboard(
    uid: str, title: str, about: str, *, panels: Sequence[Json], variables: Sequence[Json],
    annotations: Sequence[Json], look_back: str, refresh: str,
) -> str:  # fmt: skip
    """The whole page as JSON text: sorted keys, the same for the same input."""
    others = core.DashboardLink(
        title="LLM dashboards",
        type="dashboards",
        tags=[TAG],
        asDropdown=True,
        includeVars=True,
        keepTime=True,
    ).to_json_data()
    made = core.Dashboard(
        uid=uid, title=title, description=about, tags=[TAG], templating=core.Templating(list(variables)),
        annotations=core.Annotations([_BUILT_IN, *annotations]), links=[{**others, "tooltip": "", "url": ""}],
        time=core.Time(f"now-{look_back}", "now"), refresh=refresh, timezone="browser", schemaVersion=_SCHEMA,
        graphTooltip=1,
    ).to_json_data()  # fmt: skip
    data = _json({**made, "version": None, "timepicker": {}}) | {"panels": list(panels), "editable": False}
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


_BUILT_IN = {
    "builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
}  # fmt: skip


def _json(value: Any) -> Json:
    """Plain data of one panel, query, variable or page, without the keys that are obsolete there."""
    data = value.to_json_data() if hasattr(value, "to_json_data") else value
    return {key: _plain(item) for key, item in data.items() if key not in _OBSOLETE and item is not None}


def _plain(value: Any) -> Any:
    """Without grafanalib's objects, and without nulls but for the first step of a scale."""
    if hasattr(value, "to_json_data"):
        return _plain(value.to_json_data())
    if isinstance(value, dict):
        step = value.keys() == {"color", "value"}
        return {key: _plain(item) for key, item in value.items() if item is not None or step}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
