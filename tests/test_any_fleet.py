"""Whatever fleet file validates compiles to files that the programs which read them accept."""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import promql_parser
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre import content
from sre.catalogue.bindings import Binding
from sre.catalogue.load import load as load_catalogue
from sre.compile import grafana, operator, prometheus
from sre.compile.compilation import Compilation, compile
from sre.compile.plan import AlertRule, Plan, RecordRule
from sre.compile.planning import make_plan
from sre.compile.thresholds import settable
from sre.findings import Refused, errors
from sre.fleet import Fleet, load_text
from sre.promql import literal
from sre.write import Artefact, write

CATALOGUE = load_catalogue(content.root())

# Letters that mean something to PromQL, YAML, Go templates, HTML, Markdown and JSON, among harmless ones.
LETTERS = "abc-_ .:/\\\"'`{}[]()<>$%&|#*!?,;=~^+@é日"
# What means something to the catalogue, to Prometheus' templates and to regular expressions when it stands together.
WORDS = [
    "@steps", "@up", "@example", "$replica", "$place", "$owner", "$joined", "$rank", "$interval", "$platform",
    "$declared_claims", "$threshold", "$server_errors", "$labels", "$1", "${1}", "{{ define \"x\" }}", "{{.}}", "{{",
    "a{b}", "\"}", "\\n", "\\Q", "[2m]", " offset 1h", "rate(@steps[2m])", "pool:ttft:p95", ".+", "(?i)",
    "\ufeff", "\u200b",
]  # fmt: skip
texts = st.lists(st.sampled_from(LETTERS) | st.sampled_from(WORDS), max_size=8).map("".join)
names = texts.map(str.strip).filter(bool)
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
        "match": st.dictionaries(st.sampled_from(["Hostname", "host", "gpu"]), texts, max_size=2),
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


def loaded(fleet: dict[str, Any]) -> Fleet | None:
    """None where the file is refused, which is an answer too."""
    text = yaml.safe_dump(fleet, allow_unicode=True).encode()
    try:
        read, _ = load_text(
            "fleet.yaml",
            text,
            Path(),
            settable(CATALOGUE),
            engines=CATALOGUE.engines,
            gpu_exporters=CATALOGUE.gpus,
        )
    except Refused:
        return None
    return read


def compiled(fleet: dict[str, Any]) -> Compilation | None:
    """None where there is nothing to write."""
    read = loaded(fleet)
    found = compile(read, CATALOGUE) if read else None
    return None if found is None or errors(found.findings) else found


def run(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(fleet=fleets)
def test_whatever_validates_is_accepted_by_promtool_amtool_and_json(fleet: dict[str, Any]) -> None:
    """Rules load, routes load, dashboards are JSON with their own uid, and every page is there."""
    found = compiled(fleet)
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
    read = loaded(fleet)
    if read is None:
        return
    plan = make_plan(read, CATALOGUE)

    def groups(artefacts: Iterable[Artefact]) -> list[Any]:
        files = [yaml.safe_load(a.text) for a in artefacts if a.path.startswith("prometheus/")]
        return [group for data in files for group in data.get("spec", data)["groups"]]

    assert groups(prometheus.render(plan)) == groups(operator.render(plan))


def rules(plan: Plan) -> list[RecordRule | AlertRule]:
    return [rule for group in plan.groups for rule in group.rules]


def nodes(node: Any) -> Iterator[Any]:
    """An expression of promql-parser's with everything in it."""
    yield node
    children = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector", "param")]
    for child in (*children, *getattr(node, "args", ())):
        if child is not None:
            yield from nodes(child)


def selectors(rule: RecordRule | AlertRule) -> Iterator[tuple[str, list[Any]]]:
    """(metric, matchers) of everything that a rule reads."""
    for node in nodes(promql_parser.parse(rule.expr)):
        if isinstance(node, promql_parser.VectorSelector):
            yield node.name or "", node.matchers.matchers


def stands_for(matchers: list[Any], label: str) -> set[str]:
    """The values of a label that matchers let through: one, or alternatives without any other syntax."""
    (matcher,) = (m for m in matchers if m.name == label)
    if matcher.op == promql_parser.MatchOp.Equal:
        return {matcher.value}
    plain = r"(?:\\.|[^\\.+*?()|\[\]{}^$])+"
    assert matcher.op == promql_parser.MatchOp.Re
    assert re.fullmatch(rf"{plain}(?:\|{plain})*", matcher.value), matcher
    return {re.sub(r"\\(.)", r"\1", part) for part in re.findall(plain, matcher.value)}


def metrics(bindings: Iterable[Binding]) -> set[str]:
    """Every name that bindings may read."""
    plain = {s.metric for binding in bindings for sources in binding.signals.values() for s in sources}
    return {name + suffix for name in plain for suffix in ("", "_bucket", "_sum", "_count")}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(fleet=fleets)
def test_what_a_fleet_file_names_is_selected_letter_by_letter(fleet: dict[str, Any]) -> None:
    """Pools, the exporter's job and the labels of cards stand in the matchers as they are written in the file."""
    read = loaded(fleet)
    if read is None:
        return
    engines, usage = metrics(CATALOGUE.engines.values()), metrics(CATALOGUE.usage.values())
    claimed, pools = list[dict[str, str]](), {pool.name for pool in read.pools}
    for rule in rules(make_plan(read, CATALOGUE)):
        for metric, matchers in selectors(rule):
            if metric in usage:
                assert read.usage_exporter
                assert stands_for(matchers, "job") == {read.usage_exporter.job}
            elif metric in engines:
                assert stands_for(matchers, read.pool_label) == pools
            if isinstance(rule, RecordRule) and rule.record == "gpu:claim:info":
                claimed.append({m.name: m.value for m in matchers})
    matches = [pool.gpus.match for pool in read.pools if pool.gpus and pool.gpus.match]
    assert not read.gpu_exporter or all(match in claimed for match in matches)


def renamed(fleet: Fleet) -> tuple[Fleet, dict[str, str]]:
    """The fleet under harmless names in the same order, and what each of them stands for."""
    gpus, usage = [pool.gpus for pool in fleet.pools if pool.gpus], fleet.usage_exporter
    written = {name for pool in fleet.pools for name in (pool.name, pool.model, pool.owner)}
    written |= {value for one in gpus for value in one.match.values()} | ({usage.job} if usage else set())
    plain = {name: f"n{index:03}" for index, name in enumerate(sorted(written))}

    def rename(part: Any, *names: str) -> Any:
        return part and part.model_copy(update={name: plain[getattr(part, name)] for name in names})

    def rename_cards(part: Any) -> Any:
        return part and part.model_copy(update={"match": {k: plain[v] for k, v in part.match.items()}})

    pools = tuple(
        rename(pool, "name", "model", "owner").model_copy(update={"gpus": rename_cards(pool.gpus)})
        for pool in fleet.pools
    )
    made = fleet.model_copy(update={"pools": pools, "usage_exporter": rename(usage, "job")})
    return made, {name: text for text, name in plain.items()}


def spelled(expr: str) -> tuple[str, list[str]]:
    """An expression without its texts, and the texts as promql-parser reads them."""
    text = re.compile(r'"(?:\\.|[^"\\])*"')
    return text.sub('""', expr), [promql_parser.parse(found).val for found in text.findall(expr)]


def meant(text: str, origin: dict[str, str]) -> set[str]:
    """What stands for a harmless text under the names that were written: itself, in a pattern, in label_replace."""
    names = [origin.get(part, part) for part in text.split("|")]
    if names == text.split("|"):
        return {text}
    return {"|".join(map(literal, names))} if len(names) > 1 else {names[0], names[0].replace("$", "$$")}


def queries(plan: Plan) -> list[str]:
    """Everything that the dashboards ask."""
    texts = (a.text for a in grafana.render(plan) if a.path.endswith(".json"))
    return [line for text in texts for line in re.findall(r'"(?:expr|query|definition)": (".*")', text)]


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(fleet=fleets)
def test_names_change_what_rules_compare_with_and_nothing_else(fleet: dict[str, Any]) -> None:
    """Under other names alerts and dashboards are the same to the letter, and recorded series but for the names."""
    read = loaded(fleet)
    if read is None:
        return
    harmless, origin = renamed(read)
    made, other = make_plan(read, CATALOGUE), make_plan(harmless, CATALOGUE)
    assert queries(made) == queries(other)
    for rule, like in zip(rules(made), rules(other), strict=True):
        if isinstance(rule, AlertRule) or isinstance(like, AlertRule):
            assert rule == like
            continue
        (shape, texts), (same, plain) = spelled(rule.expr), spelled(like.expr)
        assert (rule.record, shape) == (like.record, same)
        assert all(text in meant(was, origin) for text, was in zip(texts, plain, strict=True))
        assert rule.labels == {key: origin.get(value, value) for key, value in like.labels.items()}
