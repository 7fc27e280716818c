"""What a Prometheus API answers, as types.

Parsing raises ``ValueError``, ``KeyError``, ``TypeError`` or ``AttributeError``, nothing else.
Times are seconds since the epoch, values are floats as Prometheus computes them, durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sre.units import parse_duration

Labels = Mapping[str, str]
Point = tuple[float, float]
"""(time, value)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant answer. ``labels`` holds ``__name__`` where the series has a name."""

    labels: Labels
    time: float
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a range answer, oldest point first."""

    labels: Labels
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """An active scrape target.

    ``labels`` are those that its series carry, ``discovered`` those before relabelling.
    """

    labels: Labels
    discovered: Labels
    pool: str
    health: str
    error: str
    interval: float | None


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A rule as the server evaluates it; ``for_seconds`` is 0 for a recording rule."""

    kind: Literal["alerting", "recording"]
    name: str
    query: str
    labels: Labels
    annotations: Labels
    for_seconds: float
    health: str
    error: str


@dataclass(frozen=True, slots=True)
class LoadedGroup:
    """A rule group as the server holds it."""

    name: str
    file: str
    interval: float
    rules: tuple[LoadedRule, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a target says about one of its metrics."""

    type: str
    help: str
    unit: str


def samples(data: Any) -> tuple[Sample, ...]:
    """The answer of an instant query; native histograms have no single value and are left out."""
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        return (Sample({}, *_point(result)),) if kind == "scalar" else ()
    if kind != "vector":
        raise ValueError(f"an instant query gave a {kind}")
    return tuple(Sample(_labels(one["metric"]), *_point(one["value"])) for one in result if "value" in one)


def series(data: Any) -> tuple[Series, ...]:
    """The answer of a range query; native histograms are left out."""
    if data["resultType"] != "matrix":
        raise ValueError(f"a range query gave a {data['resultType']}")
    return tuple(
        Series(_labels(one["metric"]), tuple(_point(point) for point in one["values"]))
        for one in data["result"]
        if "values" in one
    )


def label_sets(data: Any) -> tuple[Labels, ...]:
    """The answer of ``series``."""
    return tuple(_labels(one) for one in _list(data))


def names(data: Any) -> tuple[str, ...]:
    """The answer of ``label/NAME/values``, sorted."""
    return tuple(sorted(_text(one) for one in _list(data)))


def metadata(data: Any) -> dict[str, tuple[Metadata, ...]]:
    """The answer of ``metadata``: targets may disagree about a metric."""
    return {
        _text(name): tuple(
            Metadata(one["type"], one.get("help", ""), one.get("unit", "")) for one in _list(entries)
        )
        for name, entries in data.items()
    }


def targets(data: Any) -> tuple[Target, ...]:
    """The active part of the answer of ``targets``."""
    return tuple(_target(one) for one in _list(data["activeTargets"]))


def groups(data: Any) -> tuple[LoadedGroup, ...]:
    """The answer of ``rules``."""
    return tuple(
        LoadedGroup(
            _text(one["name"]),
            _text(one.get("file", "")),
            float(one.get("interval", 0)),
            tuple(_rule(rule) for rule in _list(one["rules"])),
        )
        for one in _list(data["groups"] or [])
    )


def build(data: Any) -> dict[str, str]:
    """The answer of ``status/buildinfo``."""
    return dict(_labels(data))


def _target(one: Any) -> Target:
    # VictoriaMetrics leaves the interval out.
    interval = one.get("scrapeInterval")
    return Target(
        _labels(one["labels"]),
        _labels(one.get("discoveredLabels") or {}),
        _text(one.get("scrapePool", "")),
        _text(one["health"]),
        _text(one.get("lastError", "")),
        float(parse_duration(interval)) if interval else None,
    )


def _rule(one: Any) -> LoadedRule:
    # vmalert calls the two kinds by other names in its own API, but not in this one.
    kind: Literal["alerting", "recording"] = "alerting" if one["type"] == "alerting" else "recording"
    return LoadedRule(
        kind,
        _text(one["name"]),
        _text(one["query"]),
        _labels(one.get("labels") or {}),
        _labels(one.get("annotations") or {}),
        float(one.get("duration", 0)),
        _text(one.get("health", "")),
        _text(one.get("lastError", "")),
    )


def _point(pair: Any) -> Point:
    time, value = pair
    # float() reads the server's spellings too: NaN, +Inf, -Inf.
    return float(time), float(value)


def _labels(data: Any) -> dict[str, str]:
    if not isinstance(data, dict):
        raise TypeError("labels are not a mapping")
    return {_text(name): _text(value) for name, value in data.items()}


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError("not a list")
    return data


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
