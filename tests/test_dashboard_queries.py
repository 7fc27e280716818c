"""What dashboards ask, asked: over the simulated fleet with the compiled rules, and of a real Prometheus."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import yaml

from sre import content
from sre.catalogue.load import load
from sre.compile import grafana, prometheus, proofs
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.compile.scope import Scope
from sre.fleet import Fleet
from sre.promql import quote

# Grafana escapes no double quote in a value that was chosen, unless prometheusSpecialCharsInLabelValues is on.
HOSTILE = "a 'q' {b} `c` ${pool} [[d]] {{ .x }} <script>e</script> \\ $__all | x.*"
OF_PROMETHEUS = {"Rule evaluations that failed", "Time that rule groups take"}


class Asked(NamedTuple):
    """One query of a panel, as Grafana sends it."""

    uid: str
    title: str
    expr: str


def plan_for(*names: str) -> Plan:
    pools = [
        {
            "name": name,
            "engine": {"kind": "vllm", "version": "0.32.0"},
            "gpus": {"type": "h100", "per_replica": 2, "replicas": 2},
        }
        for name in names
    ]
    fleet = {"version": 1, "name": "test", "pools": pools, "usage_exporter": {"job": "sre-exporter"}}
    exporter = {"gpu_exporter": {"kind": "dcgm", "version": "4.8.2"}}
    return make_plan(Fleet.model_validate(fleet | exporter), load(content.root()))


def asked(plan: Plan, pool: str | None = None) -> Iterator[Asked]:
    """Every query of every panel, with all chosen, or one pool."""
    for artefact in grafana.render(plan):
        if artefact.path.endswith(".json"):
            page = json.loads(artefact.text)
            every = {v["name"]: v.get("allValue", "") for v in page["templating"]["list"]}
            chosen = every | ({"pool": escaped(pool)} if pool else {})
            for panel in page["panels"]:
                for target in panel.get("targets", []):
                    yield Asked(page["uid"], panel["title"], sent(target["expr"], chosen))


def sent(expr: str, chosen: dict[str, str]) -> str:
    text = expr.replace("$__rate_interval", "2m")
    return re.sub(r"\$(\w+)", lambda found: chosen.get(found[1], found[0]), text)


def escaped(value: str) -> str:
    """As @grafana/prometheus 13.2.1 (escaping.mjs) writes a value that was chosen into a matcher."""
    return re.sub(r"([$^*{}\[\]+?.()|])", r"\\\\\1", value.replace("\\", "\\\\\\\\"))


def test_every_query_answers_over_the_simulated_fleet(tmp_path: Path) -> None:
    """From raw metrics through the compiled rules to the panel: promtool finds data for every query."""
    plan = plan_for("chat")
    files = []
    for artefact in prometheus.render(plan):
        files.append(Path(artefact.path).name)
        (tmp_path / files[-1]).write_text(artefact.text)
    queries = list(asked(plan))
    # Two hours of a fleet into a quiet night: long enough for an hour's baseline, and every metric is present.
    told = yaml.safe_dump(
        {
            "rule_files": files,
            "evaluation_interval": "30s",
            "group_eval_order": [f"llm-{n}" for n in ("meta", "baseline", "fleet", "engine", "gpu", "usage")],
            "tests": [
                {
                    "interval": "30s",
                    "input_series": story(plan, "quiet_night"),
                    "promql_expr_test": [expected(query.expr) for query in queries],
                }
            ],
        }
    )
    (tmp_path / "all.test.yaml").write_text(told)
    done = subprocess.run(
        ["promtool", "test", "rules", "all.test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    failed = {
        json.loads(f'"{found}"')
        for found in re.findall(r'expr: "((?:[^"\\]|\\.)*)"', done.stdout + done.stderr)
    }
    empty = {query.title for query in queries if expected(query.expr)["expr"] in failed}
    # A healthy card has no XID and no throttling, nothing fires or is missing, and promtool scrapes nothing.
    assert empty == OF_PROMETHEUS | {
        "Firing alerts",
        "New XID errors",
        "Clocks held down",
        "Signals missing",
        "Signals that are missing",
        "No records at all",
        "Time that a scrape takes",
        "Samples per scrape",
    }


def story(plan: Plan, name: str) -> list[dict[str, str]]:
    """The raw series of one simulated story, as the proofs have them."""
    for artefact in proofs.render(plan):
        if f"name: '{name}'" in artefact.text and artefact.path.endswith(".test.yaml"):
            for test in yaml.load(artefact.text, Loader=yaml.CSafeLoader)["tests"]:
                if test["name"] == name:
                    series: list[dict[str, str]] = test["input_series"]
                    return series
    pytest.fail(f"no story {name}")


def expected(expr: str) -> dict[str, Any]:
    one = {"labels": "{}", "value": 1}
    return {"expr": f"clamp_max(count({expr}), 1)", "eval_time": "1h54m", "exp_samples": [one]}


def test_every_query_answers_in_a_real_prometheus(start_prometheus: Callable[..., Any]) -> None:
    """With each recorded series in it, a Prometheus answers every query, also for a pool of hostile name."""
    plan = plan_for(HOSTILE, "batch")
    page = "".join(line for name in plan.series for line in sample(plan, name))
    alert = {"alertname": "LLMEngineDown", "severity": "page", "team": "platform", "pool": HOSTILE}
    page += line("ALERTS", {**alert, "alertstate": "firing"}, 1) + line("ALERTS_FOR_STATE", alert, 1.7e9)
    server = start_prometheus(
        {"job": HOSTILE, "text": page, "honor_labels": True, "labels": {"instance": "a:1"}}
    )
    empty = set()
    for query in asked(plan, pool=HOSTILE):
        answer = requests.post(f"{server.url}/api/v1/query", {"query": query.expr}, timeout=10).json()
        assert answer["status"] == "success", (query, answer)
        if not answer["data"]["result"]:
            empty.add(query.title)
    # Prometheus' own series are not on the page, and the Watchdog does not fire.
    assert empty == OF_PROMETHEUS | {"Watchdog"}


def sample(plan: Plan, name: str) -> Iterator[str]:
    """One series for each pool, its level's labels filled with the pool's own."""
    names = Scope(plan, plan.catalogue.dashboards["llm-gpu"]).labels(name)
    for index, pool in enumerate(plan.fleet.pools):
        told = {"pool": pool.name, "model": pool.model, "team": pool.owner}
        labels = {label: told.get(label, f"{label}-{index}") for label in names}
        for bound in ("0.5", "+Inf") if "le" in names else ("",):
            yield line(name, labels | ({"le": bound} if bound else {}), 1 + index)


def line(name: str, labels: dict[str, str], value: float) -> str:
    inner = ",".join(f"{label}={quote(text)}" for label, text in sorted(labels.items()))
    return f"{name}{{{inner}}} {value}\n"
