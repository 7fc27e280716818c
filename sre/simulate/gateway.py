"""What the gateway's exporter shows of a simulated pool: what engines did as records tell it, and its own health."""

from collections.abc import Iterator

from sre.simulate.engine import Engine
from sre.simulate.replica import Key, grain
from sre.simulate.samples import Run, Samples
from sre.simulate.story import Stretch

_AGE = 5.0
"""Seconds: a gateway hands its records over that often."""
_ROUTE = ("route", "/ingest/gateway")
_ENDS = ("stop", "length", "abort")

USUAL = {"record_age": _AGE, "unrecorded": 0.0, "strangers": 0.0}
"""Healthy inputs; the healthy share of recorded tokens follows from its threshold."""


def run_gateway(
    stretches: tuple[Stretch, ...], engines: tuple[Engine, ...], interval: int
) -> dict[Key, Samples]:
    """Tokens, requests and errors, summed over the replicas, and how the records come in."""
    every = tuple(("responses", (("status", status),)) for status in ("2xx", "4xx", "5xx"))
    counted: dict[Key, tuple[Key, ...]] = {
        ("usage_tokens", (("class", "output"),)): (("generation_tokens", ()),),
        ("usage_tokens", (("class", "input"),)): (("prompt_tokens", ()),),
        ("usage_requests", (("outcome", "ok"),)): every[:1],
        ("usage_requests", (("outcome", "error"),)): every[1:],
        ("usage_errors", (("error_type", "server_error"),)): every[2:],
        ("usage_errors", (("error_type", "invalid_input"),)): every[1:2],
        **{
            ("usage_finishes", (("reason", reason),)): (("finishes", (("reason", reason),)),)
            for reason in _ENDS
        },
        **{
            ("usage_records", (("result", result), _ROUTE)): every
            for result in ("ok", "invalid", "duplicate")
        },
        **{("usage_overflow", (("label", label),)): every for label in ("team", "model")},
    }
    found = {
        key: _summed(key, [engine.signals[k] for engine in engines for k in origin], stretches)
        for key, origin in counted.items()
    }
    return {**found, ("usage_lag", (_ROUTE,)): Samples.joined(_lag(stretches, interval))}


def _summed(key: Key, origins: list[Samples], stretches: tuple[Stretch, ...]) -> Samples:
    """One counter over several, as far as records arrive."""
    runs, at, total, previous = [], 0, 1000.0, [0.0] * len(origins)
    for stretch in stretches:
        share = _share(key, stretch)
        for index in range(at, at + stretch.count):
            growth = 0.0
            for number, origin in enumerate(origins):
                value = origin.at(index)
                if value is not None:
                    growth += max(0.0, value - previous[number]) if index else 0.0
                    previous[number] = value
            total += grain(growth * share)
            runs.append(
                Run(1, total) if _shown(key[0], stretch) else Run(1, None, stretch.inputs["unscraped"])
            )
        at += stretch.count
    return Samples.joined(runs)


def _share(key: Key, stretch: Stretch) -> float:
    """How much of what the engines did a counter shows."""
    signal, labels = key
    if stretch.inputs["unrecorded"] or dict(labels).get("result") in ("invalid", "duplicate"):
        return 0.0
    if signal == "usage_overflow":
        return stretch.inputs["strangers"] if ("label", "team") in labels else 0.0
    return stretch.inputs["recorded"] if signal == "usage_tokens" else 1.0


def _lag(stretches: tuple[Stretch, ...], interval: int) -> Iterator[Run]:
    """The age of the newest record: it grows while none arrives."""
    age = _AGE
    for stretch in stretches:
        step = float(interval) if stretch.inputs["unrecorded"] else 0.0
        first = age + step if step else stretch.inputs["record_age"]
        age = first + step * (stretch.count - 1)
        shown = _shown("usage_lag", stretch)
        yield (
            Run(stretch.count, first, step)
            if shown
            else Run(stretch.count, None, stretch.inputs["unscraped"])
        )


def _shown(signal: str, stretch: Stretch) -> bool:
    return not (stretch.inputs["unscraped"] or stretch.inputs.get("asleep") or signal in stretch.hidden)
