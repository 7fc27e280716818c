"""One pool: replicas of one engine that serve one model on one GPU type."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from sre.explain import objection
from sre.fleet.amounts import Bound, Seconds, Share, Threshold
from sre.fleet.hours import BusinessHours
from sre.fleet.values import MOST, Count, Flag, LabelName, Name, Text, Version, Whole, release
from sre.source import show, suggest

ObjectiveName = Literal["ttft_p95", "itl_p95", "e2e_p99"]
OBJECTIVES: tuple[ObjectiveName, ...] = ("ttft_p95", "itl_p95", "e2e_p99")
"""Promises that an alert watches. One that nothing watches would be kept by nobody."""


def _objective(name: str) -> str:
    if name not in OBJECTIVES:
        raise objection(
            "unknown key",
            suggest(name, OBJECTIVES),
            "no alert watches it, so the promise would be kept by nobody",
        )
    return name


Objective = Annotated[ObjectiveName, BeforeValidator(_objective)]

HISTOGRAMS = (
    "inter_token_latency",
    "iteration_tokens",
    "kv_cache_residency",
    "request_latency",
    "request_num_preemptions",
    "request_params_n",
    "request_tokens",
    "time_to_first_token",
)
"""Keys of vLLM's --custom-histogram-buckets (a configuration field from 0.32.0, a flag from 0.33.0)."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Engine(_Part):
    """The inference server that every replica of a pool runs."""

    kind: Name = Field(description="the engine's name in the catalogue", examples=["vllm"])
    version: Version = Field(
        description="the release that runs: it decides which metrics exist", examples=["0.32.0"]
    )
    histogram_buckets: dict[str, tuple[Bound, ...]] = Field(
        default_factory=dict,
        description="bucket bounds given to --custom-histogram-buckets, under the flag's own keys",
        examples=[{"inter_token_latency": [0.025, 0.05, 0.08, 0.1]}],
    )

    @property
    def release(self) -> tuple[int, int, int]:
        """(major, minor, patch), for version ranges."""
        return release(self.version) or (0, 0, 0)


class Replicas(_Part):
    """How many replicas serve: the same number twice where the pool does not scale."""

    min: Whole = Field(description="the least that always serve: fewer is an outage", examples=[2])
    max: Count = Field(description="the most that the pool scales to", examples=[6])

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """``replicas: 4`` is the short form of ``{min: 4, max: 4}``; what is wrong is told of what was written."""
        if isinstance(value, dict | cls):
            return value
        if type(value) is not int:
            raise objection(f"{show(value)} is no number of replicas", "write it like 2 or {min: 2, max: 6}")
        if not 1 <= value <= MOST:
            raise objection(f"{value} replicas cannot be declared", f"write at least 1 and at most {MOST}")
        return {"min": value, "max": value}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST}, handler(core_schema)]}


class Gpus(_Part):
    """The cards that one pool is given."""

    type: Name = Field(
        description="the card's type in your own words; `capacity` counts by it", examples=["l40s-48gb"]
    )
    per_replica: Count = Field(
        default=1, description="cards that one replica spans (tensor times pipeline parallel)"
    )
    replicas: Replicas = Field(
        description="replicas declared: N, or {min: N, max: M} where the pool scales", examples=[2]
    )
    match: dict[LabelName, Text] = Field(
        default_factory=dict,
        description="labels that pick out this pool's GPU series, where pods or hosts do not join",
        examples=[{"hostname": "gpu-7"}],
        json_schema_extra={"additionalProperties": False},
    )


def _without_default(schema: JsonDict) -> None:
    """The empty text that stands for "the pool's name" is nothing that a person could write."""
    del schema["default"]


class Pool(_Part):
    """What is watched, paged for and billed as one thing."""

    name: Name = Field(description="the value of `pool_label` on the engine's targets", examples=["chat-70b"])
    engine: Engine = Field(
        description="what serves the model", examples=[{"kind": "vllm", "version": "0.32.0"}]
    )
    model: Name = Field(
        default="",
        description="the model's name in reports (default: the pool's name)",
        json_schema_extra=_without_default,
    )
    owner: Name = Field(
        default="platform",
        description="who is paged: the `team` label of the pool's alerts; need not be in `teams`",
    )
    gpus: Gpus | None = Field(default=None, description="the cards: GPU alerts and the idle report need them")
    memory_budget: Share | None = Field(
        default=None, description="the engine's own reservation (vLLM: --gpu-memory-utilization)"
    )
    objectives: dict[Objective, Seconds] = Field(
        default_factory=dict,
        description="promises to users, by latency and quantile; the catalogue's hold where this is silent",
        examples=[{"ttft_p95": "500ms"}],
    )
    thresholds: dict[str, Threshold] = Field(
        default_factory=dict,
        description="operational limits, by signal; the catalogue's hold where this is silent",
        examples=[{"queue_depth": 200}],
    )
    interactive: Flag = Field(
        default=True,
        description="false for batch: business hours and the default latency objectives do not apply",
    )
    business_hours: BusinessHours | None = Field(
        default=None,
        description="this pool's own in the idle report, where they differ; a batch pool without them never rests",
    )
    min_replicas: Whole | None = Field(
        default=None, description="replicas kept for availability: the idle report does not call them waste"
    )

    @model_validator(mode="after")
    def _model_from_name(self) -> Self:
        # The one write to a frozen model, before anybody has seen it: a default that follows another field.
        self.__dict__["model"] = self.model or self.name
        return self

    @property
    def replicas_min(self) -> int:
        """Fewer replicas serving than this is an outage; 1 where nothing is declared."""
        if self.gpus:
            return self.gpus.replicas.min
        return 1 if self.min_replicas is None else self.min_replicas

    @property
    def replicas_max(self) -> int:
        """The most replicas that the pool scales to."""
        return self.gpus.replicas.max if self.gpus else max(1, self.replicas_min)
