"""The recorded state of a card against the meaning of the states, for evidence of every kind."""

from dataclasses import dataclass
from itertools import product
from random import Random

import pytest
import yaml

from sre.checks.backtest.samples import packed
from sre.checks.backtest.scratch import scratch
from sre.checks.idle.source import STATE, source
from sre.cli.inputs import read_inputs
from sre.compile.planning import make_plan
from sre.idle.windows import windows

FLEET = {
    "version": 1,
    "name": "evidence",
    "scrape_interval": "1m",
    "evaluation_interval": "1m",
    "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
    "burn_in": ["tests"],
    "pools": [
        {"name": "chat", "engine": {"kind": "vllm", "version": "0.32.0"}, "gpus": {"type": "h100", "replicas": 99}},
        {"name": "jobs", "engine": {"kind": "vllm", "version": "0.32.0"}, "interactive": False,
         "gpus": {"type": "h100", "replicas": 99}, "thresholds": {"gpu_utilization_low": 0.4}},
    ],
}  # fmt: skip
START, MINUTES = 1_791_200_400, 65
SENTINEL = 9223372036854775794.0
LIMIT = {"chat": 0.15, "jobs": 0.4, "": 0.15}


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of one card in a minute; None where it is not exposed."""

    gr: float | None = None
    sm: float | None = None
    util: float | None = None
    memory: float | None = None
    power: float | None = None
    model: str = "NVIDIA H100 80GB HBM3"
    pool: str = ""
    traffic: int | None = None
    waiting: int = 0
    holder: str = ""
    namespace: str = "llm"
    shared: bool = False
    mig: str = ""


def meaning(card):  # noqa: C901 - as many cases as the documentation has
    """The state and what tells it, from the words of the documentation."""
    told = [
        v
        for v in (card.sm, card.gr, None if card.mig or card.util is None else card.util / 100)
        if v is not None and v <= 1
    ]
    activity = told[0] if told else None
    memory = None if card.memory in (None, SENTINEL) else card.memory
    traffic = None if card.traffic is None else bool(card.traffic + card.waiting)
    held = bool(card.pool or card.holder)
    if card.namespace == "tests" and card.holder:
        return "excluded", "burn_in"
    if activity is not None and activity >= LIMIT[card.pool]:
        return "busy", "activity"
    if activity is not None and activity >= 0.01:
        return "underused", "activity"
    if traffic:
        return ("underused" if activity is not None else "busy"), "engine"
    large = "H100" in card.model and not card.mig and card.power is not None
    if activity is None and large and card.power > 150:
        return "busy", "power"
    if activity is not None:
        if memory is not None and memory >= 0.02:
            return "loaded_idle", "activity"
        if not held:
            return "unallocated", "activity"
        return ("empty_idle" if memory is not None else "loaded_idle"), "activity"
    if traffic is False and not card.shared:
        return "loaded_idle", "engine"
    if memory is not None and memory < 0.02:
        return ("empty_idle" if held else "unallocated"), "memory"
    return ("loaded_idle", "power") if large and card.power < 100 else ("unknown", "none")


def named():
    """Cases that each have a sentence of their own."""
    return {
        "GPU_UTIL at full tilt is use": Evidence(util=100, memory=0.9, pool="chat", traffic=1),
        "GPU_UTIL on a slice is nothing": Evidence(util=0, mig="1", holder="notebook"),
        "an idle slice with profiling counters": Evidence(gr=0, mig="1", memory=0.9, pool="chat", traffic=0),
        "a batch pool has a target of its own": Evidence(gr=0.3, memory=0.9, pool="jobs", traffic=1),
        "a little of the chip works all of the time": Evidence(
            sm=0.05, gr=0.9, util=100, memory=0.9, pool="chat", traffic=1
        ),
        "requests wait for their first step": Evidence(gr=0, memory=0.9, pool="chat", traffic=0, waiting=2),
        "no telemetry but its temperature": Evidence(holder="notebook"),
        "a sentinel is no activity": Evidence(
            gr=SENTINEL, util=SENTINEL, memory=SENTINEL, pool="chat", traffic=None
        ),
        "another pod beside the engine": Evidence(memory=0.9, pool="chat", traffic=0, shared=True),
        "an L4 draws little when it works": Evidence(power=60, memory=0.9, model="NVIDIA L4", holder="train"),
        "a large card at its floor": Evidence(power=72, memory=0.9, holder="train"),
        "a large card at work": Evidence(power=500, memory=0.9, holder="train"),
        "a card under test works": Evidence(gr=0.9, memory=0.9, holder="burn", namespace="tests"),
    }


def drawn():
    random = Random(7)  # noqa: S311 - chance that can be repeated
    for number, (pool, traffic) in enumerate(product(["chat", "jobs", ""], [None, 0, 1] * 17)):
        yield f"drawn {number}", Evidence(
            gr=random.choice([None, None, 0, 0.004, 0.05, 0.3, 0.9, SENTINEL]),
            sm=random.choice([None, None, None, 0, 0.1, 0.5]),
            util=random.choice([None, 0, 40, 100]),
            memory=random.choice([None, 0.001, 0.5, 0.93, SENTINEL]),
            power=random.choice([None, 70, 130, 400]),
            model=random.choice(["NVIDIA H100 80GB HBM3", "NVIDIA L4"]),
            pool=pool, traffic=traffic if pool else None, holder="" if pool else random.choice(["", "notebook"]),
            shared=bool(pool) and random.random() < 0.2, mig=random.choice(["", "", "", "2"]),
        )  # fmt: skip


CASES = {**named(), **dict(drawn())}
NUMBER = {name: number for number, name in enumerate(CASES)}


def raw(number, card):
    """What the exporter and the engine show of one card."""
    own = {"job": "dcgm", "instance": f"n{number}:9400", "namespace": "gpu-operator", "pod": f"dcgm-{number}",
           "UUID": f"GPU-{number}", "gpu": "0", "modelName": card.model, "Hostname": f"n{number}",
           **({"GPU_I_ID": card.mig} if card.mig else {})}  # fmt: skip
    pod = f"{card.pool}-{number}" if card.pool else card.holder and f"{card.holder}-{number}"
    holder = {"exported_namespace": card.namespace, "exported_pod": pod} if pod else {}
    values = {
        "DCGM_FI_DEV_GPU_TEMP": 45, "DCGM_FI_PROF_GR_ENGINE_ACTIVE": card.gr, "DCGM_FI_PROF_SM_ACTIVE": card.sm,
        "DCGM_FI_DEV_GPU_UTIL": card.util, "DCGM_FI_DEV_POWER_USAGE": card.power,
        "DCGM_FI_DEV_FB_USED": card.memory if card.memory in (None, SENTINEL) else card.memory * 80000,
        "DCGM_FI_DEV_FB_FREE": None if card.memory is None else max(0, (1 - card.memory) * 80000),
    }  # fmt: skip
    for name, value in values.items():
        if value is not None:
            yield {"__name__": name, **own, **holder}, [value] * MINUTES
            if card.shared:
                yield (
                    {"__name__": name, **own, "exported_namespace": "x", "exported_pod": "other"},
                    [value] * MINUTES,
                )
    if card.pool:
        engine = {"job": card.pool, "namespace": "llm", "pod": pod, "instance": f"{pod}:8000"}
        yield {"__name__": "up", **engine}, [float(card.traffic is not None)] * MINUTES
        if card.traffic is not None:
            yield {"__name__": "vllm:num_requests_running", **engine}, [float(card.traffic)] * MINUTES
            yield {"__name__": "vllm:num_requests_waiting", **engine}, [float(card.waiting)] * MINUTES
            for name in ("vllm:generation_tokens_total", "vllm:prompt_tokens_total"):
                yield (
                    {"__name__": name, **engine},
                    [100.0 * card.traffic * minute for minute in range(MINUTES)],
                )


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """(state, evidence) of every case, as the compiled rules record it."""
    path = tmp_path_factory.mktemp("fleet") / "fleet.yaml"
    path.write_text(yaml.safe_dump(FLEET))
    inputs = read_inputs(path)
    plan = make_plan(inputs.fleet, inputs.catalogue, inputs.listed)
    with scratch() as own:
        for name, number in NUMBER.items():
            for labels, values in raw(number, CASES[name]):
                points = ((START + minute * 60) * 1000 for minute in range(MINUTES))
                own.write(labels, [(at, packed(value)) for at, value in zip(points, values, strict=True)])
        own.flush()
        end = START + MINUTES * 60 - 60
        with source(
            plan, own.server, windows(end - 600, end, inputs.fleet.zone), True, lambda *_: None
        ) as found:
            samples = found.server.query(STATE, end - 60)
    return {sample.labels["uuid"]: (sample.labels["state"], sample.labels["evidence"]) for sample in samples}


@pytest.mark.parametrize("name", CASES)
def test_a_state_is_what_the_evidence_means(told, name):
    """Each card is told by the best that it offers, and by nothing where it offers nothing."""
    assert told[f"GPU-{NUMBER[name]}"] == meaning(CASES[name])


def test_nothing_without_evidence_is_idle(told):
    """A card that shows neither activity, engine, telling memory nor power is unknown."""
    silent = [name for name, card in CASES.items() if meaning(card)[0] == "unknown"]
    assert silent
    assert {told[f"GPU-{NUMBER[name]}"][0] for name in silent} == {"unknown"}
