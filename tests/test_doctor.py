"""`sre doctor`: which alerts see, asked of running servers and of saved expositions."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from sre.cli import main

FIXTURES = Path(__file__).parent / "fixtures" / "engines"

# vLLM 0.9.2 still has its older engine, which lacks what the release's newer one exposes.
RELEASES = [path for path in sorted(FIXTURES.glob("vllm-*.prom")) if not path.stem.endswith("-v0")]

FLEET = {
    "version": 1,
    "name": "prod-eu",
    "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
    "pools": [
        {
            "name": "chat-70b",
            "engine": {"kind": "vllm", "version": "0.33.0"},
            "gpus": {"type": "h100", "per_replica": 2, "replicas": 2},
            "memory_budget": 0.92,
        },
        {
            "name": "extract-8b",
            "engine": {"kind": "vllm", "version": "0.32.0"},
            "gpus": {"type": "h100", "per_replica": 1, "replicas": 1},
            "memory_budget": 0.92,
        },
    ],
}


def fleet(**changes):
    """The fleet as it runs, with changes at the top or, under the name of a pool, in that pool."""
    data = json.loads(json.dumps(FLEET))
    for key, change in changes.items():
        pool = next((pool for pool in data["pools"] if pool["name"].startswith(key)), None)
        (pool or data).update(change if pool else {key: change})
    return data


@pytest.fixture(scope="module")
def doctor(tmp_path_factory):
    """``doctor(fleet, *arguments)`` -> (exit code, alerts by name, findings, standard error)."""

    def run(data, *arguments):
        path = tmp_path_factory.mktemp("fleet") / "fleet.yaml"
        path.write_text(yaml.safe_dump(data))
        result = CliRunner().invoke(
            main, ["doctor", str(path), *map(str, arguments), "--format", "json"], catch_exceptions=False
        )
        told = json.loads(result.stdout) if result.stdout.startswith("{") else {"alerts": [], "findings": []}
        return (
            result.exit_code,
            {alert["alert"]: alert for alert in told["alerts"]},
            told["findings"],
            result.stderr,
        )

    return run


def vllm(name):
    return (FIXTURES / f"vllm-{name}.prom").read_text()


def replica(job, pod, text):
    return {"job": job, "text": text, "labels": {"namespace": "llm", "pod": pod}}


def card(number, pod=None, node="node-a"):
    placed = {"namespace": "llm", "pod": pod, "container": "vllm"} if pod else {}
    return {"UUID": f"GPU-{number}", "Hostname": node, **placed}


def exporter(text, node):
    return {"job": "dcgm", "text": text, "labels": {"namespace": "gpu-operator", "pod": f"dcgm-{node}"}}


@pytest.fixture(scope="module")
def pages(dcgm):
    """Two pools in three pods on two nodes, with one card that nobody uses."""
    return [
        replica("chat-70b", "chat-0", vllm("0.33.0")),
        replica("chat-70b", "chat-1", vllm("0.33.0")),
        replica("extract-8b", "extract-0", vllm("0.32.0")),
        exporter(
            dcgm([card(1, "chat-0"), card(2, "chat-0"), card(3, "chat-1"), card(4, "chat-1")]), "node-a"
        ),
        exporter(dcgm([card(5, "extract-0", "node-b"), card(6, node="node-b")]), "node-b"),
    ]


@pytest.fixture(scope="module")
def servers(start_prometheus, pages, dcgm, rules):
    """Addresses of one Prometheus for each situation, started side by side."""
    bare = {"job": "chat-70b", "text": vllm("0.33.0")}
    load = {"job": "node-exporter", "text": "node_load1 0.5\n"}
    situations = {
        "wrong": [load, {**load, "job": "shop"}],
        "old": [replica("chat-70b", "chat-0", vllm("0.6.0"))],
        "bare": [bare, bare],
        "metal": [
            {**bare, "labels": {"instance": "gpu-7:8000"}},
            {"job": "dcgm", "text": dcgm([card(1), card(2)]), "labels": {"instance": "gpu-7:9400"}},
        ],
        "shared": [
            replica("chat-70b", "both-0", vllm("0.33.0")),
            replica("extract-8b", "both-0", vllm("0.32.0")),
            exporter(dcgm([card(1, "both-0")]), "node-a"),
        ],
    }
    with ThreadPoolExecutor() as starting:
        started = {name: starting.submit(start_prometheus, *some) for name, some in situations.items()}
        started["healthy"] = starting.submit(start_prometheus, *pages, rules=rules)
        return {name: one.result().url for name, one in started.items()}


@pytest.fixture(scope="module")
def healthy(servers):
    """A Prometheus with everything there and this fleet's rules loaded."""
    return servers["healthy"]


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """The rule files of the fleet."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "fleet.yaml").write_text(yaml.safe_dump(FLEET))
    written = CliRunner().invoke(main, ["generate", str(folder / "fleet.yaml"), "-o", str(folder / "out")])
    assert written.exit_code == 0, written.output
    return sorted((folder / "out" / "prometheus").glob("*.yaml"))


def worded(findings, severity=None):
    return [f"{f['what']} | {f['fix']}" for f in findings if severity in (None, f["severity"])]


class TestLiveServer:
    def test_a_fleet_as_it_is_declared_sees(self, doctor, healthy):
        """Where everything is there, no error is told, and all alerts but the undeclared ones see."""
        code, alerts, findings, _ = doctor(FLEET, "--prometheus", healthy)
        assert worded(findings, "error") == []
        assert code == 0
        assert {name for name, alert in alerts.items() if alert["state"] != "sees"} == {
            "LLMUsageUnaccounted",
            "LLMUsageSilent",
            "LLMUsageBehind",
            "LLMUsageStrangers",
            "GPUThrottling",
        }
        assert alerts["GPUThrottling"]["state"] == "needs_counter"
        assert not any("rules" in f["what"] and "loaded" in f["what"] for f in findings)

    def test_links_are_not_looked_for_between_the_cards_of_a_replica_that_has_one(self, doctor, healthy):
        """What a pool cannot have is off there, whatever its exporter prints."""
        _, alerts, _, _ = doctor(FLEET, "--prometheus", healthy)
        pools = alerts["GPUNVLinkBandwidthDrop"]["pools"]
        assert (pools["chat-70b"], pools["extract-8b"]) == ("sees", "off")

    def test_a_counter_that_is_off_comes_with_the_line_that_switches_it_on(self, doctor, healthy):
        """The line is the one that dcgm-exporter's counters file takes."""
        _, _, findings, _ = doctor(FLEET, "--prometheus", healthy)
        (told,) = [one for one in worded(findings, "warning") if "GPUThrottling" in one]
        assert told.endswith(
            "add to the exporter's counters: DCGM_FI_DEV_CLOCKS_EVENT_REASONS, gauge, "
            "Reasons why clocks are held down (bit mask)."
        )

    def test_cards_that_join_no_pool_are_counted_by_node(self, doctor, healthy):
        """A free card is no fault, but somebody may want to know."""
        _, _, findings, _ = doctor(FLEET, "--prometheus", healthy)
        assert "1 of 6 cards joins no pool: 1 on 'node-b' | nothing, where they are free" in worded(
            findings, "info"
        )

    def test_a_pool_that_is_called_otherwise_is_recognized(self, doctor, healthy):
        """A pool without targets is one finding with the likely name and everything that is blind there."""
        code, alerts, findings, _ = doctor(fleet(chat={"name": "chat"}), "--prometheus", healthy)
        (error,) = worded(findings, "error")
        assert code == 1
        assert error.startswith("no target has job='chat': blind are ")
        assert error.endswith("correct its name, or `pool_label`: vllm answers here under 'chat-70b'")
        assert alerts["LLMTimeToFirstTokenHigh"]["pools"] == {"chat": "blind", "extract-8b": "sees"}
        assert alerts["LLMTimeToFirstTokenHigh"]["state"] == "in_part"

    def test_what_sees_in_one_pool_only_is_not_counted_as_seeing(self, healthy, tmp_path):
        """The headline tells what sees, what sees in part and what is blind; the pools stand below with the reason."""
        (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet(chat={"name": "chat"})))
        said = (
            CliRunner().invoke(main, ["doctor", str(tmp_path / "fleet.yaml"), "--prometheus", healthy]).stdout
        )
        headline, said = said.splitlines()[0], " ".join(said.split())
        assert re.search(r": 9 see, 16 see in part, 1 need a counter, 5 blind$", headline)
        assert "LLMTimeToFirstTokenHigh" in said
        assert "not in chat: no target has job='chat'" in said

    def test_what_reads_the_absence_of_a_pool_sees_it(self, doctor, healthy):
        """A pool without targets has no replica, of which LLMEngineDown tells; its cards are told of as nobody's."""
        _, alerts, findings, _ = doctor(fleet(chat={"name": "chat"}), "--prometheus", healthy)
        for name in ("LLMEngineDown", "GPUMissing", "GPUXidError"):
            assert alerts[name]["pools"] == {"chat": "sees", "extract-8b": "sees"}, name
            assert not any(name in told for told in worded(findings, "error")), name
        # It compares with a number that only pools have.
        assert alerts["GPUMemoryHigh"]["pools"]["chat"] == "blind"

    def test_findings_point_at_the_line_of_the_pool(self, doctor, healthy):
        """Where a person wrote what is wrong, the finding names file and line."""
        _, _, findings, _ = doctor(fleet(extract={"name": "extract"}), "--prometheus", healthy)
        (where,) = [f["where"] for f in findings if f["severity"] == "error"]
        assert re.search(r"fleet\.yaml:\d+$", where)

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            (
                {"chat": {"engine": {"kind": "vllm", "version": "0.11.2"}}},
                (
                    "pool 'chat-70b': vllm 0.11.2 is declared, but its metrics are those of vllm 0.32.0 or later | "
                    "write the release that runs as `engine.version`"
                ),
            ),
            (
                {"chat": {"gpus": {"type": "h100", "per_replica": 2, "replicas": 4}}},
                "pool 'chat-70b': 2 replicas answer, 4 declared | correct `gpus.replicas`, or see why",
            ),
            (
                {"chat": {"gpus": {"type": "h100", "per_replica": 4, "replicas": 2}}},
                (
                    "pool 'chat-70b': 4 cards join it, its 2 replicas should have 8 | "
                    "correct `gpus.per_replica`, or see which exporter is silent"
                ),
            ),
            (
                {"extract": {"memory_budget": 0.85}},
                (
                    "pool 'extract-8b': its engines reserve 0.92 of a card's memory, 0.85 is declared | "
                    "write `memory_budget: 0.92`"
                ),
            ),
            (
                {"gpu_exporter": {"kind": "dcgm", "version": "4.8.2", "counters": "chart"}},
                (
                    "`counters: chart` is declared, but DCGM_FI_DEV_FB_RESERVED is there | "
                    "write `counters: image`, or the path of the CSV in use"
                ),
            ),
            (
                {"gpu_exporter": {"kind": "dcgm", "version": "4.8.4"}},
                (
                    "dcgm 4.8.4 is declared, but the labels are those of dcgm 4.4.0 or later, before 4.8.3 | "
                    "write the release that runs"
                ),
            ),
        ],
    )
    def test_what_the_file_says_and_the_server_shows_is_compared(self, doctor, healthy, changes, told):
        """Releases, replicas, cards, budgets and counter lists that differ are warnings with the line to write."""
        code, _, findings, _ = doctor(fleet(**changes), "--prometheus", healthy)
        assert told in worded(findings, "warning")
        assert code == 0

    def test_bucket_bounds_that_differ_are_told_as_they_are(self, doctor, healthy):
        """A threshold on a bound that the engine does not have would be interpolated, silently."""
        engine = {
            "kind": "vllm",
            "version": "0.33.0",
            "histogram_buckets": {"inter_token_latency": [0.01, 0.08, 0.2]},
        }
        _, _, findings, _ = doctor(fleet(chat={"engine": engine}), "--prometheus", healthy)
        (told,) = [one for one in worded(findings, "warning") if "buckets of" in one]
        assert "`itl` have other bounds than declared: 0.025 is there" in told
        assert (
            "write `engine.histogram_buckets: {inter_token_latency: [0.01, 0.025, 0.05, 0.075, 0.1," in told
        )

    def test_the_wrong_honor_labels_is_found(self, doctor, healthy):
        """With the other setting no card joins; the fix is the setting under which cards do."""
        wrong = {"kind": "dcgm", "version": "4.8.2", "honor_labels": True}
        code, alerts, findings, _ = doctor(fleet(gpu_exporter=wrong), "--prometheus", healthy)
        assert code == 1
        assert alerts["GPUMemoryHigh"]["state"] == "blind"
        assert all("write `gpu_exporter.honor_labels: false`" in one for one in worded(findings, "error"))

    def test_rules_that_are_loaded_in_another_state_are_found(self, doctor, healthy):
        """Thresholds changed in the file and not yet on the server are told, with what to run."""
        _, _, findings, _ = doctor(fleet(chat={"thresholds": {"queue_depth": 77}}), "--prometheus", healthy)
        (told,) = [one for one in worded(findings, "warning") if "rules differs" in one]
        assert re.match(r"1 of \d+ rules differs: pool:queue_depth:threshold \| run `sre generate`", told)


class TestOtherServers:
    def test_the_wrong_server_is_the_first_question(self, doctor, servers):
        """A server without any of it is one finding with what is there, not sixty missing series."""
        code, alerts, findings, _ = doctor(FLEET, "--prometheus", servers["wrong"])
        assert (code, alerts) == (1, {})
        (finding,) = findings
        assert finding["what"].startswith("is this the right server?")
        assert "'node-exporter' (1), 'shop' (1)" in finding["why"]

    def test_an_old_engine_behind_a_new_version_in_the_file(self, doctor, servers):
        """What the engine does not yet expose blinds alerts; the release with which it comes is named."""
        one = {"name": "chat-70b", "engine": {"kind": "vllm", "version": "0.32.0"}}
        code, alerts, findings, _ = doctor(
            {"version": 1, "name": "old", "pools": [one]}, "--prometheus", servers["old"]
        )
        told = worded(findings, "error")
        assert code == 1
        assert alerts["LLMPrefixCacheHitRateLow"]["state"] == "blind"
        assert any("prefix_cache_hits" in t and t.endswith("upgrade to vllm 0.8.0 or later") for t in told)
        assert alerts["LLMTimeToFirstTokenHigh"]["state"] == "sees"
        assert any("none of this fleet's rules are loaded here" in one for one in worded(findings, "warning"))

    def test_targets_without_the_labels_of_their_identity(self, doctor, servers):
        """Pods that are not told apart melt into one replica: an error with the label to keep."""
        one = {"name": "chat-70b", "engine": {"kind": "vllm", "version": "0.33.0"}}
        code, _, findings, _ = doctor(
            {"version": 1, "name": "bare", "pools": [one]}, "--prometheus", servers["bare"]
        )
        assert code == 1
        (told,) = worded(findings, "error")
        assert told == (
            "pool 'chat-70b': 2 of 2 targets carry no label namespace or pod | keep namespace or pod when the "
            "scrape job relabels its targets, or write `identity: host`"
        )

    def test_on_bare_metal_cards_join_over_the_host(self, doctor, servers):
        """Engine and exporter on one host, on two ports: the cards are the pool's."""
        data = fleet(
            identity="host",
            pools=[{**FLEET["pools"][0], "gpus": {"type": "h", "per_replica": 2, "replicas": 1}}],
        )
        code, alerts, findings, _ = doctor(data, "--prometheus", servers["metal"])
        assert worded(findings, "error") == []
        assert code == 0
        assert alerts["GPUTemperatureHigh"]["state"] == "sees"

    def test_pools_without_gpus_see_the_cards_that_are_there(self, doctor, healthy):
        """As `sre init` may write them: what names no pool is told of every card; what needs a pool's own is blind."""
        pools = [{key: pool[key] for key in ("name", "engine")} for pool in FLEET["pools"]]
        wrong = {"kind": "dcgm", "version": "4.8.2", "honor_labels": True}
        data = fleet(pools=pools, gpu_exporter=wrong)
        code, alerts, findings, _ = doctor(data, "--prometheus", healthy)
        assert code == 0
        assert not [name for name, alert in alerts.items() if alert["state"] == "off"]
        for name in (
            "GPUXidError",
            "GPUMissing",
            "GPUDoubleBitECC",
            "GPURowRemapFailure",
            "GPUTemperatureHigh",
        ):
            assert alerts[name]["state"] == "sees", name
        assert alerts["GPUUnderutilized"]["state"] == "blind"
        assert any(
            told.startswith("no card joins pool chat-70b, which declares no gpus: blind are ")
            for told in worded(findings, "warning")
        )

    def test_a_pod_of_two_pools_is_told_and_silences_nobody(self, doctor, servers):
        """Whose its cards are cannot be said: a warning that names the pod."""
        _, _, findings, _ = doctor(FLEET, "--prometheus", servers["shared"])
        assert any(
            "1 pod or host serves more than one pool: 'llm/both-0'" in one
            for one in worded(findings, "warning")
        )

    def test_victoria_metrics_answers_the_same_questions(self, doctor, start_victoria_metrics, pages):
        """The checks rest on nothing that only Prometheus has."""
        pushed = [
            {**page, "text": page["text"] + "up 1\n", "labels": {**page["labels"], "instance": f"i-{index}"}}
            for index, page in enumerate(pages)
        ]
        # What service discovery and honor_labels do on the way into Prometheus.
        for page in pushed:
            page["text"] = re.sub(r"\b(namespace|pod)=", r"exported_\1=", page["text"])
        url = start_victoria_metrics(*pushed).url
        code, alerts, findings, _ = doctor(FLEET, "--prometheus", url)
        assert worded(findings, "error") == []
        assert code == 0
        assert alerts["GPUTemperatureHigh"]["pools"] == {"chat-70b": "sees", "extract-8b": "sees"}

    @pytest.mark.parametrize(("minutes", "state"), [(15, "sees"), (90, "blind")])
    def test_cards_that_just_fell_silent_are_seen_to_be_missing(
        self, doctor, dcgm, start_victoria_metrics, minutes, state
    ):
        """GPUMissing remembers for an hour what was there; after it, it has nothing to miss any more."""
        engine = vllm("0.33.0") + "up 1\n"
        then = int((time.time() - 60 * minutes) * 1000)
        cards = re.sub(r"(?m)^([^#].*)$", rf"\1 {then}", dcgm([card(1, "chat-0")]))
        url = start_victoria_metrics(
            replica("chat-70b", "chat-0", engine),
            replica("extract-8b", "e-0", engine),
            exporter(cards, "node-a"),
        ).url
        code, alerts, findings, _ = doctor(FLEET, "--prometheus", url)
        assert code == 1
        assert alerts["GPUMissing"]["state"] == state
        (told,) = worded(findings, "error")
        assert told.startswith("no dcgm series is there, such as ")

    def test_nobody_answers(self, doctor):
        """A server that cannot be reached is exit code 3, with the reason."""
        code, _, _, stderr = doctor(FLEET, "--prometheus", "http://127.0.0.1:1")
        assert code == 3
        assert "cannot be reached: Connection refused" in stderr


class TestFiles:
    def test_a_real_scrape_of_the_declared_engine_sees(self, doctor):
        """Everything that is read of the engine is in the file; what the file cannot show is unknown, not blind."""
        code, alerts, findings, _ = doctor(FLEET, "--metrics", FIXTURES / "vllm-0.32.0-cpu-overload.prom")
        assert worded(findings, "error") == []
        assert code == 0
        assert alerts["LLMTimeToFirstTokenHigh"]["state"] == "sees"
        assert alerts["GPUTemperatureHigh"]["state"] == "unknown"
        assert any("files say nothing of targets" in one for one in worded(findings, "info"))

    @pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
    def test_every_release_is_recognized_as_itself(self, doctor, path):
        """A file of the release that is declared brings no warning about the release, and no blind alert."""
        version = re.match(r"vllm-(\d+\.\d+\.\d+)", path.stem)[1]
        one = {"name": "p", "engine": {"kind": "vllm", "version": version}}
        code, _, findings, _ = doctor({"version": 1, "name": "one", "pools": [one]}, "--metrics", path)
        assert worded(findings, "error") == []
        assert not any("is declared, but its metrics" in told for told in worded(findings, "warning"))
        assert code == 0

    def test_files_can_be_named_for_pools(self, doctor):
        """FILE=POOL says whose it is; the others are left to files of their own."""
        code, alerts, findings, _ = doctor(
            FLEET,
            "--metrics",
            f"{FIXTURES / 'vllm-0.6.0.prom'}=chat-70b",
            f"{FIXTURES / 'vllm-0.32.0.prom'}=extract-8b",
        )
        assert code == 1
        assert alerts["LLMPrefixCacheHitRateLow"]["pools"] == {"chat-70b": "blind", "extract-8b": "sees"}
        assert any("'chat-70b': vllm 0.33.0 is declared" in one for one in worded(findings, "warning"))

    def test_an_exporters_file_shows_what_its_list_lacks(self, doctor, dcgm, tmp_path):
        """A counter that should be on by default and is not blinds what reads it; the line is given."""
        (tmp_path / "dcgm.prom").write_text(dcgm([card(1)], without=["XID_ERRORS"]))
        code, alerts, findings, _ = doctor(FLEET, "--metrics", tmp_path / "dcgm.prom")
        assert code == 1
        assert alerts["GPUXidError"]["state"] == "needs_counter"
        (told,) = worded(findings, "error")
        assert told.startswith("DCGM_FI_DEV_XID_ERRORS is off: blind is GPUXidError | add to")

    def test_a_counter_that_some_cards_lack_is_no_error(self, doctor, dcgm, tmp_path):
        """Row remapping came with Ampere: that it is absent may be right, so it is a warning."""
        (tmp_path / "dcgm.prom").write_text(dcgm([card(1)], without=["ROW_REMAP_FAILURE"]))
        code, alerts, findings, _ = doctor(FLEET, "--metrics", tmp_path / "dcgm.prom")
        assert code == 0
        assert alerts["GPURowRemapFailure"]["state"] == "needs_counter"
        assert any(
            "ROW_REMAP_FAILURE is off, or these cards lack it" in one for one in worded(findings, "warning")
        )

    def test_a_counter_switched_on_is_seen(self, doctor, dcgm, tmp_path):
        """An opt-in counter that is there makes its alert see."""
        (tmp_path / "dcgm.prom").write_text(dcgm([card(1)], extra=["CLOCKS_EVENT_REASONS"]))
        _, alerts, _, _ = doctor(FLEET, "--metrics", tmp_path / "dcgm.prom")
        assert alerts["GPUThrottling"]["state"] == "sees"

    def test_a_summary_under_a_histograms_name_is_an_error(self, doctor, tmp_path):
        """No quantile over replicas can be computed from a summary, and PromQL would not say so."""
        text = vllm("0.33.0").replace(
            "vllm:time_to_first_token_seconds histogram", "vllm:time_to_first_token_seconds summary"
        )
        (tmp_path / "odd.prom").write_text(re.sub(r"vllm:time_to_first_token_seconds_bucket.*\n", "", text))
        code, alerts, findings, _ = doctor(FLEET, "--metrics", tmp_path / "odd.prom")
        assert code == 1
        assert alerts["LLMTimeToFirstTokenHigh"]["state"] == "blind"
        assert any(
            "time_to_first_token_seconds is a summary here" in one for one in worded(findings, "error")
        )

    def test_a_file_of_something_else(self, doctor, tmp_path):
        """A file in which nothing is known is told as that, once, with some of what it holds."""
        (tmp_path / "node.prom").write_text("node_load1 0.5\n")
        code, alerts, findings, _ = doctor(FLEET, "--metrics", tmp_path / "node.prom")
        assert (code, alerts) == (1, {})
        assert worded(findings, "error")[0].startswith("nothing in this file is known: it holds node_load1")

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"\n<!DOCTYPE html><html>login</html>", ": error: cannot be read: it is a web page (HTML)"),
            (b"up 1\nx\xa4 1\n", ":2: error: cannot be read: byte 0xa4 there is no UTF-8 text"),
            (b'up 1\n\nx{a="b} 1\nup 1\n', ":3: error: cannot be read: this line is no metric: 'x{a=\"b} 1'"),
            (b"up 1\nhello, world", ":2: error: cannot be read: this line is no metric: 'hello, world'"),
            (b"# TYPE a\nup 1\n", ":1: error: cannot be read: this line is no metric: '# TYPE a'"),
        ],
    )
    def test_what_is_no_exposition_is_bad_input(self, doctor, tmp_path, content, told):
        """A saved login page or garbage is exit code 2, with its line and the way to save the real thing."""
        (tmp_path / "x.prom").write_bytes(content)
        code, _, _, stderr = doctor(FLEET, "--metrics", tmp_path / "x.prom")
        assert code == 2
        assert f"{tmp_path / 'x.prom'}{told}" in stderr
        assert "curl" in stderr
        assert "nothing was written" not in stderr

    def test_all_bad_files_are_told_at_once(self, doctor, tmp_path):
        """Missing files and unknown pools come together."""
        good = FIXTURES / "vllm-0.32.0.prom"
        code, _, _, stderr = doctor(FLEET, "--metrics", tmp_path / "none.prom", f"{good}=chat-7b")
        assert code == 2
        assert "No such file or directory" in stderr
        assert "there is no pool 'chat-7b'" in stderr
        assert "did you mean `chat-70b`?" in stderr

    def test_captures_of_other_exporters_do_not_crash_it(self, doctor, captures):
        """Whatever text is given, the answer is an exit code with findings."""
        for path in sorted(captures.rglob("*.prom")):
            code, _, _, _ = doctor(FLEET, "--metrics", path)
            assert code in (0, 1, 2), path


class TestUse:
    def test_one_source_is_asked(self, doctor):
        """Neither and both are usage errors."""
        assert doctor(FLEET)[0] == 2
        assert doctor(FLEET, "--prometheus", "http://127.0.0.1:1", "--metrics", "x")[0] == 2

    def test_a_broken_fleet_file_is_told_before_anything_is_asked(self, doctor):
        """Bad input is exit code 2 even where the server is away."""
        assert doctor(fleet(nme="x"), "--prometheus", "http://127.0.0.1:1")[0] == 2

    def test_people_get_a_table(self, tmp_path):
        """Without a format the alerts come as a table, worst first, and the findings on standard error."""
        (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(FLEET))
        result = CliRunner().invoke(
            main, ["doctor", str(tmp_path / "fleet.yaml"), "--metrics", str(FIXTURES / "vllm-0.33.0.prom")]
        )
        assert "nothing was written" not in result.output
        first, *rest = result.stdout.splitlines()
        assert re.match(r"\d+ alerts at .*", first)
        states = [line.split()[0] for line in rest if line[:1].strip()]
        assert states.index("blind") < states.index("unknown") < states.index("sees")

    def test_no_name_is_cut_in_a_narrow_terminal(self, dcgm, tmp_path, monkeypatch):
        """At eighty columns the longest names of counters stand in one line."""
        monkeypatch.setenv("COLUMNS", "80")
        (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(FLEET))
        without = ["CORRECTABLE_REMAPPED_ROWS", "UNCORRECTABLE_REMAPPED_ROWS"]
        (tmp_path / "dcgm.prom").write_text(dcgm([card(1)], without=without))
        result = CliRunner().invoke(
            main, ["doctor", str(tmp_path / "fleet.yaml"), "--metrics", str(tmp_path / "dcgm.prom")]
        )
        assert "…" not in result.stdout
        assert " DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS is off, or these cards " in result.stdout
        assert max(map(len, result.stdout.splitlines()[1:])) <= 80
