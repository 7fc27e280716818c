"""Whatever stands in a field of one's own content, the compiler answers with findings or with files."""

import copy
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sre import content
from sre.catalogue.load import load
from sre.compile.compilation import compile
from sre.findings import Refused
from sre.fleet import Fleet

FLEET = Fleet.model_validate(
    {
        "version": 1,
        "name": "test",
        "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
        "usage_exporter": {"job": "sre-exporter"},
        "pools": [
            {
                "name": "chat",
                "engine": {"kind": "vllm", "version": "0.32.0"},
                "model": "llama",
                "gpus": {"type": "h100", "per_replica": 2, "replicas": 2},
            }
        ],
    }
)

WRONG: list[Any] = [
    "", "nope", "5", "-5", "a b", '"', "é\n", "0s", "-1m", "500ms", "99w", "110%", "1e400", "9" * 40, "parsecs",
    "x {bogus} y", "{{ $value | nope }}", "{pool:tttft:p95}", "{gpu:power:watts}", "@bogus", "rate(@steps[2m])",
    "@ttft_bucket", "$bogus > 1", "$threshold", "pool:ttft:p95", "pool:tttft:p95", "pool:ttft:p95 > (", "1 +",
    "pool:ttft:p95[5m]", "rate(pool:ttft:p95)", "gpu:temperature:celsius > 1", "vllm:num_requests_running > 7",
    "x:y:threshold", "pool:fleet:info", "healthy", "ttft_p95", "1 / 0", "> $nope: x", "vector(1)", "LLMEngineDown",
    None, True, 0, 1, -5, 10**9, 1.5, float("inf"), [], ["nope"], [5], [["a"]], [{}], {}, {"nope": "nope"}, {5: 5},
]  # fmt: skip
"""What people write by mistake, and what only a program would."""

GONE = object()
"""The field is left out."""


@dataclass(frozen=True)
class Entry:
    """One entry of built-in content, and how a file of one's own holds it."""

    file: str
    keys: tuple[str, ...]
    data: Any
    body: str = ""

    def text(self, data: Any) -> str:
        """The file with other data in the entry's place."""
        for key in reversed(self.keys):
            data = {key: data}
        dumped = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
        return f"---\n{dumped}---\n{self.body}" if self.body else dumped

    @property
    def fields(self) -> Iterator[tuple[str | int, ...]]:
        """The path of everything in it, of the whole first."""
        todo: list[tuple[tuple[str | int, ...], Any]] = [((), self.data)]
        while todo:
            path, value = todo.pop(0)
            yield path
            inner = (
                value.items()
                if isinstance(value, dict)
                else enumerate(value)
                if isinstance(value, list)
                else ()
            )
            todo += [((*path, key), item) for key, item in inner]


def read(file: str) -> Any:
    return yaml.safe_load((content.root() / file).read_text())


def of(file: str, section: str, *names: str) -> list[Entry]:
    entries = read(file)[section]
    return [Entry(file, (section, name), entries[name]) for name in names]


def whole(*files: str) -> list[Entry]:
    return [Entry(file, (), read(file)) for file in files]


def pages(*files: str) -> list[Entry]:
    parts = [(file, (content.root() / file).read_text().partition("\n---\n")) for file in files]
    return [Entry(file, (), yaml.safe_load(front[4:]), body) for file, (front, _, body) in parts]


ENGINE, GPU = "exporters/signals/engine.yaml", "exporters/signals/gpu.yaml"
LATENCY = "exporters/signals/latency.yaml"
KINDS = {
    "alert": [
        *of("rules/latency.yaml", "alerts", "LLMTimeToFirstTokenHigh"),
        *of("rules/hardware.yaml", "alerts", "GPUTemperatureHigh", "GPUXidError"),
        *of("rules/usage.yaml", "alerts", "LLMOutputLengthShift", "LLMUsageUnaccounted"),
        *of("rules/saturation.yaml", "alerts", "LLMPrefixCacheHitRateLow"),
    ],
    "threshold": [
        *of("rules/latency.yaml", "thresholds", "ttft_p95", "minimum_events"),
        *of("rules/hardware.yaml", "thresholds", "gpu_memory_used", "gpu_temperature"),
        *of("rules/usage.yaml", "thresholds", "usage_accounted"),
    ],
    "record": [
        *of(ENGINE, "records", "replica:up:state", "replica:running:sum"),
        *of(LATENCY, "records", "pool:ttft:p95"),
        *of(GPU, "records", "gpu:throttled:state", "gpu:card:info", "replica:nvlink_drop:ratio"),
    ],
    "signal": [
        *of(ENGINE, "signals", "up", "ttft", "finishes"),
        *of(GPU, "signals", "gpu_present", "gpu_nvlink_bandwidth"),
        *[Entry(GPU, ("baselines",), read(GPU)["baselines"])],
        *[Entry("rules/availability.yaml", ("constants",), read("rules/availability.yaml")["constants"])],
    ],
    "binding": whole("exporters/engines/vllm.yaml", "exporters/gpus/dcgm.yaml", "exporters/usage/sre-exporter.yaml"),
    "fault": of(
        "rules/faults.yaml", "faults", "slow_prefill", "crash_loop", "output_runaway", "ecc_double_bit", "demand_growth"
    ),
    "dashboard": whole("dashboards/pool.yaml", "dashboards/fleet.yaml", "dashboards/gpu.yaml"),
    "runbook": pages("runbooks/LLMTimeToFirstTokenHigh.md", "runbooks/GPUTemperatureHigh.md"),
}  # fmt: skip


@cache
def places(kind: str) -> list[tuple[Entry, tuple[str | int, ...]]]:
    return [(entry, path) for entry in KINDS[kind] for path in entry.fields]


def with_changed(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return None if value is GONE else value
    changed = copy.deepcopy(data)
    around = changed
    for part in path[:-1]:
        around = around[part]
    if value is GONE:
        del around[path[-1]]
    else:
        around[path[-1]] = value
    return changed


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10)
@given(data=st.data())
def test_a_wrong_value_in_any_field_is_a_finding_at_a_line_and_never_a_traceback(
    kind: str, data: st.DataObject
) -> None:
    """What cannot be compiled is refused, with the line, the reason and what to write; nothing else is raised."""
    entry, path = data.draw(st.sampled_from(places(kind)))
    value = data.draw(st.sampled_from([*WRONG, GONE]))
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / entry.file
        file.parent.mkdir(parents=True)
        file.write_text(entry.text(with_changed(entry.data, path, value)))
        try:
            compile(FLEET, load(content.root(), Path(name)))
        except Refused as refused:
            for found in refused.findings:
                assert re.search(r"\.(yaml|md):\d+$", found.where), found
                assert found.fix, found
