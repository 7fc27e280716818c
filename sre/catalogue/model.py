"""What the catalogue says: signals, recorded series, thresholds and alerts, as frozen models.

An entry is data with a name; adding an alert or an engine is adding an entry, never code.
"""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sre.catalogue.amounts import (
    Entry,
    LabelName,
    Line,
    Number,
    Seconds,
    Text,
    Unit,
)
from sre.catalogue.bindings import Binding
from sre.explain import LOADED, objection
from sre.findings import Finding
from sre.source import show

Severity = Literal["page", "ticket", "info", "none"]
Level = Literal["pool", "replica", "gpu", "host", "model", "fleet"]
Group = Literal["engine", "latency", "gpu", "state", "usage", "meta"]
GROUPS: tuple[str, ...] = get_args(Group)
"""Rule groups, each evaluated in order; a record's is named by its file."""


def _branches(value: object) -> object:
    """One expression or several alternatives: always a tuple."""
    return (value,) if isinstance(value, str) else value


Branches = Annotated[tuple[Line, ...], BeforeValidator(_branches)]
Name = Annotated[str, LOADED]


class Signal(Entry):
    """A measured quantity, independent of who exposes it."""

    name: Name
    type: Literal["gauge", "counter", "histogram"] = Field(
        description="how it counts decides how it is read", examples=["gauge"]
    )
    unit: Unit = Field(
        description="every number that is made from it is shown in its unit", examples=["requests"]
    )
    help: Line = Field(description="says what is measured", examples=["Requests in the running batch"])
    labels: tuple[LabelName, ...] = Field((), description="labels beside those of pool, replica and card")
    lazy: bool = Field(
        False, description="may rightly be absent: born with its first event, or not on every card"
    )
    cards: int = Field(
        1, ge=1, description="fewest cards of a replica that have it: links need two", examples=[2]
    )


class Record(Entry):
    """A recorded series. ``branches`` are PromQL with ``@signal`` and ``$macro``; the first that sees wins."""

    name: Name
    unit: Unit = Field(
        description="sentences and dashboards show the series in its unit", examples=["requests"]
    )
    branches: Branches = Field(
        validation_alias=AliasChoices("expr", "branches"),
        description="what is recorded: one expression, or a list of which the first that sees wins",
        examples=["sum by (pool) (replica:queue_depth:sum)"],
    )
    join: str = Field("or", description="how alternatives are joined", examples=["or on (pool)"])
    per: Literal["card"] | None = Field(
        default=None, description="card: folded to one value a card, with the card's labels beside it"
    )
    by: tuple[LabelName, ...] = Field(default=(), description="labels that are kept beside those of a card")
    seldom: bool = Field(
        default=False, description="recorded every two minutes: dear, and nothing that must be known at once"
    )
    group: Annotated[Group, LOADED] = "engine"


class Threshold(Entry):
    """A promise (``objective``) or an operational limit, in base units, with the reason for its number."""

    name: Name
    unit: Unit = Field(description="the number is shown in its unit", examples=["requests"])
    default: Number | None = Field(
        None, ge=0, description="the number that holds where a fleet writes none of its own", examples=[50]
    )
    derived: Literal["replicas_min", "memory_budget"] | None = Field(
        None, description="what a pool's number follows from, instead of a default"
    )
    objective: bool = Field(False, description="a promise to users, written under `objectives`")
    interactive: bool = Field(False, description="applies to interactive pools only, unless written down")
    unowned: bool = Field(False, description="also holds for cards that belong to no pool")
    fleet: bool = Field(False, description="one number for the whole fleet")
    why: Line = Field(description="whoever changes the number must know what speaks for it", examples=["..."])

    @field_validator("default", mode="before")
    @classmethod
    def _in_its_unit(cls, value: object, info: ValidationInfo) -> object:
        unit, text = info.data.get("unit"), str(value)
        wrong = "ratio" if text.endswith("%") else "seconds" if re.search(r"\d[a-z]{1,2}$", text) else unit
        if unit not in (None, wrong):
            raise objection(f"{show(value)} is no number of {unit}", "write the number alone, like 50")
        return value

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.default is None and self.derived is None:
            raise objection("has no number", "add `default: ...`", "nothing could be compared with it")
        if self.unit == "ratio" and (self.default or 0) > 1:
            raise objection(
                f"a share of {self.default} is more than all",
                "write it like 0.9 or 90%, or give it the unit `factor`",
                "what is compared with it never exceeds 1",
            )
        return self


class Rule(Entry):
    """One rule of an alert; what it leaves out is taken from the alert."""

    severity: Severity = Field(description="who is told, and how soon", examples=["page"])
    branches: Branches = Field(
        validation_alias=AliasChoices("expr", "branches"),
        min_length=1,
        description="the condition: one expression over recorded series, or a list of alternatives",
        examples=["pool:queue_depth:sum > $threshold"],
    )
    join: str = Field("or", description="how alternatives are joined", examples=["or on (uuid, mig)"])
    fixed: dict[LabelName, Text] = Field(
        default_factory=dict,
        validation_alias=AliasChoices("set", "fixed"),
        description="labels that this rule's alerts carry",
    )
    threshold: str | None = Field(None, description="the threshold that `$threshold` stands for")
    unit: Unit | None = Field(None, description="the unit of the rule's value")
    description: str = Field("", description="the sentence of this rule's alerts")
    fault: str = Field("", description="the fault that must fire this rule")


class Alert(Entry):
    """A condition over recorded series, with its text, its reason and the fault that must fire it."""

    name: Name
    level: Level = Field(description="what one alert is about: its labels follow from it", examples=["pool"])
    unit: Unit = Field(description="the sentence shows `{value}` in it", examples=["requests"])
    threshold: str | None = Field(None, description="the threshold that `$threshold` stands for")
    histogram: str | None = Field(None, description="the histogram whose bounds the threshold should lie on")
    labels: tuple[LabelName, ...] = Field(
        (), description="labels that tell its alerts apart, beside the level's"
    )
    causes: int | None = Field(None, ge=0, le=5, description="tier in the chain from cause to consequence")
    for_: Seconds = Field(0, alias="for", description="how long the condition must last", examples=["2m"])
    keep_firing_for: Seconds = Field(0, description="how long it stays after the last sign", examples=["5m"])
    within: Seconds = Field(
        description="longest time from fault to firing at 30 s scrape and evaluation", examples=["5m"]
    )
    shows: str = Field(
        description="the recorded series whose value the alert has and its panel draws",
        examples=["pool:queue_depth:sum"],
    )
    below: bool = Field(False, description="fires below its threshold, not above")
    against: str | None = Field(None, description="what is usual, where the limit is a share of it")
    inhibits_on_card: tuple[str, ...] = Field((), description="alerts of the same card that need not be told")
    rules: tuple[Rule, ...] = Field(
        min_length=1,
        description="without a rule nothing fires",
        examples=[[{"severity": "page", "expr": "pool:queue_depth:sum > $threshold"}]],
    )
    summary: Line = Field(
        description="the first line that is read, the same for every alert of this name",
        examples=["Requests pile up"],
    )
    description: Line = Field(
        description="the sentence that the person on call reads, with the numbers in it",
        examples=['"Pool {pool}: {value} requests wait; the limit is {threshold}."'],
    )
    fault: Line = Field(
        description="an alert is proven by the fault that must fire it", examples=["overload"]
    )
    why: Line = Field(description="an alert that nobody can give a reason for wakes people for nothing")
    group: Annotated[Group, LOADED] = "engine"

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


@dataclass(frozen=True)
class Catalogue:
    """All content, built-in and overlaid, by name; iteration order is the order of the files."""

    signals: dict[str, Signal] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    baselines: dict[str, str] = field(default_factory=dict)
    frozen: dict[str, str] = field(default_factory=dict)
    """Recorded series -> what `sre baseline freeze` calls its value of a calm stretch."""
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
    """Where an entry and everything in it stands (`alerts.NAME`, `alerts.NAME.rules.0.expr` -> `file:line`)."""

    def where(self, *loc: str | int) -> str:
        """`file:line` of an entry or of something in it; of what is nearest around it, where it is left out."""
        for end in range(len(loc), 0, -1):
            if found := self.places.get(".".join(map(str, loc[:end]))):
                return found
        return ".".join(map(str, loc))
