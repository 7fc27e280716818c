"""What is compiled for a fleet: which rules, over which series, and what is said about what cannot be seen."""

import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre import content
from sre.catalogue.load import load
from sre.catalogue.model import Catalogue
from sre.catalogue.references import series, static
from sre.compile import prometheus
from sre.compile.advice import advise, notes
from sre.compile.counters import counters
from sre.compile.expansion import Exposure
from sre.compile.plan import AlertRule, Plan, RecordRule
from sre.compile.planning import make_plan
from sre.compile.proofreading import proofread
from sre.fleet import Fleet
from sre.promql import series_read
from sre.simulate.site import series as written

EXPORTER = {"kind": "dcgm", "version": "4.8.2"}
PAIR = [
    {
        "name": "chat",
        "engine": {"kind": "vllm", "version": "0.32.0"},
        "gpus": {"type": "h100", "per_replica": 2, "replicas": 3},
        "memory_budget": "0.90",
        "objectives": {"ttft_p95": "500ms"},
    },
    {
        "name": "batch",
        "engine": {"kind": "vllm", "version": "0.32.0"},
        "gpus": {"type": "l40s", "replicas": {"min": 1, "max": 5}},
        "interactive": False,
        "thresholds": {"queue_depth": 217},
    },
]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(content.root())


def fleet(pools: list[dict[str, Any]] | None = None, **more: Any) -> Fleet:
    return Fleet.model_validate(
        {"version": 1, "name": "test", "pools": pools or PAIR, "gpu_exporter": EXPORTER, **more}
    )


def rules(plan: Plan) -> dict[str, list[str]]:
    """Expressions by the name of the alert or recorded series."""
    found: dict[str, list[str]] = {}
    for group in plan.groups:
        for rule in group.rules:
            found.setdefault(rule.alert if isinstance(rule, AlertRule) else rule.record, []).append(rule.expr)
    return found


def states(plan: Plan) -> dict[str, str]:
    return {planned.alert.name: planned.state for planned in plan.alerts}


def said(plan: Plan, severity: str) -> str:
    return "\n".join(
        f"{f.where}: {f.what} | {f.why} | {f.fix}"
        for f in [*advise(plan), *notes(plan)]
        if f.severity == severity
    )


SHAPES = {
    "kubernetes": {},
    "host": {"identity": "host"},
    "honor_labels": {"gpu_exporter": {**EXPORTER, "honor_labels": True}},
    "chart": {"gpu_exporter": {**EXPORTER, "version": "4.8.3", "counters": "chart"}},
    "era A": {"gpu_exporter": {**EXPORTER, "version": "3.3.0"}},
    "era D": {"gpu_exporter": {**EXPORTER, "version": "4.9.0"}},
    "no gpus": {"gpu_exporter": None},
    "usage": {"usage_exporter": {"job": "sre-exporter"}},
    "pool label": {"pool_label": "pool"},
    "slow": {"scrape_interval": "1m", "evaluation_interval": "1m"},
    "vLLM 0.6": {"pools": [{"name": "old", "engine": {"kind": "vllm", "version": "0.6.0"}}]},
    "mixed": {
        "pools": [
            {"name": "old", "engine": {"kind": "vllm", "version": "0.6.6"}},
            {"name": "new", "engine": {"kind": "vllm", "version": "0.33.0"}},
        ]
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_fleet_compiles_to_rules_that_promtool_accepts(
    catalogue: Catalogue, shape: str, tmp_path: Path
) -> None:
    """Identity, exporter era, counter list, engine version: whatever is declared, the files load into Prometheus."""
    pools = SHAPES[shape].get("pools")
    plan = make_plan(fleet(pools, **{k: v for k, v in SHAPES[shape].items() if k != "pools"}), catalogue)
    assert not list(proofread(plan))
    paths = []
    for artefact in prometheus.render(plan):
        paths.append(tmp_path / Path(artefact.path).name)
        paths[-1].write_text(artefact.text)
    checked = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_number_of_alert_rules_does_not_grow_with_the_fleet(catalogue: Catalogue) -> None:
    """Forty pools have as many alert rules as one; only the static series per pool grow."""

    def count(number: int) -> int:
        pools = [{**PAIR[0], "name": f"chat-{n}"} for n in range(number)]
        return sum(
            isinstance(rule, AlertRule)
            for group in make_plan(fleet(pools), catalogue).groups
            for rule in group.rules
        )

    assert count(40) == count(1) > 25


def test_alerts_read_recorded_series_only(catalogue: Catalogue) -> None:
    """No alert knows an engine's or exporter's metric: those end at level 0."""
    plan = make_plan(fleet(), catalogue)
    for group in plan.groups:
        for rule in group.rules:
            if isinstance(rule, AlertRule):
                assert all(":" in name for name in series_read(rule.expr)), rule.expr


def test_a_rule_stands_behind_what_it_reads_in_its_group(catalogue: Catalogue) -> None:
    """Within a group nothing is read before it is recorded, so that no alert is an interval late."""
    for shape in ({}, {"identity": "host"}, {"usage_exporter": {"job": "x"}}):
        for group in make_plan(fleet(**shape), catalogue).groups:
            recorded = [r.record for r in group.rules if isinstance(r, RecordRule)]
            for index, rule in enumerate(group.rules):
                later = set(recorded[index:]) - set(recorded[:index])
                own = {rule.record} if isinstance(rule, RecordRule) else set()
                assert not (series_read(rule.expr) & (later - own)), (group.name, rule)


def test_thresholds_are_recorded_once_per_pool_with_the_fleets_numbers(catalogue: Catalogue) -> None:
    """What a pool declares, or the default, is a series; a batch pool gets no default of interactive ones."""
    plan = make_plan(fleet(), catalogue)
    found = {
        (r.record, r.labels.get("pool", "")): r.expr
        for g in plan.groups
        for r in g.rules
        if isinstance(r, RecordRule) and r.labels
    }
    assert found["pool:ttft_p95:threshold", "chat"] == "vector(0.5)"
    assert ("pool:ttft_p95:threshold", "batch") not in found
    assert found["pool:queue_depth:threshold", "batch"] == "vector(217)"
    assert found["pool:queue_depth:threshold", "chat"] == "vector(50)"
    assert found["pool:replicas:threshold", "batch"] == "vector(1)"
    assert found["pool:replicas:threshold", "chat"] == "vector(3)"
    assert found["pool:gpu_memory_used:threshold", "chat"] == "vector(0.94)", "max(92 %, 90 % + 4 points)"
    assert found["pool:gpu_memory_used:threshold", "batch"] == "vector(0.96)", (
        "vLLM 0.32 reserves 92 % by default"
    )


def test_both_names_of_a_renamed_metric_become_one_series(catalogue: Catalogue) -> None:
    """During a rolling upgrade old and new replicas are both alive: the recorded signal reads both names."""
    (expr,) = rules(make_plan(fleet(), catalogue))["replica:kv_cache_usage:ratio"]
    assert series_read(expr) == {"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"}


def test_without_a_gpu_exporter_gpu_alerts_are_blind_and_not_written(catalogue: Catalogue) -> None:
    """Nothing dead is emitted, and the finding says what to declare."""
    plan = make_plan(fleet(gpu_exporter=None), catalogue)
    blind = {name for name, state in states(plan).items() if state == "blind"}
    assert "GPUTemperatureHigh" in blind
    assert "LLMQueueUtilizationAnomaly" in blind
    assert not any("GPU" in name for name in rules(plan))
    (told,) = [line for line in said(plan, "warning").splitlines() if "GPUMissing" in line]
    assert "GPUTemperatureHigh" in told
    assert "are blind: no `gpu_exporter` is declared" in told


def test_a_counter_that_is_off_is_bound_and_named_with_its_line(catalogue: Catalogue) -> None:
    """Opt-in counters are one line away: the alert is written, shown as needing it, and the line is in counters.csv."""
    plan = make_plan(fleet(), catalogue)
    assert states(plan)["GPUThrottling"] == "needs_counter"
    assert "GPUThrottling" in rules(plan)
    on, off = counters(plan).split("# On in the list")[1], counters(plan).split("# On in the list")[0]
    assert "DCGM_FI_DEV_CLOCKS_EVENT_REASONS, gauge," in off
    assert "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL, counter," in off
    assert "DCGM_FI_DEV_FB_USED, gauge," in on


def test_a_fleets_own_counters_file_decides_what_is_on(catalogue: Catalogue) -> None:
    """With the list in use at hand, what it names is live and what it leaves out is one line away."""
    listed = frozenset({"DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "DCGM_FI_DEV_XID_ERRORS"})
    plan = make_plan(fleet(), catalogue, listed)
    assert states(plan)["GPUThrottling"] == "live"
    assert states(plan)["GPUMemoryHigh"] == "needs_counter"


def test_an_engine_that_lacks_a_metric_makes_only_its_own_pools_blind(catalogue: Catalogue) -> None:
    """vLLM 0.6 has no prefix-cache counters; the pool beside it has, so the alert says where it is blind."""
    old = {"name": "old", "engine": {"kind": "vllm", "version": "0.6.0"}}
    plan = make_plan(fleet([*PAIR[:1], old]), catalogue)
    planned = next(p for p in plan.alerts if p.alert.name == "LLMPrefixCacheHitRateLow")
    assert planned.state == "live"
    assert planned.pools == {"chat": "live", "old": "blind"}
    assert "vllm 0.6.0 has no prefix_cache_hits yet: it comes with vllm 0.8.0" in planned.reasons[0]


def test_an_objective_between_bucket_bounds_is_a_warning_with_the_flag_that_moves_the_bound(
    catalogue: Catalogue,
) -> None:
    """80 ms lies in (75, 100] ms: the quantile is interpolated there, and vLLM 0.33 has a flag for it."""
    pool = {"name": "chat", "engine": {"kind": "vllm", "version": "0.33.0"}}
    warned = said(make_plan(fleet([pool]), catalogue), "warning")
    assert (
        "pools/0/objectives/itl_p95: itl_p95 of 80ms lies inside the bucket (75ms, 100ms] of vllm 0.33.0"
        in warned
    )
    assert (
        '--custom-histogram-buckets \'{"inter_token_latency": [0.01, 0.025, 0.05, 0.075, 0.08, 0.1,' in warned
    )
    assert "ttft_p95" not in warned, "500 ms is a bound"


def test_a_declared_bucket_list_is_the_one_that_counts(catalogue: Catalogue) -> None:
    """Bounds set with --custom-histogram-buckets and declared silence the warning."""
    buckets = {"inter_token_latency": ["0.05", "0.08", "0.1"]}
    pool = {"name": "chat", "engine": {"kind": "vllm", "version": "0.33.0", "histogram_buckets": buckets}}
    assert "itl_p95" not in said(make_plan(fleet([pool]), catalogue), "warning")


def test_an_objective_beyond_the_last_bound_is_an_error(catalogue: Catalogue) -> None:
    """vLLM 0.6.0's e2e histogram ends at 60 s: a quantile can never be seen above it."""
    pool = {"name": "old", "engine": {"kind": "vllm", "version": "0.6.0"}, "objectives": {"e2e_p99": "75s"}}
    assert "e2e_p99 of 1m15s lies at or above the last bucket bound of vllm 0.6.0, 1m" in said(
        make_plan(fleet([pool]), catalogue), "error"
    )


def test_any_duration_that_validates_can_be_spoken_of(catalogue: Catalogue) -> None:
    """Sixty-one seconds and half a tenth of a millisecond is a strange promise, and no traceback."""
    pool = {
        "name": "odd",
        "engine": {"kind": "vllm", "version": "0.32.0"},
        "objectives": {"e2e_p99": "61.00005s"},
    }
    assert "e2e_p99 of 61.00005s lies inside" in said(make_plan(fleet([pool]), catalogue), "warning")


def test_a_rate_that_cannot_be_reached_is_an_error(catalogue: Catalogue) -> None:
    """No error rate exceeds 100 %, so an alert above it is dead."""
    pool = {**PAIR[0], "thresholds": {"error_rate": "100%"}}
    assert "error_rate of 100 % can never be exceeded" in said(make_plan(fleet([pool]), catalogue), "error")


def test_a_wait_shorter_than_two_evaluations_is_stretched_or_refused(catalogue: Catalogue) -> None:
    """At one minute an evaluation, one minute is stretched to two; at two minutes the alert breaks its promise."""
    plan = make_plan(fleet(evaluation_interval="1m"), catalogue)
    assert "LLMEngineStalled waits 2m instead of 1m" in said(plan, "warning")
    assert not said(plan, "error")
    plan = make_plan(fleet(evaluation_interval="2m"), catalogue)
    assert "LLMEngineStalled would wait 4m, two evaluations of 2m" in said(plan, "error")


def test_a_release_that_nobody_looked_at_is_a_warning(catalogue: Catalogue) -> None:
    """Beyond the newest vLLM that the binding was read off, names may have changed."""
    pool = {"name": "next", "engine": {"kind": "vllm", "version": "0.99.0"}}
    assert "vllm 0.99.0 lies outside the releases that were looked at, 0.6.0 to 0.33.0" in said(
        make_plan(fleet([pool]), catalogue), "warning"
    )


def test_cards_that_the_fleet_file_gives_to_a_pool_are_claimed_by_it(catalogue: Catalogue) -> None:
    """`gpus.match` is for pods that do not join; a `$` in the pool's name stays a `$`."""
    pool = {
        "name": "pay$1",
        "engine": {"kind": "vllm", "version": "0.32.0"},
        "gpus": {"type": "h100", "replicas": 1, "match": {"Hostname": 'no"de'}},
    }
    (expr,) = rules(make_plan(fleet([pool]), catalogue))["gpu:claim:info"]
    assert 'Hostname="no\\"de"' in expr
    assert '"pool", "pay$$1", "", ""' in expr


def test_a_signal_that_stands_in_a_text_is_text(catalogue: Catalogue) -> None:
    """In the catalogue's own expressions, too, braces and `@` between quotes are no syntax; macros count there."""
    vllm = Exposure(catalogue.engines["vllm"], 'job="x"')
    expr = (
        'rate(@generation_tokens{a=~"}@up$word"}[2m] offset 1h)'
        ' + label_replace(@up, "to", "@up $word $1", "from", "(.+)")'
    )
    assert vllm.expand(expr, {"word": "b"}) == (
        'rate(vllm:generation_tokens_total{job="x",a=~"}@upb"}[2m] offset 1h)'
        ' + label_replace(up{job="x"}, "to", "@up b $1", "from", "(.+)")'
    )


def test_labels_are_renamed_behind_an_aggregation_and_only_those_that_it_keeps(catalogue: Catalogue) -> None:
    """Servers rename the labels of ten thousand cards at every evaluation: few labels, and of few series."""
    renames = (("pool", "job", "(.+)"), ("host", "instance", "(.+)"))
    vllm = Exposure(catalogue.engines["vllm"], renames=renames)
    assert vllm.expand("sum by (pool, le) (rate(@ttft_bucket[5m]))") == (
        "sum by (pool, le) (label_replace(sum by (le, job) "
        '(rate(vllm:time_to_first_token_seconds_bucket[5m])), "pool", "$1", "job", "(.+)"))'
    )
    assert vllm.expand("sum by (pool) (2 * @running)").startswith("sum by (pool) (2 * label_replace(")


def test_a_cards_labels_are_renamed_behind_everything_and_its_bounds_are_asked_of_the_raw_series(
    catalogue: Catalogue,
) -> None:
    """What is out of bounds is neither folded nor renamed; bounds of a difference stay those of the difference."""
    cards = Exposure(catalogue.gpus["dcgm"], renames=(("uuid", "UUID", "(.+)"),), fold=("uuid", "mig"))
    by = "max by (uuid, mig, UUID)"
    assert cards.expand_late("@gpu_clock_events >= 8") == (
        f"label_replace(({by} (DCGM_FI_DEV_CLOCKS_EVENT_REASONS >= 8)"
        f' or {by} (DCGM_FI_DEV_CLOCK_THROTTLE_REASONS >= 8)), "uuid", "$1", "UUID", "(.+)")'
    )
    ecc = f"{by} (DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"
    for expr in ("1 - @gpu_ecc_double_bit > 0", "(@gpu_ecc_double_bit > 0 + 1)"):
        raw = cards.expand_late(expr)
        assert f"{ecc})" in raw, "a bound of something else was asked of the raw series"
    assert f"{ecc} > 0 < 9)" in cards.expand_late("vector(1) and on (uuid) @gpu_ecc_double_bit > 0 < 9")
    assert "on (uuid, UUID)" in cards.expand_late("vector(1) and on (uuid) @gpu_ecc_double_bit")


def test_a_cards_own_expression_may_name_its_labels_anywhere(catalogue: Catalogue) -> None:
    """What a catalogue of your own asks of `uuid` or `mig` is asked of them, whatever the exporter calls them."""
    raw = "max by (uuid, UUID, GPU_I_ID) ("
    at_once = f"max by (uuid, mig) (label_replace(label_replace({raw}"
    texts = {
        'label_replace(@gpu_power, "short", "$1", "uuid", "(.{8}).*")': f"label_replace({at_once}",
        "sum without (mig) (@gpu_power)": f"sum without (mig) ({at_once}",
        "max by(uuid,mig) (@gpu_power - 1)": f"label_replace(label_replace({raw}",
    }
    record = catalogue.records["gpu:power:watts"]
    for text, begin in texts.items():
        own = record.model_copy(update={"branches": (text,)})
        plan = make_plan(fleet(), replace(catalogue, records=catalogue.records | {own.name: own}))
        (expr,) = rules(plan)[own.name]
        assert expr.removeprefix("max by (uuid, mig) (").startswith(begin), text


def test_every_alert_fires_in_time_however_seldom_its_series_are_recorded(catalogue: Catalogue) -> None:
    """A scrape, each group on the way, and the alert's own patience fit into its promise; of alternatives one does."""
    plan = make_plan(fleet(), catalogue)
    pace = {group.name: group.interval for group in plan.groups}
    home = {r.record: g.name for g in plan.groups for r in g.rules if isinstance(r, RecordRule)}
    assert {pace[name] for name in home.values()} == {30, 60, 120}

    def waits(exprs: Iterable[str], group: str) -> int:
        """Seconds until something new has come through all that these read, to be evaluated in a group."""
        known = [name for expr in exprs for name in series(expr) if name in home and not static(name)]
        ways = [
            waits(catalogue.records[name].branches, home[name]) + (home[name] != group) * pace[home[name]]
            for name in known
            if name in catalogue.records and not name.endswith(":info")
        ]
        return max(ways, default=0)

    for planned in plan.alerts:
        group, alert = f"llm-{planned.alert.group}", planned.alert
        for index in planned.sources:
            quickest = min(waits([branch], group) for branch in alert.rules[index].branches)
            assert 30 + quickest + pace[group] + alert.for_ <= alert.within, alert.name


def test_a_record_that_does_not_parse_is_told_at_its_line(catalogue: Catalogue) -> None:
    """A slip in a catalogue of your own is a finding, never a traceback."""
    broken = {
        "replica:running:sum": catalogue.records["replica:running:sum"].model_copy(
            update={"branches": ("sum(@running",)}
        )
    }
    plan = make_plan(fleet(), replace(catalogue, records=catalogue.records | broken))
    (finding,) = proofread(plan)
    assert finding.where.startswith("exporters/signals/engine.yaml:")
    assert "replica:running:sum compiles to PromQL that does not parse" in finding.what


HOSTILE = [
    'a"b',
    "a'b",
    "a{b}",
    "a{{.}}",
    "a`b",
    "<b>x</b>",
    "a|b",
    "a\\b",
    "$value",
    "a,b",
    "ünï",
    "#x",
    "- x",
    "a: b",
    "@steps",
    "user@example",
    "a$replica",
    "$declared_claims",
    "rate(@steps[2m])",
    '{{ define "x" }}',
]


def test_hostile_names_come_out_inert(catalogue: Catalogue, tmp_path: Path) -> None:
    """Quotes, braces, templates, HTML and YAML in names stay text in every rule file."""
    pools = [{**PAIR[0], "name": name, "owner": name, "model": name} for name in HOSTILE]
    plan = make_plan(fleet(pools), catalogue)
    assert not list(proofread(plan))
    for artefact in prometheus.render(plan):
        path = tmp_path / Path(artefact.path).name
        path.write_text(artefact.text)
        subprocess.run(["promtool", "check", "rules", str(path)], check=True, capture_output=True)
        for group in yaml.safe_load(artefact.text)["groups"]:
            for rule in group["rules"]:
                for text in rule.get("annotations", {}).values():
                    assert not any(name in text for name in HOSTILE if len(name) > 3 and name != "$value"), (
                        text
                    )
    names = {
        r.labels["pool"]
        for g in plan.groups
        for r in g.rules
        if isinstance(r, RecordRule) and r.record == "pool:fleet:info"
    }
    assert names == set(HOSTILE)


def asked(folder: Path, plan: Plan, series: list[str], answers: dict[str, list[dict[str, str]]]) -> str:
    """What promtool objects to, after two minutes of these series under the plan's rules; nothing where it agrees."""
    names = [f"{group.file}.rules.yaml" for group in plan.groups]
    for artefact in prometheus.render(plan):
        (folder / Path(artefact.path).name).write_text(artefact.text)
    expected = {
        expr: [{"labels": written("", labels), "value": 1} for labels in found]
        for expr, found in answers.items()
    }
    test = {
        "interval": "30s",
        "input_series": [{"series": one, "values": "1x4"} for one in series],
        "promql_expr_test": [
            {"expr": e, "eval_time": "2m", "exp_samples": samples} for e, samples in expected.items()
        ],
    }
    page = {"rule_files": names, "evaluation_interval": "30s", "tests": [test]}
    (folder / "page.test.yaml").write_text(yaml.safe_dump(page, allow_unicode=True))
    command = ["promtool", "test", "rules", "page.test.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_prometheus_finds_the_targets_and_cards_of_hostile_names(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """A pool called `a$replica` is the one whose targets say so, and its card the one that `gpus.match` names."""
    cards = {"type": "h100", "replicas": 1}
    pools = [{**PAIR[0], "name": name, "gpus": {**cards, "match": {"Hostname": name}}} for name in HOSTILE]
    numbered = [(str(number), name) for number, name in enumerate(HOSTILE)]
    targets = [written("up", {"job": name, "namespace": "llm", "pod": n}) for n, name in numbered]
    exposed = [written("DCGM_FI_DEV_GPU_TEMP", {"UUID": n, "Hostname": name}) for n, name in numbered]
    answers = {
        "group by (pool, pod) (replica:up:state)": [{"pool": name, "pod": n} for n, name in numbered],
        "group by (pool, uuid) (gpu:claim:info)": [{"pool": name, "uuid": n} for n, name in numbered],
    }
    assert not asked(tmp_path, make_plan(fleet(pools), catalogue), [*targets, *exposed], answers)


def test_a_restarted_exporter_leaves_every_card_its_pool(catalogue: Catalogue, tmp_path: Path) -> None:
    """For a while a card is there twice, under two names of its exporter's pod, and still held by one engine."""
    engine = written("up", {"job": "chat", "namespace": "llm", "pod": "chat-0"})
    card = {"UUID": "GPU-1", "exported_namespace": "llm", "exported_pod": "chat-0", "Hostname": "node"}
    shown = [
        written("DCGM_FI_DEV_GPU_TEMP", {**card, "pod": pod, "instance": address})
        for pod, address in (("dcgm-a", "10.0.0.1:9400"), ("dcgm-b", "10.0.0.2:9400"))
    ]
    answers = {"group by (pool, uuid) (gpu:card:info)": [{"pool": "chat", "uuid": "GPU-1"}]}
    assert not asked(tmp_path, make_plan(fleet(), catalogue), [engine, *shown], answers)


def test_a_card_loses_its_pool_when_its_pod_serves_a_second_one(catalogue: Catalogue, tmp_path: Path) -> None:
    """Who was known first has no better claim: the memory of an hour ends with the second pool."""
    for artefact in prometheus.render(make_plan(fleet(), catalogue)):
        (tmp_path / Path(artefact.path).name).write_text(artefact.text)
    place = '{namespace="llm",pod="both-0"'
    card = 'DCGM_FI_DEV_GPU_TEMP{UUID="GPU-1",gpu="0",Hostname="node-1",exported_namespace="llm",exported_pod="both-0"}'
    asked = [
        {
            "expr": 'count by (pool) (gpu:card:info{uuid="GPU-1"})',
            "eval_time": at,
            "exp_samples": [{"labels": labels, "value": 1}],
        }
        for at, labels in (("9m", '{pool="chat"}'), ("20m", "{}"))
    ]
    test = {
        "interval": "30s",
        "input_series": [
            {"series": f'up{place},job="chat",instance="a:8000"}}', "values": "1x60"},
            {"series": f'up{place},job="batch",instance="a:8001"}}', "values": "_x20 1x40"},
            {"series": card, "values": "50x60"},
        ],
        "promql_expr_test": asked,
    }
    head = {"rule_files": sorted(path.name for path in tmp_path.iterdir()), "evaluation_interval": "30s"}
    (tmp_path / "two.test.yaml").write_text(yaml.safe_dump({**head, "tests": [test]}))
    run = subprocess.run(
        ["promtool", "test", "rules", "two.test.yaml"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
