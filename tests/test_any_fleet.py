"""Whatever fleet file validates compiles to files that the programs which read them accept."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre import content
from sre.catalogue.load import load as load_catalogue
from sre.compile.compilation import Compilation, compile
from sre.compile.thresholds import settable
from sre.findings import Refused, errors
from sre.fleet import load_text
from sre.write import write

CATALOGUE = load_catalogue(content.root())

# Letters that mean something to PromQL, YAML, Go templates, HTML, Markdown and JSON, among harmless ones.
names = (
    st.text(st.sampled_from("abc-_ .:/\\\"'`{}[]()<>$%&|#*!?,;=~^+@é日"), min_size=1, max_size=12)
    .map(str.strip)
    .filter(bool)
)
versions = st.sampled_from(["0.6.0", "0.6.6", "0.8.5", "0.10.2", "0.11.2", "0.20.0", "0.32.0", "0.33.0"])
latencies = st.sampled_from(["1ms", "80ms", "500ms", "2s", "7.5s"])
limits = st.fixed_dictionaries(
    {},
    optional={
        "queue_depth": st.integers(1, 9999),
        "error_rate": st.sampled_from([0.01, "5%"]),
        "gpu_temperature": st.integers(60, 100),
    },
)
cards = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["h100", "l40s"]),
        "replicas": st.integers(1, 64) | st.just({"min": 0, "max": 9}),
    },
    optional={
        "per_replica": st.integers(1, 8),
        "match": st.dictionaries(st.sampled_from(["host", "gpu"]), names, max_size=1),
    },
)
pools = st.fixed_dictionaries(
    {"name": names, "engine": st.fixed_dictionaries({"kind": st.just("vllm"), "version": versions})},
    optional={
        "model": names,
        "owner": names,
        "gpus": cards,
        "interactive": st.booleans(),
        "memory_budget": st.sampled_from([0.5, 0.9, 0.92]),
        "objectives": st.fixed_dictionaries(
            {}, optional={"ttft_p95": latencies, "itl_p95": latencies, "e2e_p99": latencies}
        ),
        "thresholds": limits,
    },
)
fleets = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "name": names,
        "pools": st.lists(pools, min_size=1, max_size=4, unique_by=lambda p: p["name"]),
    },
    optional={
        "identity": st.sampled_from(["kubernetes", "host"]),
        "timezone": st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "UTC"]),
        "pool_label": st.sampled_from(["job", "pool", "service"]),
        "gpu_exporter": st.fixed_dictionaries(
            {"kind": st.just("dcgm"), "version": st.sampled_from(["3.3.0", "4.8.2", "4.8.3", "4.9.0"])},
            optional={"honor_labels": st.booleans(), "counters": st.sampled_from(["image", "chart"])},
        ),
        "usage_exporter": st.fixed_dictionaries({"job": names}),
        "runbook_base_url": st.just("https://runbooks.example.com/llm/"),
        "grafana_base_url": st.just("https://grafana.example.com"),
        "teams": st.lists(st.fixed_dictionaries({"name": names}), max_size=3, unique_by=lambda t: t["name"]),
    },
)


def compiled(fleet: dict[str, Any], target: str) -> Compilation | None:
    """None where the file is refused, which is an answer too."""
    text = yaml.safe_dump(fleet, allow_unicode=True).encode()
    try:
        loaded, _ = load_text(
            "fleet.yaml",
            text,
            Path(),
            settable(CATALOGUE),
            engines=CATALOGUE.engines,
            gpu_exporters=CATALOGUE.gpus,
        )
    except Refused:
        return None
    found = compile(loaded, CATALOGUE, target)  # type: ignore[arg-type]
    return None if errors(found.findings) else found


def run(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(fleet=fleets)
def test_whatever_validates_is_accepted_by_promtool_amtool_and_json(fleet: dict[str, Any]) -> None:
    """Rules load, routes load, dashboards are JSON with their own uid, and every page is there."""
    found = compiled(fleet, "prometheus")
    if found is None:
        return
    with TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        write(found.artefacts, out)
        run("promtool", "check", "rules", *map(str, sorted((out / "prometheus").glob("*.yaml"))))
        run("amtool", "check-config", str(out / "alertmanager" / "alertmanager.yaml"))
        dashboards = {p.stem: json.loads(p.read_text()) for p in (out / "grafana").glob("*.json")}
        assert all(uid == dashboard["uid"] for uid, dashboard in dashboards.items())
        manifest = json.loads((out / "manifest.json").read_text())
        assert {name for name in manifest["alerts"] if (out / "runbooks" / f"{name}.md").exists()} == set(
            manifest["alerts"]
        )


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(fleet=fleets)
def test_operator_objects_hold_the_same_groups(fleet: dict[str, Any]) -> None:
    """PrometheusRule objects are the rule files in another wrapping, whatever the fleet is called."""
    plain, wrapped = compiled(fleet, "prometheus"), compiled(fleet, "operator")
    if plain is None or wrapped is None:
        return

    def groups(found: Compilation) -> list[Any]:
        files = [yaml.safe_load(a.text) for a in found.artefacts if a.path.startswith("prometheus/")]
        return [group for data in files for group in data.get("spec", data)["groups"]]

    assert groups(plain) == groups(wrapped)
