"""Who is told what: routes and inhibition, asked of amtool and of a running Alertmanager."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from sre.catalogue.load import load as load_catalogue
from sre.cli import main
from sre.compile.alertmanager import render
from sre.compile.planning import make_plan
from sre.content import root
from sre.findings import Refused
from sre.fleet import load_text
from sre.fleet.receivers import read_receivers

EXAMPLE = Path(__file__).parent.parent / "examples" / "fleet.yaml"
TEAMS = ("documents", "platform")
HOSTILE = [
    'quo"te', "back\\slash", "{{ $labels.x }}", "a, b", "}", "{", "`tick`", "<b>html</b>", "${HOME}", "%s",
    "null", "yes", "1e3", "~", "- x", "key: value", "# no", "'", '"', "\\", '\\"', "é", "日本", "\U0001f525",
    "platform-page", "page", "*", "&a", "!tag", "|", ">", "@", "a=b", "a\\n", '=~".*"', "a  b", ".*",
]  # fmt: skip


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(root())


@pytest.fixture(scope="module")
def plan(catalogue):
    fleet, _ = load_text("fleet.yaml", EXAMPLE.read_bytes(), EXAMPLE.parent)
    return make_plan(fleet, catalogue)


def written(plan, folder, receivers=None):
    (artefact,) = render(plan, receivers)
    assert artefact.path == "alertmanager/alertmanager.yaml"
    path = folder / "alertmanager.yaml"
    path.write_text(artefact.text, encoding="utf-8")
    checked = subprocess.run(["amtool", "check-config", path], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return path


def routed(path, **labels):
    """The receivers that amtool names for an alert with these labels."""
    arguments = ["amtool", "config", "routes", "test", f"--config.file={path}"]
    arguments += [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()]
    told = subprocess.run(arguments, check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout.splitlines()[0]


class TestRoutes:
    @pytest.mark.parametrize(
        ("labels", "receiver"),
        [
            ({"alertname": "Watchdog", "severity": "none", "team": "platform"}, "watchdog"),
            ({"alertname": "GPUXidError", "severity": "none", "team": "platform"}, "null"),
            ({"alertname": "LLMEngineDown", "severity": "page", "team": "documents"}, "documents-page"),
            (
                {"alertname": "LLMThroughputDrop", "severity": "ticket", "team": "documents"},
                "documents-ticket",
            ),
            ({"alertname": "GPUUnderutilized", "severity": "info", "team": "platform"}, "platform-info"),
            ({"alertname": "LLMEngineDown", "severity": "page", "team": "left the company"}, "page"),
            ({"alertname": "LLMEngineDown", "severity": "page"}, "page"),
            ({"alertname": "SomebodyElses", "severity": "info"}, "info"),
            ({"alertname": "SomebodyElses", "severity": "critical"}, "ticket"),
        ],
    )
    def test_every_alert_has_a_way(self, plan, tmp_path, labels, receiver):
        """By team, then by severity; the dead man's switch goes alone, and nothing falls through."""
        assert routed(written(plan, tmp_path), **labels) == receiver

    def test_the_watchdog_is_repeated_before_a_dead_mans_switch_would_trip(self, plan, tmp_path):
        """The Watchdog is alone on its branch and comes every few minutes."""
        tree = yaml.safe_load(written(plan, tmp_path).read_text())["route"]
        first = tree["routes"][0]
        assert first["matchers"] == ['alertname="Watchdog"']
        assert (first["group_interval"], first["repeat_interval"]) == ("1m", "5m")

    def test_alerts_of_one_pool_come_together(self, plan, tmp_path):
        """One notification for one alert of one pool, however many replicas it names."""
        assert yaml.safe_load(written(plan, tmp_path).read_text())["route"]["group_by"] == [
            "alertname",
            "pool",
        ]

    @pytest.mark.parametrize("team", HOSTILE)
    def test_team_names_are_only_text(self, catalogue, tmp_path, team):
        """A team may be called anything: its alerts reach it, and those of others do not."""
        pools = [
            {"name": f"pool-{index}", "engine": {"kind": "vllm", "version": "0.32.0"}, "owner": owner}
            for index, owner in enumerate((team, "search"))
        ]
        text = json.dumps({"version": 1, "name": "prod", "pools": pools}, ensure_ascii=False)
        fleet, _ = load_text("fleet.yaml", text.encode(), tmp_path)
        path = written(make_plan(fleet, catalogue), tmp_path)
        assert routed(path, severity="page", team=team) == f"{team}-page"
        assert routed(path, severity="page", team="search") == "search-page"
        assert routed(path, severity="page", team=f"x{team}") == "page"


RECEIVERS = """\
global:
  resolve_timeout: 5m
receivers:
  - name: page
    webhook_configs: [{url: "http://127.0.0.1:9/page", send_resolved: yes, max_alerts: 0x10}]
  - name: ticket
  - &quiet
    name: info
  - name: watchdog
    webhook_configs: [{url: "http://127.0.0.1:9/watchdog"}]
  - name: documents-page
    webhook_configs: [{url: "http://127.0.0.1:9/documents"}]
"""


class TestReceivers:
    def read(self, tmp_path, text, teams=TEAMS):
        path = tmp_path / "receivers.yaml"
        path.write_text(text, encoding="utf-8")
        return read_receivers(path, teams)

    def refused(self, tmp_path, text):
        with pytest.raises(Refused) as caught:
            self.read(tmp_path, text)
        return caught.value.findings

    def test_a_team_without_its_own_receiver_uses_the_common_one(self, plan, tmp_path):
        """Own receivers take over one by one; the rest falls back to the severity's."""
        receivers, findings = self.read(tmp_path, RECEIVERS)
        path = written(plan, tmp_path, receivers)
        assert findings == []
        assert routed(path, severity="page", team="documents") == "documents-page"
        assert routed(path, severity="ticket", team="documents") == "ticket"
        assert routed(path, severity="page", team="platform") == "page"
        assert routed(path, severity="none", team="platform") == "null"

    def test_they_arrive_as_they_were_written(self, plan, tmp_path):
        """Integrations and `global` reach the output with the meaning that Alertmanager gives them."""
        receivers, _ = self.read(tmp_path, RECEIVERS)
        data = yaml.safe_load(written(plan, tmp_path, receivers).read_text())
        assert data["global"] == {"resolve_timeout": "5m"}
        (webhook,) = data["receivers"][0]["webhook_configs"]
        assert webhook == {"url": "http://127.0.0.1:9/page", "send_resolved": True, "max_alerts": 16}

    def test_a_missing_receiver_is_named_with_what_it_is_for(self, tmp_path):
        """All missing names are shown at once, each with its line and what to write."""
        findings = self.refused(tmp_path, "receivers:\n  - name: page\n  - name: info\n")
        assert [(f.what, f.fix) for f in findings if f.severity == "error"] == [
            ("there is no receiver `ticket`", "add `- name: ticket`"),
            ("there is no receiver `watchdog`", "add `- name: watchdog`"),
        ]
        assert {f.where[-16:] for f in findings if f.severity == "error"} == {"receivers.yaml:1"}

    @pytest.mark.parametrize(
        ("text", "line", "what"),
        [
            ("[]", 1, "there is no list `receivers` here"),
            ("receivers: {page: x}", 1, "there is no list `receivers` here"),
            ("route: {}\n" + RECEIVERS, 1, "unknown key `route`"),
            ("globale: {}\n" + RECEIVERS, 1, "unknown key `globale`"),
            (RECEIVERS + "  - name: null\n", 13, "entry 6 of `receivers` has no name"),
            (RECEIVERS + "  - page\n", 13, "entry 6 of `receivers` has no name"),
            (
                RECEIVERS + "    slack_configs: {}\n",
                13,
                "`slack_configs` of the receiver 'documents-page' is no list",
            ),
        ],
    )
    def test_what_alertmanager_would_refuse_is_refused_with_its_line(self, tmp_path, text, line, what):
        """A fragment of another shape is refused before anything is written."""
        (finding,) = self.refused(tmp_path, text)
        assert finding.what.startswith(what)
        assert finding.where.endswith(f":{line}")
        assert finding.fix

    def test_a_name_twice_is_refused(self, tmp_path):
        """Alertmanager would refuse the second one."""
        findings = self.refused(tmp_path, RECEIVERS + "  - name: ticket\n")
        assert [f.what for f in findings] == ["the receiver 'ticket' stands here twice"]

    def test_a_receiver_that_nothing_reaches_is_a_warning(self, tmp_path):
        """A misspelt team would be told nothing, so the name that it resembles is shown."""
        _, (finding,) = self.read(tmp_path, RECEIVERS + "  - name: documets-ticket\n")
        assert (finding.severity, finding.fix) == ("warning", "did you mean `documents-ticket`?")
        assert finding.where.endswith(":13")

    def test_a_secret_written_out_is_a_warning(self, tmp_path):
        """The value itself is not shown."""
        more = "  - name: platform-page\n    pagerduty_configs: [{routing_key: 0123abcd}]\n"
        _, (finding,) = self.read(tmp_path, RECEIVERS + more)
        assert finding.severity == "warning"
        assert "`routing_key_file`" in finding.fix
        assert "0123abcd" not in str(finding)


INCIDENTS: dict[str, list[tuple[str, str, bool]]] = {
    "a lost card": [
        ("GPUMissing", "page", True),
        ("LLMEngineDown", "page", False),
        ("LLMErrorRateHigh", "page", False),
        ("LLMQueueUtilizationAnomaly", "page", False),
        ("LLMQueueDepthHigh", "page", False),
        ("LLMTimeToFirstTokenHigh", "page", False),
        ("LLMKVCacheSaturated", "ticket", False),
        ("LLMCapacityHeadroomLow", "info", False),
        ("GPUXidError", "none", True),
    ],
    "a dead engine": [("LLMEngineDown", "page", True), ("LLMErrorRateHigh", "page", False)],
    "an anomaly": [("LLMQueueUtilizationAnomaly", "page", True), ("LLMQueueDepthHigh", "page", False)],
    "a queue": [("LLMQueueDepthHigh", "page", True), ("LLMInterTokenLatencyHigh", "page", False)],
    "errors": [
        ("LLMErrorRateHigh", "page", True),
        ("LLMErrorRateHigh", "ticket", False),
        ("LLMQueueDepthHigh", "page", False),
    ],
    "equals do not silence each other": [
        ("LLMEngineDown", "page", True),
        ("LLMEngineStalled", "page", True),
    ],
    "slow in two ways": [
        ("LLMTimeToFirstTokenHigh", "page", True),
        ("LLMRequestLatencyHigh", "page", True),
    ],
    "a ticket silences no page": [
        ("GPUTemperatureHigh", "ticket", False),
        ("LLMTimeToFirstTokenHigh", "page", True),
    ],
    "tickets do not silence tickets": [
        ("GPUThrottling", "ticket", True),
        ("LLMPreemptionsHigh", "ticket", True),
        ("LLMPrefixCacheHitRateLow", "info", True),
    ],
    "somebody else's page": [("DatabasePoolEmpty", "page", True), ("LLMThroughputDrop", "ticket", True)],
}
"""Name of a pool -> what fires there: alert, severity, and whether somebody is told."""

CARDS: list[tuple[str, str, dict[str, str], bool]] = [
    ("GPUDoubleBitECC", "page", {"uuid": "GPU-1"}, True),
    ("GPUXidError", "page", {"uuid": "GPU-1", "xid": "48"}, False),
    ("GPUXidError", "ticket", {"uuid": "GPU-1", "xid": "94"}, False),
    ("GPUXidError", "page", {"uuid": "GPU-2", "xid": "79"}, True),
    ("GPUDoubleBitECC", "ticket", {"uuid": "GPU-3"}, True),
    ("GPUXidError", "ticket", {"uuid": "GPU-3", "xid": "94"}, False),
    ("GPUXidError", "page", {"uuid": "GPU-3", "xid": "79"}, True),
    ("GPUDoubleBitECC", "page", {}, True),
    ("GPUXidError", "page", {"xid": "62"}, True),
    ("LLMTimeToFirstTokenHigh", "page", {"case": "no pool"}, True),
    ("GPUMemoryDegrading", "ticket", {"case": "no pool"}, True),
]
"""Alerts without a pool: alert, severity, labels, and whether somebody is told."""


@pytest.fixture(scope="module")
def told(plan, start_program, fetch, tmp_path_factory):
    """Whether each alert of the lists above comes through, as a running Alertmanager decides it."""
    config = written(plan, tmp_path_factory.mktemp("config"))
    running = start_program(
        lambda folder, port: [
            "prometheus-alertmanager",
            f"--config.file={config}",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ],
        "/-/ready",
    )
    alerts = [
        {"alertname": name, "severity": severity, "pool": pool, "team": "platform"}
        for pool, fired in INCIDENTS.items()
        for name, severity, _ in fired
    ]
    alerts += [
        {"alertname": name, "severity": severity, "team": "platform", **labels}
        for name, severity, labels, _ in CARDS
    ]
    url = f"{running.url}/api/v2/alerts"
    fetch(url, json.dumps([{"labels": labels} for labels in alerts]).encode())
    return lambda: {
        tuple(sorted(alert["labels"].items())): not alert["status"]["inhibitedBy"]
        for alert in json.loads(fetch(url))
    }


def key(name, severity, **labels):
    return tuple(sorted({"alertname": name, "severity": severity, "team": "platform", **labels}.items()))


class TestInhibition:
    @pytest.fixture(autouse=True)
    def _settled(self, told, until):
        # Alertmanager learns of the sources of inhibition in the background.
        last = key("LLMQueueDepthHigh", "page", pool="errors")
        until(lambda: told().get(last) is False, "inhibition")

    @pytest.mark.parametrize("pool", INCIDENTS)
    def test_one_page_for_one_incident(self, told, pool):
        """Causes silence their consequences in the same pool, a page the pool's tickets, and nothing itself."""
        found = {(n, s): told()[key(n, s, pool=pool)] for n, s, _ in INCIDENTS[pool]}
        assert found == {(name, severity): heard for name, severity, heard in INCIDENTS[pool]}

    def test_a_card_that_lost_data_explains_its_own_xid_only(self, told):
        """A memory error silences the XID of its card, a contained one only its ticket; without uuid, nobody."""
        found = [(n, s, labels, told()[key(n, s, **labels)]) for n, s, labels, _ in CARDS]
        assert found == CARDS


def test_nothing_is_inhibited_by_what_cannot_fire(catalogue, tmp_path):
    """A fleet without GPU exporter has no GPU alerts, and its inhibition does not speak of them."""
    text = b"version: 1\nname: a\npools: [{name: p, engine: {kind: vllm, version: 0.32.0}}]\n"
    fleet, _ = load_text("fleet.yaml", text, tmp_path)
    text = written(make_plan(fleet, catalogue), tmp_path).read_text()
    assert "GPU" not in text
    assert "LLMEngineDown" in text


class TestGenerate:
    def generate(self, tmp_path, receivers):
        (tmp_path / "receivers.yaml").write_text(receivers)
        text = EXAMPLE.read_text() + "receivers: ./receivers.yaml\n"
        (tmp_path / "fleet.yaml").write_text(text)
        arguments = ["generate", str(tmp_path / "fleet.yaml"), "-o", str(tmp_path / "out")]
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    def test_the_fleets_own_receivers_are_written(self, tmp_path):
        """The file that the fleet names ends up in the configuration, and amtool accepts it."""
        assert self.generate(tmp_path, RECEIVERS).exit_code == 0
        path = tmp_path / "out" / "alertmanager" / "alertmanager.yaml"
        assert routed(path, severity="page", team="documents") == "documents-page"
        assert routed(path, severity="info", team="documents") == "info"

    def test_that_nobody_is_told_is_said_once(self, tmp_path):
        """Without receivers, one warning says so and names what to write; with them, nothing does."""
        arguments = ["generate", str(EXAMPLE), "-o", str(tmp_path / "out")]
        stubs = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert stubs.exit_code == 0
        assert stubs.stderr.count("nobody will be told of any alert") == 1
        assert "receivers called page, ticket, info and watchdog" in stubs.stderr
        assert "nobody will be told" not in self.generate(tmp_path, RECEIVERS).stderr

    def test_receivers_that_miss_a_route_stop_everything(self, tmp_path):
        """A receiver short is bad input: told with file and line, and nothing is written."""
        result = self.generate(tmp_path, RECEIVERS.replace("name: watchdog", "name: watchdogs"))
        assert result.exit_code == 2
        assert "receivers.yaml:3: error: there is no receiver `watchdog`" in result.stderr
        assert not (tmp_path / "out").exists()
