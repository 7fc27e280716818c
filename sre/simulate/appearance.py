"""What exporters and engines show of cards whose state is known."""

from collections.abc import Iterator
from random import Random

from sre.simulate.cast import BUSY, EMPTY, FREE, UNDERUSED, Card, Replica, Value
from sre.simulate.courses import drawn

Shown = tuple[dict[str, str], list[Value]]
"""One series: its labels, and a value for each minute."""

SENTINEL = 9223372036854775794.0
"""What old exporters print for "no value"."""
_CARD_MIB, _IDLE_WATTS, _BUSY_WATTS = 81559.0, 72.0, 640.0
_WEIGHTS = 0.9
"""Share of its memory that an engine takes, whatever it does."""


def of_card(card: Card, holder: Replica | None, seed: int) -> Iterator[Shown]:
    """Every series of each of its exporters; ``holder`` is the engine whose pods have it."""
    there = [state not in ("silent", "gone") for state in card.shown]
    for name, values in _values(card, seed).items():
        samples = [value if seen else None for value, seen in zip(values, there, strict=True)]
        if name == "DCGM_FI_DEV_FB_USED":
            samples = [
                SENTINEL if value is not None and minute % 977 == 5 else value
                for minute, value in enumerate(samples)
            ]
        for copy in range(card.copies):
            for labels, span in _labels(card, copy, holder):
                yield {"__name__": name, **labels}, _within(samples, span)


def _values(card: Card, seed: int) -> dict[str, list[float]]:
    random = drawn(seed, card.uuid, card.mig)
    activity = [_activity(state, random) for state in card.shown]
    memory = [{EMPTY: 0.006, FREE: 0.001}.get(state, _WEIGHTS) for state in card.shown]
    values = {
        "DCGM_FI_DEV_GPU_TEMP": [40 + 30 * value for value in activity],
        "DCGM_FI_DEV_FB_USED": [value * _CARD_MIB for value in memory],
        "DCGM_FI_DEV_FB_FREE": [(1 - value) * _CARD_MIB for value in memory],
        "DCGM_FI_DEV_POWER_USAGE": [_IDLE_WATTS + (_BUSY_WATTS - _IDLE_WATTS) * value for value in activity],
    }
    if card.measured and card.profiled:
        values["DCGM_FI_PROF_GR_ENGINE_ACTIVE"] = activity
    if card.measured and not card.mig:
        # A kernel was resident: of a little work it makes much.
        values["DCGM_FI_DEV_GPU_UTIL"] = [
            float(round(100 * min(1.0, value * (1 if value < 0.15 else 1.4)))) for value in activity
        ]
    return values


def _activity(state: str, random: Random) -> float:
    if state == BUSY:
        return random.uniform(0.25, 0.95)
    return random.uniform(0.03, 0.12) if state == UNDERUSED else 0.0


def _labels(card: Card, copy: int, holder: Replica | None) -> Iterator[tuple[dict[str, str], range]]:
    """Of each series of one metric, and the minutes in which it is there."""
    always = range(len(card.shown))
    own = {
        "job": "dcgm", "instance": f"10.1.{copy}.{card.node}:9400", "namespace": "gpu-operator",
        "pod": f"dcgm-{copy}-{card.node}", "UUID": card.uuid, "gpu": "0", "modelName": card.model,
        "Hostname": f"node-{card.node}",
    }  # fmt: skip
    own |= {"GPU_I_ID": card.mig, "GPU_I_PROFILE": "3g.40gb"} if card.mig else {}
    if card.shared:
        yield own, always
        yield {**own, "exported_namespace": "research", "exported_pod": "notebook-9"}, always
    if copy or not card.replica:
        yield own, always
        return
    for pod, span in holder.pods() if holder else [(card.replica, always)]:
        yield {**own, "exported_namespace": card.namespace, "exported_pod": pod}, span


def of_engine(replica: Replica) -> Iterator[Shown]:
    """Every series of each of its pods."""
    answered = [bool(up) for up in replica.up]
    gauges: dict[str, list[Value]] = {
        "vllm:num_requests_running": [
            float(3 * busy) if up else None for busy, up in zip(replica.traffic, answered, strict=True)
        ],
        "vllm:num_requests_waiting": [0.0 if up else None for up in answered],
        "vllm:generation_tokens_total": list(_counter(replica, answered, 4000.0)),
        "vllm:prompt_tokens_total": list(_counter(replica, answered, 9000.0)),
    }
    for pod, span in replica.pods():
        own = {"job": replica.pool, "namespace": "llm", "pod": pod, "instance": f"{pod}:8000"}
        yield {"__name__": "up", **own}, _within(replica.up, span)
        for name, values in gauges.items():
            yield (
                {"__name__": name, **own, "engine": "0", "model_name": replica.pool},
                _within(values, span),
            )


def _counter(replica: Replica, answered: list[bool], pace: float) -> Iterator[Value]:
    """From 0 again whenever the engine is started anew."""
    total = 0.0
    for up, busy in zip(answered, replica.traffic, strict=True):
        total = total + pace * busy if up else 0.0
        yield total if up else None


def _within(values: list[Value], span: range) -> list[Value]:
    """The same, with nothing outside of these minutes."""
    return [None] * span.start + values[span.start : span.stop] + [None] * (len(values) - span.stop)
