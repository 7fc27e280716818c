"""Dashboards: from YAML to Grafana's JSON, checked by Grafana's own model, by rules, and by asking a Prometheus."""

import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from sre import content
from sre.catalogue.dashboards import load_dashboards
from sre.catalogue.load import load
from sre.catalogue.model import Catalogue
from sre.compile import grafana
from sre.compile.alerts import DASHBOARDS
from sre.compile.plan import Plan, RecordRule
from sre.compile.planning import make_plan
from sre.findings import Refused
from sre.fleet import Fleet

UIDS = ("llm-fleet", "llm-gpu", "llm-monitoring", "llm-pool", "llm-replica", "llm-usage")
OUTSIDE = re.compile(r"ALERTS(_FOR_STATE)?|(scrape|prometheus)_\w+")
HOSTILE = 'a "q" {b} `c` ${pool} [[d]] {{ .x }} <script>e</script> \\ $__all | x'

POOLS = [
    {
        "name": "chat",
        "engine": {"kind": "vllm", "version": "0.32.0"},
        "model": "llama",
        "gpus": {"type": "h100", "per_replica": 2, "replicas": 3},
        "objectives": {"ttft_p95": "700ms"},
    },
    {
        "name": "batch",
        "engine": {"kind": "vllm", "version": "0.32.0"},
        "gpus": {"type": "l40s", "replicas": {"min": 1, "max": 4}},
        "interactive": False,
    },
]

Json = dict[str, Any]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(content.root())


def fleet(**more: Any) -> Fleet:
    base = {
        "version": 1,
        "name": "test",
        "pools": POOLS,
        "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
        "runbook_base_url": "https://runbooks.example.com/llm",
    }
    return Fleet.model_validate(base | more)


FLEETS = {
    "kubernetes": fleet(),
    "host": fleet(identity="host", pool_label="pool", usage_exporter={"job": "sre-exporter"}),
    "engines only": fleet(gpu_exporter=None, runbook_base_url=None),
    "batch only": fleet(pools=[{**POOLS[1], "engine": {"kind": "vllm", "version": "0.6.0"}}]),
}


@pytest.fixture(scope="module", params=FLEETS)
def plan(request: pytest.FixtureRequest, catalogue: Catalogue) -> Plan:
    """Fleets of different shape: what holds for dashboards holds for all of them."""
    return make_plan(FLEETS[request.param], catalogue)


def pages(plan: Plan) -> dict[str, Json]:
    made = [a for a in grafana.render(plan) if a.path.endswith(".json")]
    return {a.path.removeprefix("grafana/").removesuffix(".json"): json.loads(a.text) for a in made}


def panels(page: Json) -> list[Json]:
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def targets(page: Json) -> Iterator[tuple[Json, Json]]:
    return ((panel, target) for panel in panels(page) for target in panel.get("targets", []))


def asked(page: Json) -> Iterator[str]:
    """Every expression that a dashboard sends: of panels, of regions and of variables."""
    yield from (target["expr"] for _, target in targets(page))
    yield from (note["target"]["expr"] for note in page["annotations"]["list"] if "target" in note)
    for variable in page["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"].removeprefix("label_values(").rpartition(", ")[0]


def chosen(expr: str, page: Json, **values: str) -> str:
    """The expression as Grafana sends it: `All` is the variable's allValue, a value is escaped."""
    for variable in page["templating"]["list"]:
        name = variable["name"]
        value = escaped(values[name]) if name in values else variable.get("allValue", "")
        expr = expr.replace(f"${name}", value)
    return expr.replace("$__rate_interval", "2m")


def escaped(value: str) -> str:
    """As @grafana/prometheus 13.2.1 (escaping.mjs) writes a chosen value into a matcher; `"` it leaves as it is."""
    return re.sub(r"([$^*{}\[\]+?.()|])", r"\\\\\1", value.replace("\\", "\\\\\\\\"))


def names_read(expr: str) -> set[str]:
    found: set[str] = set()

    def see(node: Any) -> bool:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            found.add(selector.name or "")
        return True

    promql_parser.walk(promql_parser.parse(expr), see)
    return found


def of_alert(page: Json, uid: str, alert: str) -> Json | None:
    return next((p for p in panels(page) if p["id"] == grafana.panel_id(uid, alert)), None)


# --- what is drawn -------------------------------------------------------------------------------------------


def test_one_dashboard_per_question(plan: Plan) -> None:
    """Six dashboards at readable addresses, and the file that makes Grafana load them."""
    made = list(grafana.render(plan))
    assert [a.path for a in made] == [*(f"grafana/{uid}.json" for uid in UIDS), "grafana/provisioning.yaml"]
    assert {uid: page["uid"] for uid, page in pages(plan).items()} == dict(zip(UIDS, UIDS, strict=True))
    (provider,) = yaml.safe_load(made[-1].text)["providers"]
    assert provider["type"] == "file"
    assert not provider["allowUiUpdates"]


def test_every_alert_has_exactly_one_panel(plan: Plan) -> None:
    """Each alert is on the dashboard that its link leads to, and on no other; a silent one says why there."""
    found = pages(plan)
    for planned in plan.alerts:
        name = planned.alert.name
        holders = [uid for uid, page in found.items() if of_alert(page, uid, name)]
        assert holders == [DASHBOARDS[planned.alert.level][0]], name
        panel = of_alert(found[holders[0]], holders[0], name)
        assert panel is not None
        assert name in panel["description"]
        assert (panel["type"] == "text") == (not planned.rules), name
        if not planned.rules:
            assert f"**{name}** is {planned.state} in this fleet" in panel["options"]["content"]


def test_a_panel_draws_what_its_alert_watches(plan: Plan) -> None:
    """The alert's own series is the first line, and each limit that it compares with is a dashed one."""
    found = pages(plan)
    for planned in plan.alerts:
        alert = planned.alert
        uid = DASHBOARDS[alert.level][0]
        panel = of_alert(found[uid], uid, alert.name)
        if not planned.rules or panel is None:
            continue
        drawn = {target["refId"]: target["expr"] for target in panel["targets"]}
        watched = alert.shows if ":" in alert.shows else "ALERTS"
        assert watched in names_read(drawn["A"]), alert.name
        limits = {name for ref, expr in drawn.items() if ref.startswith("LIMIT") for name in names_read(expr)}
        own = {
            f"{'fleet' if plan.catalogue.thresholds[t].fleet else 'pool'}:{t}:threshold"
            for t in [alert.threshold]
            if t
        }
        assert own <= limits, alert.name
        dashed = {o["matcher"]["options"] for o in panel["fieldConfig"].get("overrides", []) for p in o["properties"]
                  if p["id"] == "custom.lineStyle" and p["value"] == {"fill": "dash", "dash": [10, 10]}}  # fmt: skip
        assert dashed == {ref for ref in drawn if ref.startswith("LIMIT")}, alert.name


def test_the_line_is_the_number_that_the_alert_compares_with(catalogue: Catalogue) -> None:
    """An objective of 700 ms is one recorded series: the alert reads it and the panel draws it."""
    plan = make_plan(fleet(), catalogue)
    (rule,) = [r for g in plan.groups for r in g.rules if isinstance(r, RecordRule)
               and r.record == "pool:ttft_p95:threshold" and r.labels == {"pool": "chat"}]  # fmt: skip
    assert rule.expr == "vector(0.7)"
    panel = of_alert(pages(plan)["llm-pool"], "llm-pool", "LLMTimeToFirstTokenHigh")
    assert panel is not None
    lines = {target["legendFormat"]: target["expr"] for target in panel["targets"]}
    assert lines == {
        "{{pool}} p95": 'pool:ttft:p95{pool=~"$pool"}',
        "{{pool}} p50": 'pool:ttft:p50{pool=~"$pool"}',
        "{{pool}} p99": 'pool:ttft:p99{pool=~"$pool"}',
        "limit {{pool}}": 'pool:ttft_p95:threshold{pool=~"$pool"}',
    }
    assert panel["fieldConfig"]["defaults"]["unit"] == "s"


def test_a_share_of_the_usual_is_drawn_where_it_lies(catalogue: Catalogue) -> None:
    """A limit that means `half of the usual` is drawn at half of the usual, not at 50 %."""
    page = pages(make_plan(fleet(), catalogue))["llm-pool"]
    panel = of_alert(page, "llm-pool", "LLMPrefixCacheHitRateLow")
    assert panel is not None
    lines = {target["refId"]: target["expr"] for target in panel["targets"]}
    assert lines["LIMIT"] == (
        'pool:prefix_cache_drop:threshold{pool=~"$pool"} * on (pool) pool:prefix_cache_hit:baseline{pool=~"$pool"}'
    )


def test_a_card_shows_its_own_pools_limit(catalogue: Catalogue) -> None:
    """On one card's graph stands the limit of the pool that it belongs to, not those of all pools."""
    panel = of_alert(pages(make_plan(fleet(), catalogue))["llm-gpu"], "llm-gpu", "GPUMemoryHigh")
    assert panel is not None
    limit = next(t["expr"] for t in panel["targets"] if t["refId"] == "LIMIT")
    assert limit.startswith("pool:gpu_memory_used:threshold{")
    assert " and on (pool) gpu:memory_used:ratio{" in limit
    assert 'uuid=~"$uuid"' in limit


def test_descriptions_say_when_it_fires_and_what_to_do(catalogue: Catalogue) -> None:
    """Behind the i of a panel stand the alert, its severity, its condition and its runbook."""
    panel = of_alert(pages(make_plan(fleet(), catalogue))["llm-pool"], "llm-pool", "LLMQueueDepthHigh")
    assert panel is not None
    assert "**LLMQueueDepthHigh** (page): Requests pile up in front of the engine." in panel["description"]
    assert (
        "Fires after 2m of:\n\n- page: `pool:queue_depth:sum > pool:queue_depth:threshold`"
        in panel["description"]
    )
    url = "https://runbooks.example.com/llm/LLMQueueDepthHigh"
    assert f"[Runbook](<{url}>)" in panel["description"]
    assert [(link["title"], link["url"]) for link in panel["links"]] == [("Runbook: LLMQueueDepthHigh", url)]


def test_the_description_of_a_blind_alert_says_so_and_promises_nothing(catalogue: Catalogue) -> None:
    """No condition, no limit: an alert that is not compiled neither fires nor draws a line."""
    panel = of_alert(pages(make_plan(fleet(), catalogue))["llm-usage"], "llm-usage", "LLMUsageUnaccounted")
    assert panel is not None
    told = panel["description"]
    assert "**LLMUsageUnaccounted** (ticket): The gateway counts fewer tokens than the engines." in told
    assert "It is blind in this fleet, and never fires: the panel says why." in told
    assert "Fires after" not in told
    assert "Dashed" not in told


def test_a_long_list_of_pools_is_cut_in_a_description(catalogue: Catalogue) -> None:
    """Of twelve pools that lack the same the first three are named, and the others are counted, under one reason."""
    old = [
        {"name": f"old-{i:02}", "engine": {"kind": "vllm", "version": "0.6.3"}, "model": "m"}
        for i in range(12)
    ]
    new = {"name": "new", "engine": {"kind": "vllm", "version": "0.32.0"}, "model": "m"}
    plan = make_plan(Fleet.model_validate({"version": 1, "name": "f", "pools": [new, *old]}), catalogue)
    panel = of_alert(pages(plan)["llm-pool"], "llm-pool", "LLMPrefixCacheHitRateLow")
    assert panel is not None
    assert panel["description"].count("has no prefix_cache_hits yet") == 1
    assert "- blind in pools old-00, old-01, old-02 and 9 more pools&#58; vllm 0.6.3" in panel["description"]


def test_long_lists_are_cut_in_a_description(catalogue: Catalogue) -> None:
    """Of forty XIDs in a condition the first stand in the description, with what the rule says to do."""
    panel = of_alert(pages(make_plan(fleet(), catalogue))["llm-gpu"], "llm-gpu", "GPUXidError")
    assert panel is not None
    assert "- page (reboot): `gpu_xid:new:state{xid=~" in panel["description"]
    assert re.search(
        r'- ticket \(restart_app\): `gpu_xid:new:state\{xid=~"[0-9|]+…"\}`', panel["description"]
    )


def test_without_a_base_address_the_runbook_is_named(catalogue: Catalogue) -> None:
    """Where the fleet file says no address, a panel names the file instead of linking nowhere."""
    plan = make_plan(FLEETS["engines only"], catalogue)
    panel = of_alert(pages(plan)["llm-pool"], "llm-pool", "LLMQueueDepthHigh")
    assert panel is not None
    assert "Runbook: `runbooks/LLMQueueDepthHigh.md`" in panel["description"]
    assert panel["links"] == []


def test_a_counter_to_switch_on_is_named_where_its_line_would_be(catalogue: Catalogue) -> None:
    """An empty panel of an alert that lacks a counter says which one."""
    panel = of_alert(pages(make_plan(fleet(), catalogue))["llm-gpu"], "llm-gpu", "GPUThrottling")
    assert panel is not None
    assert panel["fieldConfig"]["defaults"]["noValue"] == "Needs counter DCGM_FI_DEV_CLOCKS_EVENT_REASONS"


def test_blind_alerts_are_listed_with_their_reasons(catalogue: Catalogue) -> None:
    """The monitoring dashboard says which alerts do not see, where and why."""
    page = pages(make_plan(fleet(), catalogue))["llm-monitoring"]
    (text,) = [
        p["options"]["content"] for p in panels(page) if p["title"] == "Alerts that do not see everywhere"
    ]
    assert "| LLMUsageUnaccounted | blind | everywhere | no " in text
    assert re.search(r"\| LLMInterTokenLatencyHigh \| off in part \| batch \| ", text)


# --- what is asked -------------------------------------------------------------------------------------------


def test_every_query_parses_and_reads_what_is_recorded(plan: Plan) -> None:
    """No panel asks for a series that no rule of this fleet records; raw engine metrics end below."""
    for uid, page in pages(plan).items():
        for expr in asked(page):
            for name in names_read(chosen(expr, page)):
                assert name in plan.series or OUTSIDE.fullmatch(name), f"{uid}: {expr}"


def test_every_query_keeps_to_what_was_chosen(plan: Plan) -> None:
    """Whatever a viewer chooses at the top narrows each query that has the label."""
    for page in pages(plan).values():
        known = {v["name"] for v in page["templating"]["list"]} - {"datasource"}
        for panel, target in targets(page):
            levels = {name.split(":")[0].split("_")[0] for name in names_read(chosen(target["expr"], page))}
            if "pool" in known and levels & {"pool", "replica", "gpu"}:
                assert '"$pool' in target["expr"], panel["title"]
            if "replica" in known and "replica" in levels:
                assert f'{plan.identity.replica_label}=~"$replica"' in target["expr"], panel["title"]
            if "uuid" in known and "gpu" in levels:
                assert 'uuid=~"$uuid"' in target["expr"], panel["title"]


def test_choices_narrow_each_other_downwards(catalogue: Catalogue) -> None:
    """Pool, replica, host, card: each offers what is left by those before it, and `All` stays one short pattern."""
    page = pages(make_plan(fleet(), catalogue))["llm-gpu"]
    source, *rest = page["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert [(v["name"], v["query"]["query"]) for v in rest] == [
        ("pool", "label_values(gpu:card:info, pool)"),
        ("replica", 'label_values(gpu:card:info{pool=~"$pool"}, pod)'),
        ("host", 'label_values(gpu:card:info{pool=~"$pool", pod=~"$replica"}, host)'),
        ("uuid", 'label_values(gpu:card:info{pool=~"$pool", pod=~"$replica", host=~"$host"}, uuid)'),
    ]
    # A card of no pool has no such label: only `.*` shows it.
    assert [v["allValue"] for v in rest] == [".*", ".*", ".*", ".+"]
    for page in pages(make_plan(fleet(), catalogue)).values():
        for variable in page["templating"]["list"][1:]:
            assert variable["multi"], "only values of such a variable are escaped inside a matcher"
            assert variable["refresh"] == 2
            assert variable["allValue"] == ".+" or page["uid"] == "llm-gpu"


def test_on_bare_metal_a_replica_is_an_instance(catalogue: Catalogue) -> None:
    """The same dashboards speak of instances and hosts where there are no pods."""
    found = pages(make_plan(FLEETS["host"], catalogue))
    assert 'label_values(replica:up:state{pool=~"$pool"}, instance)' in json.dumps(
        [v.get("definition") for v in found["llm-replica"]["templating"]["list"]]
    ).replace('\\"', '"')
    assert not any(re.search(r"\bpod\b", expr) for page in found.values() for expr in asked(page))


def test_firing_alerts_are_regions_on_every_graph(plan: Plan) -> None:
    """What fires is marked within the chosen pool; what is pending can be switched on; Watchdog is no news."""
    for uid, page in pages(plan).items():
        firing, pending = (
            n for n in page["annotations"]["list"] if "alerts" in n["name"].lower() and "target" in n
        )
        assert (firing["enable"], pending["enable"]) == (True, False)
        assert 'alertstate="firing"' in firing["target"]["expr"]
        assert 'severity!="none"' in firing["target"]["expr"]
        assert 'pool=~"$pool' in firing["target"]["expr"] or (
            uid == "llm-gpu" and not plan.fleet.gpu_exporter
        )
        assert set(re.findall(r"{{(\w+)}}", firing["titleFormat"] + firing["textFormat"])) <= {
            "alertname",
            "severity",
            "team",
        }


def test_what_fires_leads_to_runbook_and_dashboard(catalogue: Catalogue) -> None:
    """In the table of firing alerts the name opens the runbook; pool, replica and card open their dashboards."""
    page = pages(make_plan(fleet(), catalogue))["llm-fleet"]
    (table,) = [p for p in panels(page) if p["title"] == "Firing alerts"]
    links = {o["matcher"]["options"]: p["value"][0]["url"] for o in table["fieldConfig"]["overrides"]
             for p in o["properties"] if p["id"] == "links"}  # fmt: skip
    assert links["Alert"] == "https://runbooks.example.com/llm/${__value.raw}"
    assert {column: url.partition("?")[0] for column, url in links.items() if column != "Alert"} == {
        "Replica": "/d/llm-replica",
        "Pool": "/d/llm-pool",
        "Host": "/d/llm-gpu",
        "Card": "/d/llm-gpu",
        "Model": "/d/llm-usage",
    }


def test_one_path_from_the_fleet_to_the_card(catalogue: Catalogue) -> None:
    """Lines lead down from fleet to pool to replica to card, keeping time, data source and what was chosen."""
    found = pages(make_plan(fleet(), catalogue))
    ways = {(uid, link["url"]) for uid, page in found.items() for panel in panels(page)
            for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links", [])}  # fmt: skip
    keep = "${datasource:queryparam}&${__url_time_range}"
    pool = "var-pool=${__field.labels.pool:percentencode}"
    assert ("llm-fleet", f"/d/llm-pool?{pool}&{keep}") in ways
    card = "var-host=${__field.labels.host:percentencode}&var-uuid=${__field.labels.uuid:percentencode}"
    assert ("llm-replica", f"/d/llm-gpu?${{pool:queryparam}}&${{replica:queryparam}}&{card}&{keep}") in ways
    (replicas,) = [p for p in panels(found["llm-pool"]) if p["title"] == "Replicas"]
    assert (
        '/d/llm-replica?${pool:queryparam}&var-replica=${__data.fields[\\"Replica\\"]:percentencode}'
        in json.dumps(replicas)
    )
    for page in found.values():
        (dropdown,) = page["links"]
        assert dropdown["asDropdown"]
        assert dropdown["includeVars"]
        assert dropdown["keepTime"]
        assert set(dropdown["tags"]) <= set(page["tags"])


# --- the shape of the JSON -----------------------------------------------------------------------------------


def test_grafanas_own_model_drops_nothing(plan: Plan) -> None:
    """Read into Grafana's published model and written again, each dashboard is the same."""
    with warnings.catch_warnings():
        # The v1 model announces v2; v1 is what Grafana 10 to 13 load alike.
        warnings.simplefilter("ignore")
        from grafana_foundation_sdk.cog import plugins
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.models.dashboard import Dashboard

        plugins.register_default_plugins()
        for uid, page in pages(plan).items():
            again = json.loads(JSONEncoder().encode(Dashboard.from_json(page)))
            assert list(lost(page, again, uid)) == []


def lost(ours: Any, theirs: Any, path: str) -> Iterator[str]:
    """Paths of what is missing or different in ``theirs``; nothing and an empty list are the same."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from lost(value, theirs[key], f"{path}.{key}")
            elif value not in (None, [], {}):
                yield f"{path}.{key}"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(one, other, f"{path}[{index}]")
    elif ours != theirs:
        yield f"{path}: {ours!r} became {theirs!r}"


EXCLUDED = {
    "template-job-rule": "pools are chosen, and a pool is the value of the job label, or of another",
    "template-instance-rule": "replicas are chosen by the label that names them: pod or instance",
    "target-job-rule": "recorded series have no job",
    "target-instance-rule": "recorded series have no instance where there are pods",
    "target-logql-rule": "no logs are shown",
}
"""Rules of grafana/dashboard-linter that fit dashboards of one service, with the reason why not these."""


def complaints(page: Json) -> Iterator[str]:
    """The rules of grafana/dashboard-linter (4d0844b) that apply here, by their names, and some of our own."""
    if page.get("editable", True):
        yield "uneditable-dashboard"
    if (
        page["templating"]["list"][0]["name"] != "datasource"
        or page["templating"]["list"][0]["label"] != "Data source"
    ):
        yield "template-datasource-rule"
    for variable in page["templating"]["list"]:
        if variable["type"] == "query" and variable["refresh"] != 2:
            yield f"template-on-time-change-reload-rule {variable['name']}"
    if page["schemaVersion"] != 39 or page["timezone"] != "browser":
        yield "own: schema or time zone"
    if not re.fullmatch(r"[1-9]\d*m", page["refresh"]):
        yield "own: refresh under a minute"
    for panel in panels(page):
        yield from (f"{what} {panel['title']!r}" for what in objections(panel))


def objections(panel: Json) -> Iterator[str]:
    if not panel.get("title") or not panel.get("description"):
        yield "panel-title-description-rule"
    if panel["type"] == "text":
        return
    if panel["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
        yield "panel-datasource-rule"
    if not panel["targets"]:
        yield "panel-no-targets-rule"
    defaults = panel["fieldConfig"]["defaults"]
    if not defaults.get("unit") and not panel["options"].get("yAxis", {}).get("unit"):
        yield "panel-units-rule"
    if not defaults.get("noValue"):
        yield "own: absence is not explained"
    yield from badly_scaled(panel)
    for target in panel["targets"]:
        if re.search(r"\b(i?rate|increase)\([^\]]*\[(?!\$__rate_interval)", target["expr"]):
            yield "target-rate-interval-rule"
        if target["datasource"]["uid"] != "${datasource}":
            yield "target-datasource-rule"


def badly_scaled(panel: Json) -> Iterator[str]:
    if "maxDataPoints" in panel or any("intervalFactor" in target for target in panel["targets"]):
        yield "own: fewer points than pixels"
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    if any(not (step["value"] is None or isinstance(step["value"], float)) for step in steps):
        yield "own: a threshold that is no number"
    if [step["value"] for step in steps] in ([None, 80], [0, 80]):
        yield "own: the editor's leftover threshold"


def test_the_linters_rules_hold(plan: Plan) -> None:
    """Grafana's dashboard linter would pass them, but for the rules that do not fit."""
    assert {uid: list(complaints(page)) for uid, page in pages(plan).items()} == {uid: [] for uid in UIDS}


def test_panels_do_not_overlap(plan: Plan) -> None:
    """Every panel has a place of its own within 24 columns."""
    for page in pages(plan).values():
        cells = [(x, y) for p in page["panels"] for g in [p["gridPos"]]
                 for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])]  # fmt: skip
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24


def test_numbers_of_panels_are_unique_and_stay(catalogue: Catalogue) -> None:
    """A link to a panel survives panels that come and go around it."""
    whole, fewer = (pages(make_plan(FLEETS[name], catalogue)) for name in ("host", "engines only"))
    for uid in UIDS:
        numbers = [panel["id"] for panel in whole[uid]["panels"]]
        assert len(numbers) == len(set(numbers))
        titles = {panel["title"]: panel["id"] for panel in whole[uid]["panels"]}
        assert all(titles[p["title"]] == p["id"] for p in fewer[uid]["panels"] if p["title"] in titles)


def test_same_input_same_bytes(tmp_path: Path) -> None:
    """Neither hash seeds nor the locale nor the folder change a byte."""
    script = (
        "import sys, hashlib; from sre import content, fleet; from sre.catalogue.load import load\n"
        "from sre.compile import grafana; from sre.compile.planning import make_plan\n"
        "plan = make_plan(fleet.load(sys.argv[1])[0], load(content.root()))\n"
        "print(hashlib.sha256(''.join(a.text for a in grafana.render(plan)).encode()).hexdigest())"
    )
    example = content.root() / "examples" / "fleet.yaml"
    seen = {
        subprocess.run(
            [sys.executable, "-c", script, str(example)],
            env=os.environ
            | {"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": "Asia/Tokyo" if seed == "7" else "UTC"},
            cwd=tmp_path,
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale in (("0", "C"), ("7", "C.UTF-8"))
    }
    assert len(seen) == 1


# --- what comes from outside ---------------------------------------------------------------------------------


def test_hostile_names_stay_names(catalogue: Catalogue) -> None:
    """A pool with quotes, braces and HTML in its name enters no query, no template and no markup."""
    pools = [
        {**POOLS[0], "name": HOSTILE, "owner": HOSTILE, "model": HOSTILE},
        {**POOLS[1], "name": f"{HOSTILE}2"},
    ]
    plan = make_plan(fleet(name=HOSTILE, pools=pools), catalogue)
    for page in pages(plan).values():
        for expr in asked(page):
            promql_parser.parse(chosen(expr, page))
            assert "script" not in expr
        for variable in page["templating"]["list"]:
            assert variable.get("current", {}).get("value") in (None, ["$__all"], [HOSTILE])
        for panel in panels(page):
            words = panel["title"] + panel["description"] + panel.get("options", {}).get("content", "")
            assert "<script" not in words
            assert "${" not in words
            assert "[[" not in words
            assert "{{" not in words


def test_a_chosen_value_is_escaped_twice(catalogue: Catalogue) -> None:
    """A name full of pattern characters still selects itself alone, once Grafana has escaped it."""
    page = pages(make_plan(fleet(), catalogue))["llm-pool"]
    for expr in asked(page):
        promql_parser.parse(chosen(expr, page, pool="a.b|c(d"))


def test_an_alert_of_a_teams_own_gets_a_panel(tmp_path: Path) -> None:
    """A team that adds an alert sees it on the dashboard that its link leads to, without drawing anything."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "own.yaml").write_text(
        """
        thresholds:
          own_wait: {unit: seconds, default: 2s, why: Ours.}
        alerts:
          OwnWaitHigh:
            level: pool
            unit: seconds
            threshold: own_wait
            within: 10m
            shows: pool:queue_wait:p95
            rules: [{severity: ticket, expr: "pool:queue_wait:p95 > $threshold"}]
            summary: Requests wait too long
            description: "Pool {pool}: {value}, limit {threshold}."
            fault: overload
            why: Ours.
        """
    )
    (tmp_path / "runbooks").mkdir()
    page = (content.root() / "runbooks" / "LLMQueueDepthHigh.md").read_text()
    (tmp_path / "runbooks" / "OwnWaitHigh.md").write_text(page)
    try:
        own = load(content.root(), tmp_path)
    except Refused as refused:
        pytest.fail(str(refused))
    panel = of_alert(pages(make_plan(fleet(), own))["llm-pool"], "llm-pool", "OwnWaitHigh")
    assert panel is not None
    assert panel["title"] == "Requests wait too long"
    assert [target["refId"] for target in panel["targets"]] == ["A", "LIMIT"]


def written(folder: Path, text: str) -> Path:
    (folder / "dashboards").mkdir(exist_ok=True)
    (folder / "dashboards" / "own.yaml").write_text(text)
    return folder / "dashboards"


OWN = """\
uid: own
title: Own
about: What we look at.
rows:
  - title: One
    panels:
      - title: Waiting
        about: By pool.
        queries: [pool:queue_depth:sum]
"""


def test_adding_a_dashboard_is_adding_a_file(tmp_path: Path) -> None:
    """A YAML file in a team's own folder becomes one more dashboard, beside the built-in ones."""
    written(tmp_path, OWN)
    found = pages(make_plan(fleet(), load(content.root(), tmp_path)))
    assert set(found) == {*UIDS, "own"}
    assert [target["expr"] for _, target in targets(found["own"])] == ["pool:queue_depth:sum"]


@pytest.mark.parametrize(
    ("old", "new", "where", "what", "fix"),
    [
        ("about: By pool", "abuot: By pool", 8, "unknown key `abuot`", "did you mean `about`?"),
        ("uid: own", "uid: Own Page", 1, "'Own Page' is no uid", "llm-pool"),
        ("queries: [pool:queue_depth:sum]", "queries: ['sum(']", 9, "does not parse", "write PromQL"),
        ("queries: [pool:queue_depth:sum]", "unit: requests", 7, "draws nothing", "add `queries:`"),
        ("title: Waiting\n", "title: Waiting\n        draw: table\n", 7, "has no rows", "add `by: [pool]`"),
        ("about: What", "refresh: often\nabout: What", 3, "'often' is no time span", "like 3h"),
        ("about: What", "firing: up\nabout: What", 3, "'up' selects no alerts", "write ALERTS"),
        ("rows:", "rows: []\nrest:", 4, "`rows` has no entry", "write at least one"),
    ],
)
def test_a_broken_dashboard_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, where: int, what: str, fix: str
) -> None:
    """What is wrong is said with file, line, reason and what to write instead."""
    assert old in OWN
    loaded, findings = load_dashboards(written(tmp_path, OWN.replace(old, new)))
    assert not loaded
    said = [f for f in findings if what in f.what]
    assert said, findings
    assert said[0].where == f"{tmp_path}/dashboards/own.yaml:{where}"
    assert fix in said[0].fix


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Two mistakes on one page are two findings, and the other pages are still read."""
    folder = written(
        tmp_path, OWN.replace("uid: own", "uid: O").replace("[pool:queue_depth:sum]", "['sum(']")
    )
    (folder / "good.yaml").write_text(OWN.replace("uid: own", "uid: good"))
    (folder / "twin.yaml").write_text(OWN.replace("uid: own", "uid: good"))
    loaded, findings = load_dashboards(folder)
    assert set(loaded) == {"good"}
    assert [f.where for f in findings] == [
        f"{folder}/own.yaml:1",
        f"{folder}/own.yaml:9",
        f"{folder}/twin.yaml:1",
    ]


@pytest.mark.parametrize(
    ("old", "new", "what", "fix"),
    [
        (
            "pool:queue_depth:sum",
            "pool:queue_dept:sum",
            "reads `pool:queue_dept:sum`",
            "`pool:queue_depth:sum`",
        ),
        ("pool:queue_depth:sum", "vllm:num_requests_waiting", "reads `vllm:num_requests_waiting`", ""),
        ("about: By pool", "alert: LLMQueDepthHigh\n        about: By", "is no alert", "`LLMQueueDepthHigh`"),
        ("about: By pool", "alert: LLMQueueDepthHigh\n        about: By", "has a second panel", "keep one"),
        ("rows:", "variables:\n  pool: {values: pool:flet:info2}\nrows:", "variable `pool` asks", ""),
    ],
)
def test_names_that_nothing_knows_are_refused(
    tmp_path: Path, old: str, new: str, what: str, fix: str
) -> None:
    """A panel that could only stay empty is found before it is deployed."""
    written(tmp_path, OWN.replace(old, new))
    with pytest.raises(Refused) as refused:
        load(content.root(), tmp_path)
    said = [f for f in refused.value.findings if what in f.what]
    assert said, refused.value.findings
    assert said[0].where.startswith(f"{tmp_path}/dashboards/own.yaml")
    assert fix in said[0].fix
