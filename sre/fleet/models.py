"""What a fleet file says, as frozen models: the loader, the JSON Schema and the error texts all come from here.

Each field's description is shown by editors and, as the reason, in findings about that field.
"""

import re
import unicodedata
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sre.fleet.values import (
    Bound,
    Clock,
    Count,
    Day,
    FilePath,
    Flag,
    LabelName,
    Name,
    Seconds,
    Share,
    Text,
    Threshold,
    Url,
    Version,
    Whole,
    Zone,
    release,
    zone_info,
)

OBJECTIVES = ("ttft_p95", "itl_p95", "e2e_p99")
"""Promises that an alert watches. One that nothing watches would be a promise kept by nobody."""

HISTOGRAMS = (
    "inter_token_latency", "iteration_tokens", "kv_cache_residency", "request_latency",
    "request_num_preemptions", "request_params_n", "request_tokens", "time_to_first_token",
)  # fmt: skip
"""Keys of vLLM's --custom-histogram-buckets: https://docs.vllm.ai (ObservabilityConfig), from 0.32.0."""

Objective = Literal["ttft_p95", "itl_p95", "e2e_p99"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Engine(_Model):
    """The inference server that every replica of a pool runs."""

    kind: Name = Field(description="the engine's name in the catalogue", examples=["vllm"])
    version: Version = Field(
        description="the release that runs: it decides which metrics exist", examples=["0.32.0"]
    )
    histogram_buckets: dict[str, tuple[Bound, ...]] = Field(
        default_factory=dict,
        description="bucket bounds set with --custom-histogram-buckets, by the flag's own keys, in seconds",
        examples=[{"inter_token_latency": [0.025, 0.05, 0.08, 0.1]}],
    )

    @property
    def release(self) -> tuple[int, int, int]:
        """(major, minor, patch), for version ranges."""
        return release(self.version) or (0, 0, 0)


class Replicas(_Model):
    """How many replicas serve: the same number twice where the pool does not scale."""

    min: Whole = Field(description="the least that always serve: fewer is an outage", examples=[2])
    max: Count = Field(description="the most that the pool scales to", examples=[6])


def _span(value: object) -> object:
    """``replicas: 4`` is the short form of ``{min: 4, max: 4}``."""
    return {"min": value, "max": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Gpus(_Model):
    """The cards that one pool is given."""

    type: Name = Field(
        description="the card, in the team's own words; `capacity` counts by it", examples=["l40s-48gb"]
    )
    per_replica: Count = Field(
        default=1, description="cards that one replica spans (tensor x pipeline parallel)"
    )
    replicas: Annotated[Replicas, BeforeValidator(_span)] = Field(
        description="replicas declared: N, or {min: N, max: M} where the pool scales", examples=[2]
    )
    match: dict[LabelName, Text] = Field(
        default_factory=dict,
        description="labels of the GPU series that are this pool's, where pods or hosts do not join",
        examples=[{"hostname": "gpu-7"}],
    )


class Pool(_Model):
    """Replicas of one engine that serve one model on one GPU type."""

    name: Name = Field(
        description="the value of the pool label on the engine's targets", examples=["chat-70b"]
    )
    engine: Engine = Field(
        description="what serves the model", examples=[{"kind": "vllm", "version": "0.32.0"}]
    )
    model: Name = Field(default="", description="the model's name in reports (default: the pool's name)")
    owner: Name = Field(default="platform", description="who is paged: the `team` label of the pool's alerts")
    gpus: Gpus | None = Field(
        default=None, description="the cards: GPU alerts and the idle report count them"
    )
    memory_budget: Share | None = Field(
        default=None,
        description="the engine's own reservation (vLLM: --gpu-memory-utilization)",
        examples=[0.90],
    )
    objectives: dict[Objective, Seconds] = Field(
        default_factory=dict,
        description="promises to users, by latency quantile",
        examples=[{"ttft_p95": "500ms"}],
    )
    thresholds: dict[str, Threshold] = Field(
        default_factory=dict,
        description="operational limits; the catalogue's defaults hold where this is silent",
        examples=[{"queue_depth": 200}],
    )
    interactive: Flag = Field(
        default=True,
        description="false for batch: business hours and default latency objectives do not apply",
    )
    min_replicas: Whole | None = Field(
        default=None, description="replicas kept for availability: the idle report does not call them waste"
    )

    def model_post_init(self, context: object) -> None:
        if not self.model:
            # The one write to a frozen model: a default that depends on another field.
            self.__dict__["model"] = self.name

    @property
    def replicas_min(self) -> int:
        """Fewer serving replicas than this is an outage; 1 where nothing is declared."""
        if self.gpus:
            return self.gpus.replicas.min
        return 1 if self.min_replicas is None else self.min_replicas

    @property
    def replicas_max(self) -> int:
        return self.gpus.replicas.max if self.gpus else max(1, self.replicas_min)


class BusinessHours(_Model):
    """When people are expected to use the fleet, in the fleet's time zone."""

    days: tuple[Weekday, ...] = Field(default=WEEK[:5], min_length=1, description="working days")
    start: Clock = Field(default="08:00", description="first minute that counts", examples=["08:00"])
    end: Clock = Field(default="18:00", description="first minute that no longer counts", examples=["18:00"])
    holidays: tuple[Day, ...] = Field(
        default=(), description="dates without business hours, in local time", examples=[["2026-12-25"]]
    )

    @property
    def start_minute(self) -> int:
        """Minutes after local midnight."""
        return _minutes(self.start)

    @property
    def end_minute(self) -> int:
        """Minutes after local midnight, 1440 for 24:00."""
        return _minutes(self.end)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


class GpuExporter(_Model):
    """What exposes the cards' metrics."""

    kind: Name = Field(description="the exporter's name in the catalogue", examples=["dcgm"])
    version: Version = Field(
        description="its release: labels and names differ between them", examples=["4.8.2"]
    )
    honor_labels: Flag = Field(
        default=False, description="the scrape job's honor_labels: whether pod is called pod or exported_pod"
    )
    counters: Text = Field(
        default="image",
        description="the counter list in use: image, chart, or the path of a CSV beside this file",
        examples=["image", "chart", "./counters.csv"],
    )


class UsageExporter(_Model):
    """Our own exporter, which counts usage by team."""

    job: Name = Field(description="the job label of its target", examples=["sre-exporter"])


class Team(_Model):
    """A team that pays: the only names that become values of usage labels."""

    name: Name = Field(description="the team's name in usage records and bills", examples=["search"])
    contact: Text | None = Field(default=None, description="where to reach it", examples=["#search-oncall"])


class Fleet(_Model):
    """Everything that is compiled for one fleet."""

    version: Literal[1] = Field(description="the version of this format", examples=[1])
    name: Name = Field(description="the fleet's name in titles and reports", examples=["prod-eu"])
    timezone: Zone = Field(default="UTC", description="IANA name: business hours, reports and billing months")
    business_hours: BusinessHours = Field(
        default=BusinessHours(), description="when idle cards are worth a word"
    )
    pool_label: LabelName = Field(
        default="job", description="the target label whose value is the pool's name"
    )
    identity: Literal["kubernetes", "host"] = Field(
        default="kubernetes",
        description="what an engine's and its card's series share: namespace and pod, or the host",
    )
    gpu_exporter: GpuExporter | None = Field(default=None, description="without it, GPU alerts are blind")
    usage_exporter: UsageExporter | None = Field(
        default=None, description="without it, usage alerts are blind"
    )
    catalogue: FilePath | None = Field(
        default=None, description="a folder of your own content over the built-in one"
    )
    receivers: FilePath | None = Field(
        default=None, description="your Alertmanager receivers; without it, stubs"
    )
    capacity: dict[Name, Whole] = Field(
        default_factory=dict,
        description="cards that exist, by type: those that no pool declares are unallocated",
    )
    runbook_base_url: Url | None = Field(
        default=None, description="runbook_url is this, a slash and the alert's name"
    )
    grafana_base_url: Url | None = Field(default=None, description="where dashboard links of alerts lead")
    pools: tuple[Pool, ...] = Field(min_length=1, description="what is watched")
    teams: tuple[Team, ...] = Field(default=(), description="the roster of teams that pay")
    scrape_interval: Seconds = Field(
        default=Decimal(30), description="how often engines and cards are scraped"
    )
    evaluation_interval: Seconds = Field(default=Decimal(30), description="how often rules are evaluated")

    @property
    def zone(self) -> ZoneInfo:
        """The time zone's rules, from the pinned tzdata package."""
        return zone_info(self.timezone)


def file_name(text: str) -> str:
    """A name as part of a file name: the same on file systems that fold case and on those that do not.

    Different names can give the same text; ``sre.fleet.load`` refuses pools that do.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    kept = re.sub(r"[^\w.]+", "-", folded).strip("-.")
    return kept[:60] or "unnamed"
