"""How an engine, a GPU exporter or a usage exporter exposes the signals, release by release: one frozen model each."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sre.catalogue.amounts import Entry, LabelName, Line, Matchers, Metric, Number, Release, Scale
from sre.explain import objection

Labels = dict[LabelName, LabelName]


def _rising(values: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    if values[0] <= 0 or list(values) != sorted(set(values)):
        raise objection(
            "the bounds do not rise from above 0",
            "write them as the engine prints them, from the least to the last before +Inf",
        )
    return values


class Note(Entry):
    """What changed with one release."""

    since: Release = Field(description="the release that it begins with", examples=['"0.33.0"'])
    text: Line = Field(description="what there is to know")


class MetricSource(Entry):
    """One raw metric behind a signal: ``since`` is the first release with it, ``until`` the first without."""

    metric: Metric = Field(description="the name as it is exposed", examples=["vllm:num_requests_running"])
    since: Release = Field("0", description="first release that has it")
    until: Release | None = Field(None, description="first release without it")
    matchers: Matchers = Field("", description="which of its series are meant")
    scale: Scale | None = Field(None, description="what makes the signal's unit of the metric's")
    labels: Labels = Field(default_factory=dict, description="label of the signal -> label of the metric")
    image: Release | None = Field(None, description="release from which the exporter's image has it on")
    chart: Release | None = Field(None, description="release from which the Helm chart has it on")
    csv: str | None = Field(None, description="rest of the counters line that switches it on")
    counter_until: Release | None = Field(
        None,
        description="first release whose own list calls it a gauge, after others that called it a counter",
    )
    note: Note | None = Field(None, description="what a release changed about it")


class Bounds(Entry):
    """Upper bounds of a histogram's buckets, from one release on."""

    since: Release = Field(description="the release that they begin with", examples=['"0.8.4"'])
    le: Annotated[tuple[Decimal, ...], Field(min_length=1), AfterValidator(_rising)] = Field(
        description="without them nobody knows how exact a quantile is", examples=[[0.1, 0.5, 1]]
    )


class MemoryBudget(Entry):
    """The share of a card that the engine reserves when nobody says otherwise, from one release on."""

    since: Release = Field(description="the release that it begins with", examples=['"0.20.0"'])
    default: Number = Field(gt=0, le=1, description="share of a card's memory", examples=["92%"])


class Mark(Entry):
    """Something that tells which release is running, though no signal is read from it: a metric or a label.

    ``list`` names the counter list that has the metric on by default, where the exporter ships several. ``by``,
    ``splits`` and ``ranked`` say what the metric looks like on a page.
    """

    metric: str = Field("", description="the metric that tells")
    label: str = Field("", description="the label that tells")
    since: Release = Field("0", description="first release that has it")
    until: Release | None = Field(None, description="first release without it")
    list: Literal["image", "chart"] | None = Field(None, description="the counter list that has it on")
    by: dict[LabelName, tuple[Line, ...]] = Field(
        default_factory=dict,
        description="a label of the metric and its values",
        examples=[{"reason": ["capacity", "deferred"]}],
    )
    splits: str = Field(
        "", description="the signal that its series come to together; all of it stands in the first value"
    )
    ranked: bool = Field(True, description="false: it does not tell the engines of a replica apart")


class Versions(Entry):
    """The releases that were looked at."""

    oldest: Release = Field(description="the first release that was looked at", examples=['"0.6.0"'])
    newest: Release = Field(description="the last release that was looked at", examples=['"0.33.0"'])


class Binding(Entry):
    """How one engine, GPU exporter or usage exporter exposes the signals."""

    kind: Line = Field(description="what a fleet file calls it", examples=["vllm"])
    identify: Metric = Field(
        description="a metric that nothing else exposes tells who answers",
        examples=["vllm:cache_config_info"],
    )
    versions: Versions = Field(
        description="metrics change their names from release to release",
        examples=[{"oldest": "0.6.0", "newest": "0.33.0"}],
    )
    rank: tuple[LabelName, ...] = Field(
        ("instance",), description="labels that tell engines of a replica apart"
    )
    labels: dict[str, tuple[LabelName, ...]] = Field(
        default_factory=dict, description="our label -> what releases have called it"
    )
    signals: dict[str, Annotated[tuple[MetricSource, ...], Field(min_length=1)]] = Field(
        description="without a metric behind them its alerts are blind",
        examples=[{"running": [{"metric": "vllm:num_requests_running"}]}],
    )
    bounds: dict[str, tuple[Bounds, ...]] = Field(
        default_factory=dict, description="buckets of the histograms, newest release first"
    )
    move_bound: tuple[Note, ...] = Field((), description="how a user moves a bound onto an objective")
    bound_keys: dict[str, str] = Field(
        default_factory=dict, description="histogram -> what the engine's flag calls it"
    )
    memory_budget: tuple[MemoryBudget, ...] = Field((), description="reserved share of a card, by release")
    born_at_start: Release = Field(
        "0", description="release from which counters and histograms exist before their first event"
    )
    memory_budget_label: str = Field("", description="label of `identify` that holds the share in use")
    marks: tuple[Mark, ...] = Field((), description="what else tells the release")
