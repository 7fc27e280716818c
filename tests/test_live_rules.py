"""The compiled rules in a real Prometheus that scrapes a real vLLM's text and a GPU exporter's."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from sre import content
from sre.catalogue.load import load
from sre.compile import prometheus
from sre.compile.planning import make_plan
from sre.fleet import Fleet

VLLM = Path(__file__).parent / "fixtures" / "engines" / "vllm-0.32.0-cpu-overload.prom"

FLEET = {
    "version": 1,
    "name": "live",
    "scrape_interval": "1s",
    "evaluation_interval": "1s",
    "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
    "pools": [
        {
            "name": "chat-70b",
            "engine": {"kind": "vllm", "version": "0.32.0"},
            "owner": "platform",
            "gpus": {"type": "h100", "per_replica": 2, "replicas": 2},
        },
        {"name": "extract-8b", "engine": {"kind": "vllm", "version": "0.32.0"}},
    ],
}

# One value per counter that a shipped list has on; the pods are the engine's, as the kubelet told the exporter.
CARD = {
    "DCGM_FI_DEV_GPU_TEMP": 61,
    "DCGM_FI_DEV_MEMORY_TEMP": 9223372036854775794,
    "DCGM_FI_DEV_POWER_USAGE": 412.5,
    "DCGM_FI_DEV_GPU_UTIL": 97,
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": 0.83,
    "DCGM_FI_PROF_DRAM_ACTIVE": 0.41,
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.2,
    "DCGM_FI_DEV_FB_USED": 75618,
    "DCGM_FI_DEV_FB_FREE": 5471,
    "DCGM_FI_DEV_XID_ERRORS": 0,
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": 3,
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": 7,
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": 0,
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL": 112304,
}


def card(index: int, pod: str = "", **labels: str) -> str:
    """One card's lines; a card that no pod holds has no pod labels at all."""
    told = {
        "gpu": str(index),
        "UUID": f"GPU-{index:04d}",
        "modelName": "NVIDIA H100 80GB HBM3",
        "Hostname": "gpu-node-01",
        **({"namespace": "llm-prod", "pod": pod, "container": "vllm"} if pod else {}),
        **labels,
    }
    inside = ",".join(f'{name}="{value}"' for name, value in told.items())
    return "".join(f"{metric}{{{inside}}} {value}\n" for metric, value in CARD.items())


@pytest.fixture(scope="module")
def server(start_prometheus: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Prometheus with the rules of ``FLEET``, one overloaded replica, and cards in every position."""
    folder = tmp_path_factory.mktemp("rules")
    paths = []
    for artefact in prometheus.render(make_plan(Fleet.model_validate(FLEET), load(content.root()))):
        paths.append(folder / Path(artefact.path).name)
        paths[-1].write_text(re.sub("interval: [12]m", "interval: 1s", artefact.text))
    engine = {"job": "chat-70b", "text": VLLM.read_text()}
    cards = [
        card(0, "chat-0"),
        card(1, "chat-0"),
        card(2),
        # Time-slicing prints a card once per pod that shares it.
        card(3, "chat-1") + card(3, "chat-2"),
        card(4, "stranger-0"),
        card(5, "chat-0", GPU_I_PROFILE="1g.10gb", GPU_I_ID="7"),
        card(6, "both-0"),
        card(7, "chat-1"),
    ]
    exporter = {
        "job": "dcgm-exporter",
        "labels": {"namespace": "gpu-operator", "pod": "nvidia-dcgm-exporter-x7"},
    }
    running = start_prometheus(
        {**engine, "labels": {"namespace": "llm-prod", "pod": "chat-0"}},
        {**engine, "labels": {"namespace": "llm-prod", "pod": "chat-1"}},
        {**engine, "labels": {"namespace": "llm-prod", "pod": "chat-2"}},
        # One pod that serves two pools.
        {**engine, "labels": {"namespace": "llm-prod", "pod": "both-0"}},
        {**engine, "job": "extract-8b", "labels": {"namespace": "llm-prod", "pod": "both-0"}},
        {**exporter, "text": "".join(cards)},
        # A second exporter shows one of the cards again, from another host.
        {**exporter, "text": card(7, "chat-1", Hostname="gpu-node-02")},
        rules=paths,
    )
    # A card finds its pool after two evaluations of each group, its pool's mean after one more.
    give_up = time.monotonic() + 60
    while not query(running.url, "pool:gpu_utilization:avg5m and on () gpu:card:info offset 8s"):
        assert time.monotonic() < give_up
        time.sleep(0.5)
    return str(running.url)


def query(server: str, expr: str) -> list[dict[str, Any]]:
    answer = requests.post(f"{server}/api/v1/query", {"query": expr}, timeout=10)
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def value(server: str, expr: str) -> float:
    (only,) = query(server, expr)
    return float(only["value"][1])


def test_no_rule_fails_in_a_real_server(server: str) -> None:
    """Every rule evaluates; none joins many to many, whatever the cards look like."""
    groups = requests.get(f"{server}/api/v1/rules", timeout=10).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 150
    assert [(r["name"], r["lastError"]) for r in rules if r["health"] != "ok"] == []


def test_queues_and_batches_of_the_pool_add_up(server: str) -> None:
    """Four overloaded replicas with 112 waiting each are 448, and eight running each are 32."""
    assert value(server, 'pool:queue_depth:sum{pool="chat-70b"}') == 4 * 112
    assert value(server, 'pool:running:sum{pool="chat-70b"}') == 4 * 8
    assert value(server, 'pool:replicas_serving:count{pool="chat-70b"}') == 4


def test_a_card_belongs_to_the_pool_of_its_pod(server: str) -> None:
    """The pod label is the engine's, not the exporter's own, and brings pool and team along."""
    (info,) = query(server, 'gpu:card:info{uuid="GPU-0000"}')
    assert info["metric"] == {
        "__name__": "gpu:card:info",
        "uuid": "GPU-0000",
        "gpu": "0",
        "gpu_model": "NVIDIA H100 80GB HBM3",
        "host": "gpu-node-01",
        "pool": "chat-70b",
        "namespace": "llm-prod",
        "pod": "chat-0",
        "team": "platform",
    }


@pytest.mark.parametrize("uuid", ["GPU-0002", "GPU-0004"])
def test_a_card_of_nobody_keeps_its_own_labels_and_the_platform_team(server: str, uuid: str) -> None:
    """A free card, or one in a stranger's pod, is seen and belongs to no pool."""
    (info,) = query(server, f'gpu:card:info{{uuid="{uuid}"}}')
    assert "pool" not in info["metric"]
    assert "pod" not in info["metric"]
    assert info["metric"]["team"] == "platform"


def test_a_card_in_a_pod_of_two_pools_is_claimed_by_neither(server: str) -> None:
    """It is seen all the same, and who was known first, for a moment at the start, is not remembered for an hour."""
    assert query(server, 'gpu:claim:info{uuid="GPU-0006"}') == []
    assert query(server, 'gpu:owner:current{uuid="GPU-0006"}') == []
    (info,) = query(server, 'gpu:card:info{uuid="GPU-0006"}')
    assert "pool" not in info["metric"]


def test_a_time_sliced_card_counts_once_and_keeps_its_pool(server: str) -> None:
    """Two pods of one pool share a card: one series, the pool, and no pod."""
    (used,) = query(server, 'gpu:memory_used:ratio{uuid="GPU-0003"}')
    assert used["metric"]["pool"] == "chat-70b"
    assert "pod" not in used["metric"]


def test_a_mig_slice_is_read_from_the_profiling_counter(server: str) -> None:
    """GPU_UTIL says nothing about a slice, so its utilisation is the engine-active ratio."""
    (busy,) = query(server, 'gpu:utilization:ratio{uuid="GPU-0005"}')
    assert busy["metric"]["mig"] == "7"
    assert float(busy["value"][1]) == 0.83


def test_a_card_behind_two_exporters_is_one_card_without_a_host(server: str) -> None:
    """Which host is right cannot be known; the card, its pool and its numbers still can."""
    (info,) = query(server, 'gpu:card:info{uuid="GPU-0007"}')
    assert "host" not in info["metric"]
    assert info["metric"]["pool"] == "chat-70b"


def test_memory_is_used_over_used_plus_free_and_sentinels_are_no_temperature(server: str) -> None:
    """75,618 of 81,089 MiB; a card that prints 2^63 for its memory temperature prints none."""
    assert value(server, 'gpu:memory_used:ratio{uuid="GPU-0000"}') == pytest.approx(75618 / 81089)
    assert query(server, "gpu:memory_temperature:celsius") == []
    assert len(query(server, "gpu:temperature:celsius")) == 8


def test_old_damage_is_no_news(server: str) -> None:
    """Rows remapped long ago do not count: nothing grew."""
    assert value(server, 'gpu:rows_correctable:increase1h{uuid="GPU-0000"}') == 0


def test_nothing_is_called_missing_while_everything_is_printed(server: str) -> None:
    """The telemetry alert has nothing to list."""
    assert query(server, "pool_signal:missing:state") == []
