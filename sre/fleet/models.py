"""What a fleet file says, as frozen models: loader, JSON Schema and error texts all come from here.

Each field's description is shown by editors and, as the reason, in findings about that field.
"""

import re
import unicodedata
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from sre.fleet.amounts import Interval
from sre.fleet.hours import BusinessHours, Zone, zone_info
from sre.fleet.pool import Pool
from sre.fleet.values import FilePath, Flag, LabelName, Name, Text, Url, Version, Whole


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GpuExporter(_Part):
    """What exposes the cards' metrics."""

    kind: Name = Field(description="the exporter's name in the catalogue", examples=["dcgm"])
    version: Version = Field(
        description="its release: labels and metric names differ between them", examples=["4.8.2"]
    )
    honor_labels: Flag = Field(
        default=False, description="the scrape job's own setting: is the label called pod or exported_pod"
    )
    counters: Text = Field(
        default="image",
        description="the counter list in use: image, chart, or a CSV's path, from this file's folder",
        examples=["image", "chart", "./counters.csv"],
    )


class UsageExporter(_Part):
    """Our own exporter, which counts usage by team."""

    job: Name = Field(description="the job label of its target", examples=["sre-exporter"])


class Team(_Part):
    """A team that pays: the only names that become values of usage labels."""

    name: Name = Field(description="the team's name in usage records and bills", examples=["search"])
    contact: Text | None = Field(
        default=None, description="where the team is reached", examples=["#search-oncall"]
    )


class Fleet(_Part):
    """Everything that is compiled for one fleet."""

    version: Literal[1] = Field(description="the version of this format", examples=[1])
    name: Name = Field(description="the fleet's name in titles and reports", examples=["prod-eu"])
    timezone: Zone = Field(
        default="UTC", description="IANA name: business hours, reports and billing months follow it"
    )
    business_hours: BusinessHours = Field(
        default=BusinessHours(), description="when people use the fleet: idle cards outside are no news"
    )
    holidays: FilePath | None = Field(
        default=None,
        description="an iCalendar file of days without business hours, from this file's folder",
        examples=["./holidays.ics"],
    )
    pool_label: LabelName = Field(
        default="job", description="the target label whose value is the pool's name", examples=["job"]
    )
    identity: Literal["kubernetes", "host"] = Field(
        default="kubernetes",
        description="what the series of an engine and of its cards share: namespace and pod, or the host",
    )
    gpu_exporter: GpuExporter | None = Field(default=None, description="without it, GPU alerts are blind")
    usage_exporter: UsageExporter | None = Field(
        default=None, description="without it, alerts on usage are blind"
    )
    catalogue: FilePath | None = Field(
        default=None, description="a folder of your own content over the built-in, from this file's folder"
    )
    receivers: FilePath | None = Field(
        default=None, description="your Alertmanager receivers, from this file's folder; without it, stubs"
    )
    capacity: dict[Name, Whole] = Field(
        default_factory=dict,
        description="cards that exist, by type: those that no pool declares are unallocated",
        examples=[{"h100-sxm-80gb": 16}],
    )
    burn_in: tuple[Name, ...] = Field(
        default=("cw-hpc-verification",),
        min_length=1,
        description="namespaces in which cards are tested before they are given out: never called idle",
    )
    runbook_base_url: Url | None = Field(
        default=None, description="an alert's runbook_url is this, a slash and the alert's name"
    )
    grafana_base_url: Url | None = Field(default=None, description="where the dashboard links of alerts lead")
    pools: tuple[Pool, ...] = Field(
        min_length=1,
        description="what is watched",
        examples=[[{"name": "chat-70b", "engine": {"kind": "vllm", "version": "0.32.0"}}]],
    )
    teams: tuple[Team, ...] = Field(
        default=(), description="the roster of teams that pay", examples=[[{"name": "search"}]]
    )
    scrape_interval: Interval = Field(
        default=Decimal(30),
        description="how often engines and cards are scraped",
        json_schema_extra={"default": "30s"},
    )
    evaluation_interval: Interval = Field(
        default=Decimal(30),
        description="how often the rules are evaluated",
        json_schema_extra={"default": "30s"},
    )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone's rules, from the pinned tzdata package."""
        return zone_info(self.timezone)


def file_name(text: str) -> str:
    """A name as part of a file name, the same whether or not a file system tells case apart.

    Different names can give the same text; ``sre.fleet.load`` refuses pools that do.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    kept = re.sub(r"[^\w.]+", "-", folded).strip("-.")
    # File systems count bytes: 255, with room for an extension.
    return kept.encode()[:200].decode(errors="ignore") or "unnamed"
