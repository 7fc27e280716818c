"""What a large fleet shows: each target's series with their labels, a value and its growth, as exporters print them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

PAGE = Path(__file__).parents[1] / "tests" / "fixtures" / "engines" / "vllm-0.33.0.prom"
VERSION = "0.33.0"
POOLS, CARDS = 50, 8
"""Pools of the fleet, whatever its size, and cards of each replica."""

_AGE = 7200
"""Seconds in which a counter came to its value on the page."""

# Healthy H100s under dcgm-exporter 4.8.2: field, type, value, growth a second. First everything that its list for the
# image has on, then what one line more switches on (etc/default-counters.csv and etc/dcp-metrics-included.csv).
_COUNTERS = """
DCGM_FI_DEV_SM_CLOCK gauge 1980 0                       DCGM_FI_DEV_MEM_CLOCK gauge 2619 0
DCGM_FI_DEV_MEMORY_TEMP gauge 52 0                      DCGM_FI_DEV_GPU_TEMP gauge 48 0
DCGM_FI_DEV_POWER_USAGE gauge 412.5 0                   DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter 9e11 412500
DCGM_FI_DEV_PCIE_REPLAY_COUNTER counter 0 0             DCGM_FI_DEV_GPU_UTIL gauge 45 0
DCGM_FI_DEV_MEM_COPY_UTIL gauge 28 0                    DCGM_FI_DEV_ENC_UTIL gauge 0 0
DCGM_FI_DEV_DEC_UTIL gauge 0 0                          DCGM_FI_DEV_XID_ERRORS gauge 0 0
DCGM_FI_DEV_FB_FREE gauge 8471 0                        DCGM_FI_DEV_FB_USED gauge 72618 0
DCGM_FI_DEV_FB_RESERVED gauge 470 0                     DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL gauge 112304 0
DCGM_FI_DEV_VGPU_LICENSE_STATUS gauge 0 0               DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS counter 1 0
DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS counter 2 0       DCGM_FI_DEV_ROW_REMAP_FAILURE gauge 0 0
DCGM_FI_PROF_GR_ENGINE_ACTIVE gauge 0.4512 0            DCGM_FI_PROF_PIPE_TENSOR_ACTIVE gauge 0.2145 0
DCGM_FI_PROF_DRAM_ACTIVE gauge 0.3321 0                 DCGM_FI_PROF_PCIE_TX_BYTES gauge 12443210 0
DCGM_FI_PROF_PCIE_RX_BYTES gauge 9443210 0              DCGM_FI_DEV_GPU_TEMP_LIMIT gauge 36 0
DCGM_FI_DEV_CLOCKS_EVENT_REASONS gauge 4 0              DCGM_EXP_CLOCK_EVENTS_COUNT gauge 3 0
DCGM_EXP_XID_ERRORS_COUNT gauge 0 0                     DCGM_FI_DEV_ECC_DBE_VOL_TOTAL counter 0 0
DCGM_FI_DEV_ECC_SBE_VOL_TOTAL counter 0 0               DCGM_FI_DEV_ECC_DBE_AGG_TOTAL counter 0 0
DCGM_FI_DEV_ECC_SBE_AGG_TOTAL counter 4 0               DCGM_FI_DEV_ROW_REMAP_PENDING gauge 0 0
DCGM_FI_DEV_POWER_VIOLATION counter 8e6 900             DCGM_FI_DEV_THERMAL_VIOLATION counter 0 0
DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL counter 0 0
DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL counter 0 0
DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL counter 0 0
DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL counter 0 0
DCGM_FI_PROF_SM_ACTIVE gauge 0.4419 0                   DCGM_FI_PROF_SM_OCCUPANCY gauge 0.1893 0
DCGM_FI_PROF_NVLINK_TX_BYTES gauge 5.9e10 0             DCGM_FI_PROF_NVLINK_RX_BYTES gauge 5.8e10 0
DCGM_FI_DEV_FABRIC_MANAGER_STATUS gauge 3 0
"""

_LABELLED = {
    "DCGM_FI_DEV_XID_ERRORS": {"err_code": "0", "err_msg": "No Error"},
    "DCGM_EXP_CLOCK_EVENTS_COUNT": {"clock_event": "sw_power_cap", "window_size_in_ms": "300000"},
    "DCGM_EXP_XID_ERRORS_COUNT": {"window_size_in_ms": "300000"},
}


@dataclass(frozen=True)
class Curve:
    """A gauge that trembles about ``value``, or a counter that ``grows`` by so much a second and has it at time 0."""

    value: float
    grows: float = 0.0
    whole: bool = True

    def at(self, seconds: int) -> float:
        """The value so many seconds after time 0."""
        if not self.grows:
            return self.value * (1 + (seconds // 30 * 7 % 5) * 2**-7) if self.value % 1 else self.value
        value = max(0.0, self.value + self.grows * seconds)
        return float(round(value)) if self.whole else value


@dataclass(frozen=True)
class Shown:
    """One series of a kind of target, without the target's own labels."""

    name: str
    curve: Curve
    labels: tuple[tuple[str, str], ...] = ()


_SCRAPE = tuple(
    Shown(name, Curve(value))
    for name, value in (
        ("up", 1),
        ("scrape_duration_seconds", 0.0123),
        ("scrape_samples_scraped", 430),
        ("scrape_samples_post_metric_relabeling", 430),
        ("scrape_series_added", 0),
    )
)
"""What Prometheus adds to every scrape."""


def counters() -> Iterator[tuple[str, str, Curve]]:
    """(field, type, curve) of each counter that the exporter has on."""
    words = _COUNTERS.split()
    for name, kind, value, grows in zip(*(words[place::4] for place in range(4)), strict=True):
        yield name, kind, Curve(float(value), float(grows))


@cache
def replica() -> tuple[Shown, ...]:
    """Everything on the page of one vLLM server: every family and bucket, read by a rule or not."""
    return (*_SCRAPE, *_page())


def _page() -> Iterator[Shown]:
    for family in text_string_to_metric_families(PAGE.read_text(encoding="utf-8")):
        counts = family.type in ("counter", "histogram", "summary")
        for sample in family.samples:
            value = float(sample.value)
            curve = Curve(value, value / _AGE, value == int(value)) if counts else Curve(value)
            yield Shown(sample.name, curve, tuple(sample.labels.items()))


@cache
def card() -> tuple[Shown, ...]:
    return tuple(Shown(name, curve, tuple(_LABELLED.get(name, {}).items())) for name, _, curve in counters())


def targets(replicas: int) -> Iterator[tuple[dict[str, str], tuple[Shown, ...]]]:
    """(labels, series) of each engine, card and exporter; a replica has a pod, and a node with eight cards."""
    for number in range(replicas):
        pod = f"{pool(number)}-{number // POOLS}"
        engine = {"namespace": "llm", "pod": pod, "instance": f"{_address(number, 16)}:8000"}
        yield {"job": pool(number), "container": "vllm", **engine}, replica()
        exporter = {
            "job": "dcgm",
            "container": "exporter",
            "namespace": "gpu-operator",
            "pod": f"dcgm-exporter-{number:05x}",
            "instance": f"{_address(number, 32)}:9400",
        }
        yield exporter, _SCRAPE
        for index in range(CARDS):
            yield {**exporter, **_card(number, index), "exported_pod": pod}, card()


def _card(number: int, index: int) -> dict[str, str]:
    return {
        "gpu": str(index),
        "UUID": f"GPU-{number:08x}-c0de-4b1d-9e57-{index:012x}",
        "pci_bus_id": f"00000000:{0x1A + 0x11 * index:02X}:00.0",
        "device": f"nvidia{index}",
        "modelName": "NVIDIA H100 80GB HBM3",
        "Hostname": f"gpu-node-{number:05}",
        "DCGM_FI_DRIVER_VERSION": "580.105.08",
        "exported_container": "vllm",
        "exported_namespace": "llm",
    }


def _address(number: int, net: int) -> str:
    return f"10.{net}.{number >> 8}.{number & 255}"


def pool(number: int) -> str:
    """The pool of a replica."""
    return f"pool-{number % POOLS:02}"


def fleet(replicas: int) -> str:
    """The fleet file; beside it lies ``counters.csv``. Pools differ in owner, model and promises."""
    return (
        "version: 1\nname: bench\ntimezone: Europe/Berlin\n"
        'gpu_exporter: {kind: dcgm, version: "4.8.2", counters: counters.csv}\npools:\n'
        + "".join(
            _pool(number, len(range(number, replicas, POOLS))) for number in range(min(POOLS, replicas))
        )
    )


def _pool(number: int, replicas: int) -> str:
    return (
        f"  - name: {pool(number)}\n"
        f'    engine: {{kind: vllm, version: "{VERSION}"}}\n'
        f"    model: model-{number}\n"
        f"    owner: team-{number % 25}\n"
        f"    gpus: {{type: h100-sxm-80gb, per_replica: {CARDS}, replicas: {replicas}}}\n"
        "    memory_budget: 0.90\n"
        f"    objectives: {{ttft_p95: {500 + number}ms, e2e_p99: {10 + number}s}}\n"
    )


def counters_file() -> str:
    """The exporter's own list of counters."""
    return "".join(f"{name}, {kind}, {name}\n" for name, kind, _ in counters())
