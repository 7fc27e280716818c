"""The user's fleet file: what is accepted, and what is said about what is not."""

import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre.findings import Finding, Refused
from sre.fleet import OBJECTIVES, Fleet, Pool, file_name, load, load_text

ROOT = Path(__file__).parent.parent
CONTRACT = ROOT.parent / "shared" / "contracts" / "fleet.yaml"
UNITS = {"queue_depth": "requests", "error_rate": "ratio", "gpu_memory_used": "ratio", "some_wait": "seconds"}
HEAD = "version: 1\nname: f\n"
POOL = 'pools:\n  - name: chat\n    engine: {kind: vllm, version: "0.32.0"}\n'


def loaded(text: str, folder: Path = ROOT) -> tuple[Fleet, list[Finding]]:
    """A fleet from text, with a small catalogue's names."""
    return load_text(
        "fleet.yaml", text.encode(), folder, UNITS, engines={"vllm", "sglang"}, gpu_exporters={"dcgm"}
    )


@pytest.mark.parametrize("path", [CONTRACT, ROOT / "examples" / "fleet.yaml"], ids=["contract", "example"])
def test_the_contracts_fleet_is_accepted_as_written(path: Path) -> None:
    """Every key and value of the published example means what it says."""
    if not path.exists():
        pytest.skip("the contract lies beside the checkout, not in it")
    fleet, warnings = load(path, UNITS, engines={"vllm"}, gpu_exporters={"dcgm"})
    chat, extract = fleet.pools
    assert warnings == []
    assert (fleet.name, fleet.timezone, fleet.identity, fleet.pool_label) == (
        "prod-eu",
        "Europe/Berlin",
        "kubernetes",
        "job",
    )
    assert fleet.gpu_exporter is not None
    assert fleet.gpu_exporter.version == "4.8.2"
    assert chat.objectives == {
        "ttft_p95": Decimal("0.5"),
        "itl_p95": Decimal("0.08"),
        "e2e_p99": Decimal(10),
    }
    assert (chat.replicas_min, chat.replicas_max, str(chat.memory_budget)) == (4, 4, "0.90")
    assert (extract.owner, extract.interactive, extract.thresholds) == (
        "documents",
        False,
        {"queue_depth": Decimal(200)},
    )
    assert [team.contact for team in fleet.teams] == ["#search-oncall", None, None]


def test_the_example_says_what_the_contract_says() -> None:
    """Keys and values are the contract's; only the comments are the example's own."""
    if not CONTRACT.exists():
        pytest.skip("the contract lies beside the checkout, not in it")
    assert load(ROOT / "examples" / "fleet.yaml")[0] == load(CONTRACT)[0]


def test_three_keys_are_enough() -> None:
    """A name and one pool with its engine make a fleet; the rest has defaults."""
    fleet, warnings = loaded(HEAD + POOL)
    (pool,) = fleet.pools
    assert warnings == []
    assert (pool.model, pool.owner, pool.replicas_min, pool.replicas_max) == ("chat", "platform", 1, 1)
    assert (fleet.timezone, fleet.scrape_interval, fleet.evaluation_interval) == ("UTC", 30, 30)
    assert fleet.business_hours.start_minute == 480


def test_a_pool_that_scales_counts_as_down_below_its_minimum() -> None:
    """`replicas: {min, max}` gives both ends."""
    fleet, _ = loaded(HEAD + POOL + "    gpus: {type: l40s, replicas: {min: 3, max: 7}}\n")
    assert (fleet.pools[0].replicas_min, fleet.pools[0].replicas_max) == (3, 7)


@pytest.mark.parametrize(
    "name",
    ['a"b', "a'b", "{{ $value }}", "`rm`", "<b>x</b>", "a\\b", "$(x)", "ünï ködé", "no", "a: b #c", "},{"],
)
def test_hostile_names_are_text_like_any_other(name: str) -> None:
    """Quotes, braces, backticks and HTML survive exactly as written."""
    pool = {"name": name, "engine": {"kind": "vllm", "version": "0.32.0"}, "model": name, "owner": name}
    text = yaml.safe_dump({"version": 1, "name": name, "pools": [pool], "teams": [{"name": name}]})
    fleet, _ = loaded(text)
    assert {fleet.name, fleet.pools[0].name, fleet.pools[0].model, fleet.teams[0].name} == {name}


def test_yaml_means_what_editors_say_it_means() -> None:
    """`no` is a name, 18:00 a time, 0.10 a release: the traps of YAML 1.1 are gone."""
    fleet, _ = loaded(
        "version: 1\nname: no\nbusiness_hours: {start: 09:30, end: 18:00, holidays: [2026-12-25]}\n"
        "pools: [{name: on, engine: {kind: vllm, version: 0.10}}]\n"
    )
    assert (fleet.name, fleet.pools[0].name, fleet.pools[0].engine.version) == ("no", "on", "0.10")
    assert fleet.business_hours.start_minute == 570
    assert [day.isoformat() for day in fleet.business_hours.holidays] == ["2026-12-25"]


def test_aliases_and_merge_keys_save_typing() -> None:
    """Pools may share a mapping; what is written in the pool itself wins."""
    fleet, _ = loaded(
        HEAD + "pools:\n"
        "  - &chat {name: chat, owner: one, engine: &e {kind: vllm, version: 0.32.0}}\n"
        "  - {<<: *chat, name: other, owner: two}\n"
        "  - {name: third, engine: *e}\n"
    )
    assert [(p.name, p.owner, p.engine.version) for p in fleet.pools] == [
        ("chat", "one", "0.32.0"),
        ("other", "two", "0.32.0"),
        ("third", "platform", "0.32.0"),
    ]


def test_numbers_keep_the_digits_that_were_written() -> None:
    """No limit or bound grows a tail of binary digits."""
    fleet, _ = loaded(
        HEAD + "pools:\n  - name: a\n    engine: {kind: vllm, version: 0.33.0, "
        "histogram_buckets: {inter_token_latency: [0.1, 0.3]}}\n"
        "    thresholds: {error_rate: 0.7%, some_wait: 1m30s, gpu_memory_used: 0.30}\n"
    )
    (pool,) = fleet.pools
    assert {k: str(v) for k, v in pool.thresholds.items()} == {
        "error_rate": "0.007",
        "some_wait": "90",
        "gpu_memory_used": "0.30",
    }
    assert [str(b) for b in pool.engine.histogram_buckets["inter_token_latency"]] == ["0.1", "0.3"]


def test_paths_start_at_the_fleet_file(tmp_path: Path) -> None:
    """The command may run anywhere: paths are those beside the file."""
    (tmp_path / "content").mkdir()
    (tmp_path / "r.yaml").write_text("[]")
    (tmp_path / "c.csv").write_text("")
    path = tmp_path / "fleet.yaml"
    exporter = "gpu_exporter: {kind: dcgm, version: 4.8.2, counters: c.csv}\n"
    path.write_text(HEAD + "catalogue: content\nreceivers: ./r.yaml\n" + exporter + POOL)
    fleet, _ = load(Path(os.path.relpath(path)))
    assert fleet.catalogue is not None
    assert fleet.receivers is not None
    assert fleet.catalogue.samefile(tmp_path / "content")
    assert fleet.receivers.samefile(tmp_path / "r.yaml")
    assert fleet.gpu_exporter is not None
    counters = Path(fleet.gpu_exporter.counters)
    assert counters.is_absolute()
    assert counters.samefile(tmp_path / "c.csv")


def test_rules_that_run_ahead_of_scrapes_are_a_warning() -> None:
    """The fleet is still compiled; the waste is named."""
    _, (warning,) = loaded(HEAD + "evaluation_interval: 15s\n" + POOL)
    assert (warning.severity, warning.where) == ("warning", "fleet.yaml:3")
    assert "(15s) is shorter than `scrape_interval` (30s)" in warning.what


def test_time_zones_come_from_the_pinned_package() -> None:
    """Daylight saving is the package's: the same on every machine."""
    fleet, _ = loaded(HEAD + "timezone: Europe/Berlin\n" + POOL)
    assert fleet.zone.key == "Europe/Berlin"
    assert "tzdata" not in (os.environ.get("PYTHONTZPATH") or "")


def test_file_names_fold_case_and_punctuation() -> None:
    """Two names share a file exactly where some file system would make them."""
    assert file_name("Chat 70B/../x") == file_name("chat-70b-..-x") == "chat-70b-..-x"
    assert file_name("../..") == "unnamed"
    assert len(file_name("ü" * 500).encode()) <= 200


plain_text = st.text(
    st.characters(exclude_categories=("C", "Z"), include_characters=" {}\"'`<>\\$"), min_size=1, max_size=12
).filter(lambda t: t == t.strip() and t)
FLEETS = st.fixed_dictionaries(
    {"version": st.just(1), "name": plain_text},
    optional={
        "timezone": st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]),
        "identity": st.sampled_from(["kubernetes", "host"]),
        "scrape_interval": st.sampled_from(["15s", "30s"]),
        "capacity": st.dictionaries(plain_text, st.integers(5000, 9000), max_size=2),
    },
)
POOLS = st.lists(
    st.fixed_dictionaries(
        {
            "name": plain_text,
            "engine": st.builds(
                lambda kind, minor: {"kind": kind, "version": f"0.{minor}.1"},
                st.sampled_from(["vllm", "sglang"]),
                st.integers(6, 33),
            ),
        },
        optional={
            "model": plain_text,
            "owner": plain_text,
            "gpus": st.fixed_dictionaries({"type": plain_text, "replicas": st.integers(1, 9)}),
            "memory_budget": st.integers(1, 90).map(lambda n: n / 100),
            "objectives": st.dictionaries(
                st.sampled_from(OBJECTIVES), st.integers(1, 10**6).map("{}ms".format), max_size=3
            ),
            "thresholds": st.fixed_dictionaries({"queue_depth": st.integers(0, 10**6)}),
            "interactive": st.booleans(),
        },
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda pool: file_name(pool["name"]),
)


@settings(max_examples=40, deadline=None)
@given(FLEETS, POOLS)
def test_random_fleets_come_back_as_they_were_written(
    fleet: dict[str, Any], pools: list[dict[str, Any]]
) -> None:
    """Whatever names and numbers a fleet has, reading it changes none of them."""
    text = yaml.safe_dump(fleet | {"pools": pools}, allow_unicode=True)
    read, _ = loaded(text)
    assert read.name == fleet["name"]
    for got, pool in zip(read.pools, pools, strict=True):
        assert (got.name, got.model) == (pool["name"], pool.get("model", pool["name"]))
        assert got.engine.model_dump(include={"kind", "version"}) == pool["engine"]
        assert got.replicas_min == pool.get("gpus", {"replicas": 1})["replicas"]
        assert str(float(got.memory_budget or 0)) == str(float(pool.get("memory_budget", 0)))
        assert {k: f"{v * 1000:f}".split(".")[0] + "ms" for k, v in got.objectives.items()} == pool.get(
            "objectives", {}
        )


WORDS = [
    "version",
    "name",
    "pools",
    "engine",
    "gpus",
    "replicas",
    "kind",
    "teams",
    "thresholds",
    "x",
    "1",
    "~",
    "[]",
]
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(Fleet.model_fields)), TREES, max_size=6), POOLS)
def test_no_tree_of_values_brings_a_traceback(tree: dict[str, Any], pools: list[dict[str, Any]]) -> None:
    """Any value under any key is either accepted or refused with findings that have a place."""
    content = yaml.safe_dump({"version": 1, "name": "f", "pools": pools} | tree, allow_unicode=True).encode()
    found: tuple[Finding, ...] = ()
    try:
        load_text("fleet.yaml", content, ROOT, UNITS, engines={"vllm"})
    except Refused as refused:
        found = refused.findings
    assert all(re.fullmatch(r"fleet\.yaml:\d+", finding.where) for finding in found)


ANY_KEYS = [*Pool.model_fields, "min", "max", "kind", "version", "type", "per_replica", "match"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ANY_KEYS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(sorted(set(Fleet.model_fields) - {"pools"})), TREES, max_size=4),
    st.dictionaries(st.sampled_from(sorted(Pool.model_fields)), ANYTHING, max_size=6),
)
def test_no_tree_of_values_hides_a_mistake_elsewhere(tree: dict[str, Any], pool: dict[str, Any]) -> None:
    """Whatever is wrong in one pool or at the top, a name that two other pools share is told in the same run."""
    engine = {"kind": "vllm", "version": "0.32.0"}
    pools = [{"name": "same", "engine": engine}, {"name": "same", "engine": engine}, pool]
    content = yaml.safe_dump(
        {"version": 1, "name": "f"} | tree | {"pools": pools}, allow_unicode=True
    ).encode()
    with pytest.raises(Refused) as refused:
        load_text("fleet.yaml", content, ROOT, UNITS, engines={"vllm"})
    assert any("'same' twice" in finding.what for finding in refused.value.findings)
