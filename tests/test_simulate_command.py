"""`sre simulate`: what a fleet's Prometheus finds behind the addresses, and how the command ends."""

import json
import signal
import socket
import subprocess
import sys
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from sre import content
from sre.catalogue.load import load
from sre.cli import main
from sre.compile.planning import make_plan
from sre.findings import Refused
from sre.fleet import load_text
from sre.lab.opening import open_world
from sre.lab.pacing import Pacing, keep
from sre.lab.world import World
from sre.simulate.course import Happening, courses
from sre.simulate.story import Place

CHECKOUT = Path(__file__).parent.parent
EXAMPLE = CHECKOUT / "examples" / "fleet.yaml"
CATALOGUE = load(content.root())
SMALL = """
version: 1
name: small
identity: host
pool_label: pool
gpu_exporter: {kind: dcgm, version: "4.9.0", honor_labels: true}
pools:
  - name: chat %s "a"
    engine: {kind: vllm, version: "0.10.2"}
    gpus: {type: h100, per_replica: 2, replicas: 2}
    objectives: {ttft_p95: 500ms}
  - name: plain
    engine: {kind: vllm, version: "0.32.0", histogram_buckets: {time_to_first_token: [0.1, 0.7]}}
"""


def world(fleet: str = SMALL, faults: str = "", folder: Path | None = None, **options: Any) -> World:
    """The fleet after its first step of a second."""
    plan = make_plan(load_text("fleet.yaml", fleet.encode(), Path())[0], CATALOGUE)
    path = None
    if faults and folder:
        path = folder / "faults.yaml"
        path.write_text(faults)
    found = open_world(plan, path, **options)[0]
    found.step(1)
    return found


def page(of: World, path: str) -> str:
    found = of.page(path)
    assert found is not None, path
    return found.body.decode()


def sample(text: str, name: str, **labels: str) -> float:
    """The only sample of that name with these labels among its own."""
    (value,) = (
        s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.name == name and labels.items() <= s.labels.items()
    )
    return value


class Shape(NamedTuple):
    """What a sample's name looks like on a page: its type, all labels that are seen, and bounds of buckets."""

    kind: str
    labels: frozenset[str]
    bounds: list[float]


def shapes(text: str) -> dict[str, Shape]:
    """By the name of the samples."""
    found = dict[str, Shape]()
    for family in text_string_to_metric_families(text):
        for name, samples in groupby(family.samples, key=attrgetter("name")):
            labels = [one.labels for one in samples]
            bounds = sorted({float(one["le"]) for one in labels if "le" in one})
            found[name] = Shape(family.type, frozenset().union(*labels), bounds)
    return found


def bare(release: str = "0.32.0", gpu_exporter: str = '{kind: dcgm, version: "4.8.2"}') -> World:
    """One pool of one replica with a card, of which a fleet file says no more than it must."""
    return world(f"""
version: 1
name: bare
gpu_exporter: {gpu_exporter}
pools:
  - {{name: chat, engine: {{kind: vllm, version: "{release}"}}, gpus: {{type: h100, per_replica: 1, replicas: 1}}}}
""")


BARE = "/replica/chat/0/metrics"
OPT_IN = {
    "DCGM_EXP_XID_ERRORS_COUNT", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
    "DCGM_FI_DEV_GPU_TEMP_LIMIT", "DCGM_FI_DEV_ROW_REMAP_PENDING",
}  # fmt: skip
REPLICA, NODE = "/replica/chat-s-a/0/metrics", "/node/chat-s-a/0/metrics"


class TestPages:
    def test_names_are_those_of_the_release(self) -> None:
        """An old engine has old names and buckets, and a pool's own buckets are there."""
        fleet = world()
        old, new = page(fleet, REPLICA), page(fleet, "/replica/plain/0/metrics")
        assert "vllm:gpu_cache_usage_perc{" in old
        assert "vllm:gpu_cache_usage_perc{" not in new
        assert "vllm:admission_rejections_total" not in old
        bounds = {s.labels["le"] for f in text_string_to_metric_families(new)
                  for s in f.samples if s.name == "vllm:time_to_first_token_seconds_bucket"}  # fmt: skip
        assert bounds == {"0.1", "0.7", "+Inf"}
        assert sample(new, "vllm:cache_config_info", block_size="16") == 1

    def test_every_family_has_its_help_and_type_once(self) -> None:
        """A page reads like that of a client library: HELP, TYPE, then the samples of that name alone."""
        for path in (REPLICA, NODE):
            lines = page(world(), path).splitlines()
            heads = [line.split()[2] for line in lines if line.startswith("# TYPE")]
            assert heads == [line.split()[2] for line in lines if line.startswith("# HELP")]
            assert len(heads) == len(set(heads))
        assert "# TYPE vllm:e2e_request_latency_seconds histogram" in page(world(), REPLICA)
        assert "# TYPE vllm:generation_tokens_total counter" in page(world(), REPLICA)

    def test_pages_have_no_target_labels(self) -> None:
        """Pool, instance and job come from the scrape configuration; a card's own labels are on its page."""
        fleet = world()
        for path in (REPLICA, NODE):
            families = text_string_to_metric_families(page(fleet, path))
            assert not {"job", "instance", "pool"} & {
                k for f in families for s in f.samples for k in s.labels
            }
        assert 'DCGM_FI_SYSTEM_DRIVER_VERSION="' in page(fleet, NODE)
        assert 'hostname="node-0"' in page(fleet, NODE)

    def test_promtool_reads_every_page(self) -> None:
        """Its linter dislikes the field's names; the syntax it must not dislike."""
        for path in (REPLICA, NODE):
            done = subprocess.run(
                ["promtool", "check", "metrics"],
                input=page(world(), path),
                text=True,
                capture_output=True,
                check=False,
            )
            said = done.stderr + done.stdout
            assert "error while linting" not in said
            assert "parsing" not in said
            assert done.returncode in (0, 3)

    @pytest.mark.parametrize("release", ["0.10.2", "0.32.0", "0.33.0"])
    def test_an_engines_page_looks_like_one_that_was_captured(self, release: str, captures: Path) -> None:
        """Names, types, labels and buckets are those of the release; what is not on a page is not made up."""
        file = {"0.32.0": "vllm-0.32.0-cpu-overload.prom"}.get(release, f"engines/gen-vllm-{release}.prom")
        ours, theirs = shapes(page(bare(release), BARE)), shapes((captures / file).read_text())
        # Generated captures are of the engine's own registry: nothing of the process or the web server is in it.
        around = {"process_start_time_seconds", "http_requests_total"} - theirs.keys()
        assert ours.keys() - theirs.keys() == around
        assert "gpu_memory_utilization" in ours["vllm:cache_config_info"].labels
        for name in ours.keys() & theirs.keys() - {"vllm:cache_config_info"}:
            assert (ours[name].kind, ours[name].labels) == (theirs[name].kind, theirs[name].labels), name
            # 1-2-5 up to the longest reply of the model that was loaded.
            shared = len(theirs[name].bounds) - 1 if name == "vllm:request_generation_tokens_bucket" else None
            assert ours[name].bounds[:shared] == theirs[name].bounds[:shared], name

    def test_a_queue_is_told_by_reason_too(self, tmp_path: Path) -> None:
        """The parts of a queue come to the whole of it, as they do in an engine."""
        fleet = world(faults="- {fault: overload, pool: plain, at: 5s}", folder=tmp_path)
        fleet.step(5)
        fleet.step(5)
        text, queue = page(fleet, "/replica/plain/0/metrics"), "vllm:num_requests_waiting"
        assert sample(text, queue) == sample(text, f"{queue}_by_reason", reason="capacity") > 0
        assert sample(text, f"{queue}_by_reason", reason="deferred") == 0

    @pytest.mark.parametrize(
        ("exporter", "file"),
        [
            ("4.8.2, counters: image", "dcgm-4.8.2-k8s-h100.synthetic.prom"),
            ("4.8.2, counters: chart", "dcgm-4.8.2-helm-chart-default.synthetic.prom"),
            ("4.8.3, counters: image", "dcgm-4.8.3-k8s-h100-lowercase-hostname.synthetic.prom"),
        ],
    )
    def test_an_exporters_page_looks_like_one_that_was_captured(
        self, exporter: str, file: str, captures: Path
    ) -> None:
        """Beside its list stand only counters that one line switches on; labels say where a card sits."""
        ours = shapes(page(bare(gpu_exporter=f"{{kind: dcgm, version: {exporter}}}"), "/node/chat/0/metrics"))
        theirs = shapes((captures / "dcgm" / file).read_text())
        assert {name.removesuffix("_total") for name in ours.keys() - theirs.keys()} == OPT_IN
        for name in ours.keys() & theirs.keys():
            assert ours[name].kind == theirs[name].kind, name
            assert ours[name].labels == theirs[name].labels - {"err_msg"}, name

    def test_the_same_seed_shows_the_same_bytes(self) -> None:
        """What a page shows at a virtual time depends on fleet, faults and seed alone."""
        one, same, other = (world(seed=seed) for seed in (7, 7, 8))
        for fleet in (one, same, other):
            fleet.step(10)
        assert [page(one, path) for path in one.paths] == [page(same, path) for path in one.paths]
        assert page(one, REPLICA) != page(other, REPLICA)

    def test_no_two_cards_or_places_of_a_fleet_are_the_same(self) -> None:
        """Pools stand beside each other, in addresses, pods and identities."""
        plan = make_plan(load_text("fleet.yaml", EXAMPLE.read_bytes(), EXAMPLE.parent)[0], CATALOGUE)
        fleet = open_world(plan)[0]
        fleet.step(1)
        cards = [
            s.labels["UUID"]
            for path in fleet.paths if path.startswith("/node/")
            for family in text_string_to_metric_families(page(fleet, path))
            for s in family.samples if s.name == "DCGM_FI_DEV_GPU_TEMP"
        ]  # fmt: skip
        assert len(cards) == len(set(cards)) == 10
        targets = json.loads(page(fleet, "/targets"))
        assert len({json.dumps(group["labels"]) for group in targets}) == len(targets) == 12

    def test_targets_and_configuration_follow_the_fleet_file(self) -> None:
        """The pool label, the host and the exporter's job are what the rules will join on."""
        fleet = world()
        fleet.url = "http://127.0.0.1:1234"
        first = json.loads(page(fleet, "/targets/replicas"))[0]
        assert first == {
            "targets": ["127.0.0.1:1234"],
            "labels": {
                "__metrics_path__": REPLICA,
                "job": "vllm",
                "pool": 'chat %s "a"',
                "instance": "node-0:8000",
            },
        }
        assert len(json.loads(page(fleet, "/targets/nodes"))) == 2
        replicas, nodes = yaml.safe_load(page(fleet, "/prometheus.yaml"))["scrape_configs"]
        assert (replicas["honor_labels"], nodes["honor_labels"]) == (False, True)
        assert nodes["http_sd_configs"][0]["url"] == "http://127.0.0.1:1234/targets/nodes"


class TestFaults:
    def test_a_fault_comes_goes_and_hits_only_its_pool(self, tmp_path: Path) -> None:
        """A stalled replica makes no token while it is stalled, and its neighbours do."""
        faults = '- {fault: engine_stall, pool: "chat %s \\"a\\"", at: 10s, for: 30s}'
        fleet, tokens = world(faults=faults, folder=tmp_path), "vllm:generation_tokens_total"
        seen = []
        for _ in range(6):
            fleet.step(9.5)
            seen.append([sample(page(fleet, p), tokens) for p in (REPLICA, "/replica/plain/0/metrics")])
        stalled, other = zip(*seen, strict=True)
        assert stalled[0] == stalled[1] == stalled[4] < stalled[5]
        assert list(other) == sorted(set(other))

    def test_a_replica_that_is_gone_leaves_the_targets_and_one_that_is_dead_does_not_answer(
        self, tmp_path: Path
    ) -> None:
        """Service discovery forgets the one; the scrape of the other fails."""
        pool = 'pool: "chat %s \\"a\\""'
        gone = world(faults=f"- {{fault: engine_gone, {pool}}}", folder=tmp_path)
        assert gone.page(REPLICA) is None
        assert len(json.loads(page(gone, "/targets/replicas"))) == 2
        dead = world(faults=f"- {{fault: engine_unreachable, {pool}}}", folder=tmp_path)
        assert dead.page(REPLICA) is None
        assert len(json.loads(page(dead, "/targets/replicas"))) == 3
        silent = world(faults=f"- {{fault: node_silent, {pool}}}", folder=tmp_path)
        assert silent.page(NODE) is None
        assert silent.page(REPLICA) is not None

    def test_a_fault_may_be_written_out(self, tmp_path: Path) -> None:
        """What the catalogue does not have is tried without touching it."""
        faults = """
- pool: "chat %s \\"a\\""
  fault: {says: A card is hot and reports a code., on: card, set: {temperature: 99, xid: 79}}
"""
        text = page(world(faults=faults, folder=tmp_path), NODE)
        assert sample(text, "DCGM_FI_DEV_GPU_TEMP_CELSIUS", gpu="0") == 99
        assert sample(text, "DCGM_FI_DEV_GPU_TEMP_CELSIUS", gpu="1") < 80
        assert sample(text, "DCGM_FI_DEV_XID_ERROR", err_code="79", gpu="0") == 79

    def test_a_renamed_release_shows_other_names(self, tmp_path: Path) -> None:
        """A rolling upgrade is seen as it is: the page of a replica has other names, and the old ones are gone."""
        fleet = world(faults="- {fault: rolling_upgrade, pool: plain, at: 10s}", folder=tmp_path)
        newest, older = "vllm:admission_rejections_total{", "vllm:gpu_cache_usage_perc{"
        before = page(fleet, "/replica/plain/0/metrics")
        for _ in range(20):
            fleet.step(5)
        after = page(fleet, "/replica/plain/0/metrics")
        assert (newest in before, older in before) == (True, False)
        assert (newest in after, older in after) == (False, True)

    @pytest.mark.parametrize("name", sorted(CATALOGUE.faults))
    def test_every_fault_of_the_catalogue_can_happen(self, name: str, tmp_path: Path) -> None:
        """One file of faults serves proofs and the served fleet alike."""
        fleet = world(faults=f'- {{fault: {name}, pool: "chat %s \\"a\\"", at: 1s}}', folder=tmp_path)
        fleet.step(5)
        fleet.step(5)
        for path in fleet.paths:
            if found := fleet.page(path):
                assert found.body

    def test_faults_that_meet_both_happen(self) -> None:
        """Each changes its own inputs; what is mended is as it was."""
        code, heat = CATALOGUE.faults["xid_reboot"], CATALOGUE.faults["overheating"]
        usual, limits = {"xid": 0.0, "temperature": 60.0}, {"gpu_temperature": 83.0}
        found = courses((Happening(code, 10, 20), Happening(heat, 20)), usual, limits, (1, 1), 15)
        assert [(m.second, m.inputs["xid"], m.inputs["temperature"]) for m in found[Place(0, 0)]] == [
            (0.0, 0.0, 60.0),
            (10, 79.0, 60.0),
            (20, 79.0, 85.0),
            (30, 0.0, 85.0),
        ]
        assert [moment.inputs for moment in found[Place(0)]] == [usual]

    def test_the_example_of_faults_is_read(self) -> None:
        """What the example promises happens to the example fleet."""
        plan = make_plan(load_text("fleet.yaml", EXAMPLE.read_bytes(), EXAMPLE.parent)[0], CATALOGUE)
        fleet, warnings = open_world(plan, EXAMPLE.with_name("faults.yaml"))
        assert warnings == []
        fleet.step(2400)
        fleet.step(15)
        assert sample(page(fleet, "/node/chat-70b/0/metrics"), "DCGM_FI_DEV_GPU_TEMP", gpu="0") == 88

    def test_what_is_wrong_in_a_file_is_told_at_once(self, tmp_path: Path) -> None:
        """Unknown faults, pools, inputs and times each stand at their line, with what to write."""
        faults = """
- {fault: kv_trash, pool: plain}
- {fault: kv_thrash, pool: plan, at: soon}
- {fault: {says: Hot., set: {temprature: 99}}, pool: plain}
- {fault: {says: Hot., set: {temperature: 2 * nothing}}, pool: plain}
- kv_thrash
"""
        with pytest.raises(Refused) as refused:
            world(faults=faults, folder=tmp_path)
        said = [(f.where.rpartition(":")[2], f.what, f.fix) for f in refused.value.findings]
        assert ("2", "'kv_trash' is no fault of the catalogue", "did you mean `kv_thrash`?") in said
        assert [line for line, _, _ in said] == ["2", "3", "4", "5", "6"]

    @pytest.mark.parametrize(
        ("time", "said"),
        [
            ("for: 0s", "`[1].for` is '0s'"),
            ("at: true", "`[1].at`: true is not a duration"),
            ("at: 99999999999999999999999y", "`[1].at`: '99999999999999999999999y' is no time to wait for"),
        ],
    )
    def test_a_time_that_cannot_be_meant_is_told(self, time: str, said: str, tmp_path: Path) -> None:
        """A fault for no time is not one for ever, a switch is no second, and no age of the world is waited for."""
        with pytest.raises(Refused) as refused:
            world(faults=f"- {{fault: kv_thrash, pool: plain, {time}}}", folder=tmp_path)
        assert [finding.what for finding in refused.value.findings] == [said]

    def test_what_only_a_prometheus_or_a_gateway_could_show_is_a_warning(self, tmp_path: Path) -> None:
        """Nobody waits in vain for a fault that cannot be seen here."""
        (tmp_path / "faults.yaml").write_text("- {fault: usage_lost, pool: plain}")
        plan = make_plan(load_text("fleet.yaml", SMALL.encode(), Path())[0], CATALOGUE)
        (warning,) = open_world(plan, tmp_path / "faults.yaml")[1]
        assert (warning.severity, warning.what) == (
            "warning",
            "`recorded` of this fault changes nothing here",
        )


class TestPacing:
    def test_a_restart_is_told_in_the_time_of_day(self, tmp_path: Path) -> None:
        """At ten times the speed, what happens after 20 simulated seconds happens 2 seconds from now."""
        fleet = world(
            faults="- {fault: crash_loop, pool: plain, at: 20s}", folder=tmp_path, epoch=1000.0, speed=10.0
        )
        path, name = "/replica/plain/0/metrics", "process_start_time_seconds"
        assert sample(page(fleet, path), name) == 1000 - 7200
        for _ in range(100):
            fleet.step(1)
        assert sample(page(fleet, path), name) == 1000 + 80 / 10

    def test_a_clock_that_is_ahead_prints_a_start_in_the_future(self, tmp_path: Path) -> None:
        """What a replica says of its next start is off by as much as its host's clock; what began before is not."""
        fleet = world(faults="- {fault: clock_skew, pool: plain, at: 20s}", folder=tmp_path, epoch=1000.0)
        path, name = "/replica/plain/0/metrics", "process_start_time_seconds"
        assert sample(page(fleet, path), name) == 1000 - 7200
        for _ in range(100):
            fleet.step(1)
        assert sample(page(fleet, path), name) == 1000 + 80 + 7200

    def test_every_scrape_finds_another_step(self) -> None:
        """Steps are a fifteenth of the scrape interval, and at a greater speed they are longer, not rarer."""
        assert Pacing.of(30, 1) == Pacing(2, 2.0)
        assert Pacing.of(30, 10) == Pacing(20, 2.0)
        assert Pacing.of(5, 1) == Pacing(1, 1.0)

    def test_a_machine_that_is_too_slow_is_told_once(self) -> None:
        """No step is left out; that it takes too long is said, and said once."""

        class EnoughError(Exception):
            pass

        now, steps, told = [0.0], list[float](), list[float]()

        def step(seconds: float) -> None:
            steps.append(seconds)
            now[0] += 3 * seconds
            if len(steps) == 10:
                raise EnoughError

        with pytest.raises(EnoughError):
            keep(Pacing(1, 1.0), step, told.append, lambda: now[0], steps.append)
        assert told == [6.0]


class TestCommand:
    def test_a_real_prometheus_sees_a_fleet_and_the_alerts_see(self, start_program, until, fetch) -> None:
        """With the configuration that is served every target is up, no scrape fails, and doctor is content."""
        command = [sys.executable, "-m", "sre.cli", "simulate", str(EXAMPLE), "--seed", "3"]
        server = start_program(lambda _, port: [*command, "--port", str(port)], "/targets").url

        def arguments(folder: Path, port: int) -> list[str]:
            config = yaml.safe_load(fetch(f"{server}/prometheus.yaml"))
            config["global"] |= {"scrape_interval": "2s", "scrape_timeout": "2s"}
            (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
            listen = f"--web.listen-address=127.0.0.1:{port}"
            return [
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                listen,
                "--log.level=warn",
            ]

        url = start_program(arguments, "/-/ready").url

        def targets() -> list[dict[str, Any]]:
            return list(json.loads(fetch(f"{url}/api/v1/targets"))["data"]["activeTargets"])

        until(
            lambda: len(targets()) == 12 and all(t["health"] == "up" for t in targets()), "every target", 60
        )
        assert {t["lastError"] for t in targets()} == {""}
        rate = f"{url}/api/v1/query?query=count(rate(vllm:generation_tokens_total[1m])>0)"
        until(lambda: b'"6"]' in fetch(rate), "tokens of every replica", 60)
        asked = ["doctor", str(EXAMPLE), "--prometheus", url, "--format", "json"]
        done = CliRunner().invoke(main, asked, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        states = {alert["alert"]: alert["state"] for alert in json.loads(done.stdout)["alerts"]}
        blind = {f"LLMUsage{what}" for what in ("Unaccounted", "Silent", "Behind", "Strangers")}
        assert {name for name, state in states.items() if state != "sees"} == blind
        assert len(states) > 20

    def test_a_taken_port_ends_it_with_the_way_out(self) -> None:
        """Nothing is served on some other port that nobody asked for."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            done = CliRunner().invoke(main, ["simulate", str(EXAMPLE), "--port", str(port)])
        assert done.exit_code == 2
        assert "--port 0" in done.stderr
        assert "Traceback" not in done.output

    def test_an_interrupt_ends_it_at_once(self) -> None:
        """It says where to look, and is gone when it is told to go."""
        command = [sys.executable, "-m", "sre.cli", "simulate", str(EXAMPLE), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout
            said = [process.stdout.readline() for _ in range(7)]
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        assert said[0].startswith("prod-eu: 2 pools, 6 replicas, 10 cards")
        assert "/prometheus.yaml" in said[4]
        assert process.returncode == 130
        assert "Traceback" not in errors

    def test_bad_files_are_told_together_and_nothing_is_served(self, tmp_path: Path) -> None:
        """A broken trace does not hide a broken list of faults."""
        (tmp_path / "faults.yaml").write_text("- {fault: healthy, pool: nobody}\n")
        (tmp_path / "trace.jsonl").write_text('{"timestamp": 1}\n')
        options = ["--faults", str(tmp_path / "faults.yaml"), "--trace", str(tmp_path / "trace.jsonl")]
        done = CliRunner().invoke(main, ["simulate", str(EXAMPLE), "--port", "0", *options])
        assert done.exit_code == 2
        assert "faults.yaml:1" in done.stderr
        assert "trace.jsonl:1" in done.stderr
        assert done.stdout == ""
