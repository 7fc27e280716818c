"""What the catalogue says: signals, recorded series, bindings, thresholds and alerts, as frozen models.

An entry is data with a name; adding an alert or an engine is adding an entry, never code.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from sre.findings import Finding
from sre.units import parse_duration, parse_number, parse_ratio

Severity = Literal["page", "ticket", "info", "none"]
Level = Literal["pool", "replica", "gpu", "host", "model", "fleet"]
Group = Literal["engine", "gpu", "usage", "meta"]
GROUPS: tuple[str, ...] = get_args(Group)
"""Rule groups, each evaluated in order; a record's is named by its file."""


def _branches(value: object) -> object:
    """One expression or several alternatives: always a tuple."""
    return (value,) if isinstance(value, str) else value


def _seconds(value: object) -> object:
    return int(parse_duration(value)) if isinstance(value, str) else value


def _number(value: object) -> object:
    """Base units from `500ms`, `92%`, `0.1` or `50`."""
    text = str(value)
    if text.endswith("%"):
        return parse_ratio(text)
    return parse_duration(text) if re.search(r"[a-z]$", text) else parse_number(text)


Branches = Annotated[tuple[str, ...], BeforeValidator(_branches)]
Seconds = Annotated[int, BeforeValidator(_seconds)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Text = Annotated[
    str, BeforeValidator(lambda value: str(value) if isinstance(value, (int, Decimal)) else value)
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), populate_by_name=True)


class Signal(_Model):
    """A measured quantity, independent of who exposes it."""

    name: str
    type: Literal["gauge", "counter", "histogram"]
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    lazy: bool = Field(
        False, description="may rightly be absent: born with its first event, or not on every card"
    )


class Record(_Model):
    """A recorded series. ``branches`` are PromQL with ``@signal`` and ``$macro``; the first that sees wins."""

    name: str
    unit: str
    branches: Branches = Field(validation_alias=AliasChoices("expr", "branches"))
    join: str = Field("or", description="how alternatives are joined")
    per: Literal["card"] | None = None
    by: tuple[str, ...] = ()
    group: Group = "engine"


class Threshold(_Model):
    """A promise (``objective``) or an operational limit, in base units, with the reason for its number."""

    name: str
    unit: str
    default: Number | None = None
    derived: Literal["replicas_min", "memory_budget"] | None = None
    objective: bool = False
    interactive: bool = Field(False, description="applies to interactive pools only, unless written down")
    unowned: bool = Field(False, description="also holds for cards that belong to no pool")
    fleet: bool = Field(False, description="one number for the whole fleet")
    why: str


class Rule(_Model):
    """One rule of an alert; what it leaves out is taken from the alert."""

    severity: Severity
    branches: Branches = Field(validation_alias=AliasChoices("expr", "branches"))
    join: str = Field("or", description="how alternatives are joined")
    fixed: dict[str, Text] = Field(default_factory=dict, validation_alias=AliasChoices("set", "fixed"))
    threshold: str | None = None
    unit: str | None = None
    description: str = ""
    fault: str = ""


class Alert(_Model):
    """A condition over recorded series, with its text, its reason and the fault that must fire it."""

    name: str
    level: Level
    unit: str
    threshold: str | None = None
    histogram: str | None = Field(None, description="the histogram whose bounds the threshold should lie on")
    labels: tuple[str, ...] = ()
    causes: int | None = Field(None, ge=0, le=5, description="tier in the chain from cause to consequence")
    for_: Seconds = Field(0, alias="for")
    keep_firing_for: Seconds = 0
    within: Seconds = Field(description="longest time from fault to firing at 30 s scrape and evaluation")
    shows: str
    below: bool = False
    against: str | None = None
    inhibits_on_card: tuple[str, ...] = ()
    needs: str | None = None
    rules: tuple[Rule, ...] = Field(min_length=1)
    summary: str
    description: str
    fault: str
    why: str
    group: Group = "engine"

    def model_post_init(self, context: Any) -> None:
        given = {
            "threshold": self.threshold,
            "unit": self.unit,
            "description": self.description,
            "fault": self.fault,
        }
        rules = (
            rule.model_copy(update={k: v for k, v in given.items() if not getattr(rule, k)})
            for rule in self.rules
        )
        # Frozen: what a rule leaves out is filled in once, here.
        self.__dict__["rules"] = tuple(rules)


class Note(_Model):
    since: Text
    text: str


class MetricSource(_Model):
    """One raw metric behind a signal: ``since`` is the first release with it, ``until`` the first without."""

    metric: str
    since: Text = "0"
    until: Text | None = None
    matchers: str = ""
    scale: Text | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    image: Text | None = Field(None, description="release from which the exporter's image has it on")
    chart: Text | None = Field(None, description="release from which the Helm chart has it on")
    csv: str | None = Field(None, description="rest of the counters line that switches it on")
    note: Note | None = None


class Bounds(_Model):
    since: Text
    le: tuple[Decimal, ...]


class MemoryBudget(_Model):
    """The share of a card that the engine reserves when nobody says otherwise, from one release on."""

    since: Text
    default: Number


class Mark(_Model):
    """Something that tells which release is running, though no signal is read from it: a metric or a label.

    ``list`` names the counter list that has the metric on by default, where the exporter ships several.
    """

    metric: str = ""
    label: str = ""
    since: Text = "0"
    until: Text | None = None
    list: Literal["image", "chart"] | None = None


class Versions(_Model):
    oldest: Text
    newest: Text


class Binding(_Model):
    """How one engine, GPU exporter or usage exporter exposes the signals."""

    kind: str
    identify: str
    versions: Versions
    rank: tuple[str, ...] = ("instance",)
    labels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    signals: dict[str, tuple[MetricSource, ...]]
    bounds: dict[str, tuple[Bounds, ...]] = Field(default_factory=dict)
    move_bound: tuple[Note, ...] = ()
    bound_keys: dict[str, str] = Field(default_factory=dict)
    memory_budget: tuple[MemoryBudget, ...] = ()
    born_at_start: Text = Field(
        "0", description="release from which counters and histograms exist before their first event"
    )
    memory_budget_label: str = Field("", description="label of `identify` that holds the share in use")
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """All content, built-in and overlaid, by name; iteration order is the order of the files."""

    signals: dict[str, Signal] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    baselines: dict[str, str] = field(default_factory=dict)
    thresholds: dict[str, Threshold] = field(default_factory=dict)
    constants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    engines: dict[str, Binding] = field(default_factory=dict)
    gpus: dict[str, Binding] = field(default_factory=dict)
    usage: dict[str, Binding] = field(default_factory=dict)
    runbooks: dict[str, Any] = field(default_factory=dict)
    dashboards: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()
    places: dict[str, str] = field(default_factory=dict)
    """Where an entry stands (`alerts.NAME` -> `file:line`), for findings about content."""
