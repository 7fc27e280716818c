"""The queueing model says what a real vLLM did under rising load, told nothing but costs from before it."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "tools" / "calibrate"
CASES = json.loads((ROOT / "tests/fixtures/calibration/vllm-0.32.0-cpu.json").read_text(encoding="utf-8"))[
    "cases"
]
PLATEAUS = [(name, number) for name, case in CASES.items() for number in range(len(case["plateaus"]))]

GAUGES = {"waiting": (0.1, 0.3), "running": (0.05, 0.2), "kv_usage": (0.05, 0.02)}
TOLERANCE = {
    "batch": GAUGES | dict.fromkeys(("p50", "p95", "p99"), (0.1, 0.1)),
    # Where the cache is full, one step earlier or later decides who is thrown out, and so who waits.
    "kv": GAUGES | dict.fromkeys(("p50", "p95", "p99"), (0.2, 0.3)),
}
"""Share of the measured figure, and what is added to it: requests, share of the cache, seconds."""


@pytest.fixture(scope="module", autouse=True)
def tools() -> Iterator[None]:
    """The tools import each other by name, as scripts of one folder do."""
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


@cache
def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def close(measured: float, share: float, more: float) -> Any:
    return pytest.approx(measured, abs=share * measured + more)


@pytest.mark.parametrize(("name", "number"), PLATEAUS)
def test_the_model_is_near_the_real_server(name: str, number: int) -> None:
    """Under the same arrivals as many wait and run, the cache is as full, first tokens come as late."""
    case = CASES[name]
    plateau = case["plateaus"][number]
    model = tool("replay").replay(case, plateau)
    said = model.mean | model.quantiles
    real = plateau["mean"] | plateau["ttft"]
    assert said == {key: close(real[key], *allowed) for key, allowed in TOLERANCE[name].items()}


def test_a_full_cache_throws_out_about_as_many() -> None:
    """Where the cache is too small, the model preempts as often as the real server, to a fifth."""
    case = CASES["kv"]
    real = sum(plateau["preemptions"] for plateau in case["plateaus"])
    model = sum(tool("replay").replay(case, plateau).preemptions for plateau in case["plateaus"])
    assert real > 20
    assert model == pytest.approx(real, rel=0.2)


def test_the_page_shows_what_the_model_says_today() -> None:
    """Table and picture are those of this model and these measurements."""
    compare = tool("compare")
    page, picture = compare.made()
    assert (ROOT / "docs/calibration.md").read_text(encoding="utf-8") == page, (
        "run tools/calibrate/compare.py"
    )
    assert (ROOT / "docs/calibration.svg").read_text(encoding="utf-8") == picture, (
        "run tools/calibrate/compare.py"
    )
