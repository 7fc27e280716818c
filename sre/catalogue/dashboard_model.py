"""A dashboard as data: rows of panels over recorded series. Adding one is adding a file.

An expression names recorded series alone; which pool, replica, host, card or model a viewer chose is put in when it is
compiled, from the labels of each series and the variables of the dashboard.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sre.catalogue.amounts import LabelName, Line, Number, Unit
from sre.explain import LOADED

Draw = Literal[
    "timeseries", "state_timeline", "stat", "table", "heatmap", "text", "firing_alerts", "blind_alerts"
]
Colour = Literal["green", "blue", "yellow", "orange", "red", "purple", "text"]
VariableName = Literal["pool", "replica", "host", "uuid", "model"]

OUTSIDE = re.compile(r"ALERTS(_FOR_STATE)?|up|scrape_\w+|prometheus_\w+")
"""What no rule records and a panel may read all the same: what Prometheus says of itself, its targets and alerts."""

_GRAFANA = re.compile(r"\$__\w+")
_MACRO = re.compile(r"\$[a-z_]+")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _query(value: object) -> object:
    """An expression alone is the short form of ``{expr: ...}``."""
    return {"expr": value} if isinstance(value, str) else value


class Query(_Model):
    """One expression of a panel and how its lines are told from the others."""

    expr: Line = Field(description="what is drawn", examples=["pool:ttft:p50"])
    name: str = Field(default="", description="the word that tells these lines from the panel's others")
    unit: Unit | None = Field(default=None, description="the unit, where the series' own does not hold")
    axis: Literal["left", "right"] = Field(default="left", description="which scale it belongs to")
    usual: bool = Field(default=False, description="drawn dotted: what is usual, to compare with")
    by: tuple[LabelName, ...] = Field(default=(), description="labels of this column beside the table's own")
    hidden: bool = Field(default=False, description="brings its labels into a table, not its value")
    red_from: Number | None = Field(default=None, description="a table's cell is red from this value on")
    red_below: Number | None = Field(default=None, description="a table's cell is red below this value")


class State(_Model):
    """What one value is called and how it is coloured."""

    text: str = Field(description="the word for the value", examples=["Down"])
    colour: Colour = Field(description="its colour", examples=["red"])


class Panel(_Model):
    """One picture. ``place`` is ``file:line``, put in by the loader."""

    place: Annotated[str, LOADED] = ""
    title: Line = Field(description="what is to be seen", examples=["Time to first token"])
    about: Line = Field(
        description="how to read it, at night, for the first time", examples=["One line a pool."]
    )
    draw: Draw = Field(default="timeseries", description="the kind of picture")
    alert: str | None = Field(
        default=None, description="the alert whose series, limit, condition and runbook are shown"
    )
    queries: tuple[Annotated[Query, BeforeValidator(_query)], ...] = Field(
        default=(),
        description="what is drawn; for an alert, what is drawn beside its own series",
        examples=[["pool:ttft:p50"]],
    )
    by: tuple[LabelName, ...] = Field(
        default=(), description="the labels that make one row of a table", examples=[["pool"]]
    )
    unit: Unit | None = Field(default=None, description="the unit, where the series' own does not hold")
    states: dict[int, State] = Field(default_factory=dict, description="words and colours of values")
    red_from: Number | None = Field(default=None, description="a number is red from this value on")
    orange_from: Number | None = Field(default=None, description="a number is orange from this value on")
    no_value: str = Field(default="No data", description="what stands there when there is nothing")
    otherwise: str = Field(default="", description="what is said where this fleet records none of it")
    text: str = Field(default="", description="Markdown of a text panel")
    stack: bool = Field(default=False, description="areas on top of each other: parts of a whole")
    max: Number | None = Field(default=None, description="the upper end of the scale")
    width: int = Field(default=8, ge=1, le=24, description="of 24 columns")
    height: int = Field(default=8, ge=2, le=40, description="in grid units of 30 pixels")


class Row(_Model):
    """A heading and the panels under it, from left to right, then down."""

    title: Line = Field(description="the question that its panels answer", examples=["What users feel"])
    panels: tuple[Panel, ...] = Field(
        min_length=1, description="from left to right", examples=[[{"title": "..."}]]
    )


class Variable(_Model):
    """A choice at the top of a dashboard. Those above it narrow it down."""

    values: str = Field(description="the series whose label values are offered", examples=["pool:fleet:info"])
    absent: bool = Field(
        default=False, description="`All` takes in series without the label, as of free cards"
    )
    first: bool = Field(default=False, description="begins with the fleet file's first pool, not with all")


class Dashboard(_Model):
    """One page."""

    uid: Line = Field(description="its address: /d/<uid>", examples=["llm-pool"])
    title: Line = Field(description="what it is called", examples=["LLM pool"])
    about: Line = Field(description="the question that it answers", examples=["What limits a pool."])
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


def plain(expr: str) -> str:
    """The expression with Grafana's windows and our macros replaced, so that a PromQL parser reads it."""
    return _MACRO.sub("x", _GRAFANA.sub("5m", expr))


def macros(expr: str) -> Iterator[str]:
    """The words that an expression asks for as `$word`, Grafana's own left out."""
    return (found[1:] for found in _MACRO.findall(_GRAFANA.sub("5m", expr)))
