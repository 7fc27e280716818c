import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

FIXTURES = Path(__file__).parent / "fixtures" / "engines"
SCRAPES = sorted(FIXTURES.glob("*.prom"))
STYLE_ONLY = 3  # promtool's exit code when the text parses and a name or help text could be better


def read_families(name: str) -> dict[str, Metric]:
    """Families of one fixture by name, without the *_created series that only the real scrapes print."""
    families = text_string_to_metric_families((FIXTURES / f"{name}.prom").read_text())
    return {family.name: family for family in families if not family.name.endswith("_created")}


def list_bounds(family: Metric) -> list[str]:
    return list(dict.fromkeys(sample.labels["le"] for sample in family.samples if "le" in sample.labels))


def list_label_names(family: Metric) -> set[str]:
    return {label for sample in family.samples for label in sample.labels}


@pytest.mark.parametrize("scrape", SCRAPES, ids=lambda path: path.stem)
def test_promtool_parses_every_scrape(scrape: Path) -> None:
    """Whoever feeds a fixture to Prometheus gets samples, at most with remarks about style."""
    with scrape.open() as text:
        run = subprocess.run(["promtool", "check", "metrics"], stdin=text, capture_output=True, check=False)
    assert run.returncode in (0, STYLE_ONLY), run.stderr.decode()


@pytest.mark.parametrize("scrape", SCRAPES, ids=lambda path: path.stem)
def test_python_parses_every_scrape_and_its_histograms_add_up(scrape: Path) -> None:
    """The Python parser reads a fixture as well, and each histogram's last bucket equals its count."""
    families = list(text_string_to_metric_families(scrape.read_text()))
    assert {"vllm:num_requests_running", "vllm:num_requests_waiting"} <= {family.name for family in families}
    for family in (family for family in families if family.type == "histogram"):
        total = {
            ending: sum(sample.value for sample in family.samples if is_total(sample, ending))
            for ending in ("_count", "_bucket")
        }
        assert total["_count"] == total["_bucket"], family.name


def is_total(sample: Sample, ending: str) -> bool:
    return sample.name.endswith(ending) and sample.labels.get("le", "+Inf") == "+Inf"


def test_generated_text_agrees_with_a_real_server_of_that_release() -> None:
    """What make_vllm.py prints for 0.32.0 has the families, types, labels and bounds of the real scrape."""
    real, generated = read_families("vllm-0.32.0-cpu-idle"), read_families("vllm-0.32.0")
    assert generated.keys() == real.keys()
    for name, family in real.items():
        assert generated[name].type == family.type, name
        assert list_label_names(generated[name]) == list_label_names(family), name
        bounds = [bound for bound in list_bounds(generated[name]) if not depends_on_length(name, bound)]
        assert bounds == list_bounds(family), name


def depends_on_length(name: str, bound: str) -> bool:
    """Token histograms end at max_model_len: 8192 in the generated text, 1024 on the scraped server."""
    counts_tokens = name.startswith("vllm:request_") and name.endswith("_tokens")
    return counts_tokens and 1024 < float(bound) < float("inf")


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("vllm:gpu_cache_usage_perc", "0.6.0", "0.10.2"),
        ("vllm:kv_cache_usage_perc", "0.9.2", "0.33.0"),
        ("vllm:gpu_prefix_cache_hits", "0.8.0", "0.10.2"),
        ("vllm:prefix_cache_hits", "0.9.2", "0.33.0"),
        ("vllm:time_per_output_token_seconds", "0.6.0", "0.11.2"),
        ("vllm:inter_token_latency_seconds", "0.10.2", "0.33.0"),
        ("vllm:request_queue_time_seconds", "0.6.6", "0.33.0"),
        ("vllm:iteration_tokens_total", "0.6.6", "0.33.0"),
        ("vllm:num_requests_waiting_by_reason", "0.20.2", "0.33.0"),
        ("vllm:admission_rejections", "0.32.0", "0.33.0"),
        ("http_requests", "0.8.5", "0.33.0"),
        ("process_start_time_seconds", "0.8.0", "0.33.0"),
        ("vllm:request_generation_tokens", "0.6.0", "0.33.0"),
        ("vllm:num_preemptions", "0.6.0", "0.33.0"),
    ],
)
def test_a_metric_is_there_from_its_first_release_to_its_last(name: str, first: str, last: str) -> None:
    """The fixtures carry the renames and removals: a name is in the releases from first to last, no other."""
    defaults = [path.stem.removeprefix("vllm-") for path in SCRAPES if is_default_engine(path)]
    releases = sorted(defaults, key=version)
    having = [release for release in releases if name in read_families(f"vllm-{release}")]
    assert having == releases[releases.index(first) : releases.index(last) + 1]


def is_default_engine(path: Path) -> bool:
    return re.fullmatch(r"vllm-[0-9.]+", path.stem) is not None


def version(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def test_the_fallback_engine_keeps_the_old_names() -> None:
    """A 0.9.2 that fell back to V0 has neither the new KV gauge nor prefix counters nor a start time."""
    v0, v1 = read_families("vllm-0.9.2-v0"), read_families("vllm-0.9.2")
    only_v1 = {"vllm:kv_cache_usage_perc", "vllm:prefix_cache_hits", "process_start_time_seconds"}
    assert only_v1 <= v1.keys()
    assert not only_v1 & v0.keys()
    assert "vllm:gpu_cache_usage_perc" in v0


@pytest.mark.parametrize(("release", "has_engine"), [("0.8.0", False), ("0.8.5", True), ("0.9.2-v0", False)])
def test_the_engine_label_is_an_engine_rank_where_it_exists(release: str, has_engine: bool) -> None:
    """V1 gained the label `engine` between 0.8.2 and 0.8.3, V0 never had it."""
    labels = list_label_names(read_families(f"vllm-{release}")["vllm:num_requests_running"])
    assert labels == ({"model_name", "engine"} if has_engine else {"model_name"})


@pytest.mark.parametrize(
    ("release", "metric", "last_bounds"),
    [
        ("0.6.0", "vllm:e2e_request_latency_seconds", ["50.0", "60.0", "+Inf"]),
        ("0.8.0", "vllm:time_to_first_token_seconds", ["7.5", "10.0", "+Inf"]),
        ("0.8.5", "vllm:time_to_first_token_seconds", ["640.0", "2560.0", "+Inf"]),
        ("0.8.0", "vllm:time_per_output_token_seconds", ["1.0", "2.5", "+Inf"]),
        ("0.33.0", "vllm:inter_token_latency_seconds", ["40.0", "80.0", "+Inf"]),
        ("0.33.0", "vllm:request_queue_time_seconds", ["1920.0", "7680.0", "+Inf"]),
    ],
)
def test_the_last_bounds_of_a_histogram_are_the_release_s_own(
    release: str, metric: str, last_bounds: list[str]
) -> None:
    """A threshold of a minute has a bucket only from 0.8.4 on, when the latency histograms grew."""
    assert list_bounds(read_families(f"vllm-{release}")[metric])[-3:] == last_bounds


def test_the_overloaded_server_waits_for_capacity_with_an_empty_cache() -> None:
    """The real overload shows a queue that memory cannot explain: 112 wait, 8 run, KV cache below 1 %."""
    families = read_families("vllm-0.32.0-cpu-overload")
    waiting = families["vllm:num_requests_waiting_by_reason"].samples
    assert {sample.labels["reason"]: sample.value for sample in waiting} == {"capacity": 112, "deferred": 0}
    assert families["vllm:num_requests_running"].samples[0].value == 8
    assert families["vllm:kv_cache_usage_perc"].samples[0].value < 0.01
