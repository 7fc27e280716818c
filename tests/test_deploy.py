"""Deployment files: each is what its program takes, and says the same as the exporter's configuration."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre import __version__
from sre.usage.asgi import settings
from sre.usage.config import Config, read_config
from sre.usage.formats import load_format
from sre.usage.record import Tokens

DEPLOY = Path(__file__).parents[1] / "exporters" / "deploy"
PORT = 9109
PODS = {"deployment": "exporter", "sidecar": "usage"}
"""Manifests by file, with the name of the exporter's container."""


def objects(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


def manifest(name: str, kind: str) -> Any:
    """The one object of this kind in a manifest."""
    (found,) = (thing for thing in objects(f"kubernetes/{name}.yaml") if thing["kind"] == kind)
    return found


def containers(name: str) -> Iterator[Any]:
    pod = manifest(name, "Deployment")["spec"]["template"]["spec"]
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def exporter(name: str) -> Any:
    return next(container for container in containers(name) if container["name"] == PODS[name])


def config(text: str, folder: Path) -> Config:
    """A configuration as `sre exporter check` reads it, with its paths moved under a folder."""
    (folder / "var/lib/sre-exporter").mkdir(parents=True)
    path = folder / "exporter.yaml"
    path.write_text(text.replace("/var/", f"{folder}/var/"))
    return read_config(path, {}, serving=False)[0]


def configs() -> dict[str, str]:
    """Every configuration of the exporter among the files."""
    embedded = {name: manifest(name, "ConfigMap")["data"]["exporter.yaml"] for name in PODS}
    return {"systemd": (DEPLOY / "exporter.yaml").read_text(encoding="utf-8"), **embedded}


def test_every_file_is_checked_here() -> None:
    """A deployment file that no test reads would rot."""
    files = {str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*") if path.is_file()}
    assert files == {
        "Dockerfile", "envoy-ai-gateway.yaml", "exporter.yaml", "kong.yaml", "kubernetes/deployment.yaml",
        "kubernetes/sidecar.yaml", "litellm.yaml", "nginx.conf", "prometheus.yaml", "sre-exporter.service", "vllm.env",
    }  # fmt: skip


@pytest.mark.parametrize("name", configs())
def test_each_configuration_can_be_used(name: str, tmp_path: Path) -> None:
    """`sre exporter check` takes it; it listens on the one port and has a roster."""
    found = config(configs()[name], tmp_path)
    assert found.listen.port == PORT
    assert found.roster.teams
    assert found.roster.models
    assert found.state == tmp_path / "var/lib/sre-exporter/exporter.state"


def unit() -> dict[str, list[str]]:
    """The settings of the systemd unit."""
    text = (DEPLOY / "sre-exporter.service").read_text(encoding="utf-8")
    found = dict[str, list[str]]()
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.M):
        found.setdefault(name, []).append(value)
    return found


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, and the exposure is that of a well hardened service."""
    text = (DEPLOY / "sre-exporter.service").read_text(encoding="utf-8")
    path = tmp_path / "sre-exporter.service"
    # The program is not installed on the machine that tests.
    path.write_text(text.replace("/opt/inference-sre/bin/sre", "/bin/true"))
    run = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert [line for line in run.stderr.splitlines() if path.name in line] == []
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", path]
    security = subprocess.run(command, capture_output=True, text=True, check=False)
    assert security.returncode == 0, security.stdout[-500:]


def test_the_unit_runs_the_command_and_keeps_its_state() -> None:
    """Start, reload and the folder of the state fit the configuration beside it; a refused file is not tried again."""
    settings_ = unit()
    assert settings_["ExecStart"] == [
        "/opt/inference-sre/bin/sre exporter run --config /etc/sre/exporter.yaml"
    ]
    assert settings_["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert settings_["StateDirectory"] == ["sre-exporter"]
    assert "/var/lib/sre-exporter/" in configs()["systemd"]
    assert settings_["RestartPreventExitStatus"] == ["2"]


@pytest.mark.parametrize("name", PODS)
def test_no_container_may_do_more_than_it_must(name: str) -> None:
    """Not root, nothing to write but its volumes, no capability, no token of the cluster, bounded memory."""
    pod = manifest(name, "Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_fits_the_configuration_that_it_mounts(name: str, tmp_path: Path) -> None:
    """Ports, probes, volumes and selectors name things that are there; state and logs lie on volumes."""
    deployment = manifest(name, "Deployment")
    pod, container = deployment["spec"]["template"]["spec"], exporter(name)
    assert container["args"] == ["exporter", "run", "--config", "/etc/sre/exporter.yaml"]
    assert (
        deployment["spec"]["selector"]["matchLabels"].items()
        <= deployment["spec"]["template"]["metadata"]["labels"].items()
    )
    (port,) = container["ports"]
    assert port["containerPort"] == config(configs()[name], tmp_path).listen.port
    assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": port["name"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for each in containers(name):
        assert {mount["name"] for mount in each["volumeMounts"]} <= volumes.keys()
    assert volumes["config"]["configMap"]["name"] == manifest(name, "ConfigMap")["metadata"]["name"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert not mounts["/var/lib/sre-exporter"].get("readOnly")
    assert mounts["/etc/sre"]["readOnly"]


def test_the_exporter_is_alone_with_its_state() -> None:
    """One replica that is ended before the next begins; ready when it has caught up; tokens come from a Secret."""
    spec, container = manifest("deployment", "Deployment")["spec"], exporter("deployment")
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert container["readinessProbe"]["httpGet"]["path"] == "/-/ready"
    (variable,) = container["env"]
    assert "secretKeyRef" in variable["valueFrom"]
    routes = yaml.safe_load(configs()["deployment"])["routes"]
    assert {route["token_env"] for route in routes} == {variable["name"]}
    service, policy = (
        manifest("deployment", "Service")["spec"],
        manifest("deployment", "NetworkPolicy")["spec"],
    )
    assert service["ports"] == [{"name": "http", "port": PORT, "targetPort": container["ports"][0]["name"]}]
    assert service["selector"] == policy["podSelector"]["matchLabels"] == spec["selector"]["matchLabels"]
    assert policy["egress"] == []


def test_the_sidecar_reads_what_the_engine_writes() -> None:
    """One volume, one path, one configuration; the record's log bounds itself; metrics are on one page alone."""
    engine = next(container for container in containers("sidecar") if container["name"] == "vllm")
    environment = {variable["name"]: variable["value"] for variable in engine["env"]}
    (route,) = yaml.safe_load(configs()["sidecar"])["routes"]
    assert route == {"kind": "tail", "path": environment["SRE_USAGE_LOG"], "format": "usage"}
    shared = {mount["name"]: mount for mount in engine["volumeMounts"]}
    read = {mount["name"]: mount for mount in exporter("sidecar")["volumeMounts"]}
    assert shared["records"]["mountPath"] == read["records"]["mountPath"] == "/var/log/sre"
    assert read["records"]["readOnly"]
    assert not shared["records"].get("readOnly")
    assert environment["SRE_USAGE_METRICS"] == "off"
    assert int(environment["SRE_USAGE_LOG_BYTES"]) * 2 < 2**30
    assert "--middleware=sre.usage.asgi.UsageMiddleware" in engine["args"]
    assert exporter("sidecar")["restartPolicy"] == "Always"


def test_the_image_is_not_root_and_runs_the_exporter() -> None:
    """The same command and user as in the manifests; the tag is this checkout's release."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    user = manifest("deployment", "Deployment")["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}" in text
    entry, command = (json.loads(found) for found in re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", text, re.M))
    assert entry == ["sre"]
    assert command == exporter("deployment")["args"]
    assert exporter("deployment")["image"] == exporter("sidecar")["image"]
    assert f"-t {exporter('deployment')['image']} " in text
    assert exporter("deployment")["image"].endswith(f":{__version__}")


def test_prometheus_takes_the_scrape_configuration(tmp_path: Path) -> None:
    """`promtool check config` of 2.42; every limit is set, and the exporter's port is asked."""
    text = (DEPLOY / "prometheus.yaml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(text)
    run = subprocess.run(
        ["promtool", "check", "config", tmp_path / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    limits = {
        "sample_limit",
        "label_limit",
        "label_name_length_limit",
        "label_value_length_limit",
        "body_size_limit",
    }
    assert all(limits <= job.keys() for job in jobs.values())
    assert jobs["sre-exporter"]["static_configs"] == [{"targets": [f"127.0.0.1:{PORT}"]}]


def test_limits_leave_room_for_what_the_exporter_may_show(tmp_path: Path) -> None:
    """The caps of the configuration stay under half of what Prometheus would refuse."""
    limits = config(configs()["systemd"], tmp_path).limits
    job = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text(encoding="utf-8"))["scrape_configs"][0]
    # Besides what the cap counts, a pair of names has a histogram of 26 series at most.
    assert limits.label_sets * 3 + limits.label_sets // 14 * 26 < job["sample_limit"] / 2
    assert limits.value_length <= job["label_value_length_limit"] / 2


def test_litellm_posts_to_a_route_that_is_there() -> None:
    """Its callback is one of type generic_api, tries again, and keeps prompts at home."""
    (found,) = objects("litellm.yaml")
    (name,) = found["litellm_settings"]["callbacks"]
    callback = found["callback_settings"][name]
    assert callback["callback_type"] == "generic_api"
    assert callback["max_retries"] >= 3
    assert found["litellm_settings"]["turn_off_message_logging"] is True
    assert callback["endpoint"] == address("litellm")
    assert callback["headers"]["Authorization"].startswith("os.environ/")


def address(format_: str) -> str:
    """Where the configuration takes posts of a format."""
    found = yaml.safe_load(configs()["systemd"])
    (path,) = (route["path"] for route in found["routes"] if route["format"] == format_)
    return f"http://{found['listen']}{path}"


def test_kong_posts_to_a_route_that_is_there() -> None:
    """http-log beside ai-proxy with its statistics, behind an authentication, without payloads."""
    (found,) = objects("kong.yaml")
    plugins = {plugin["name"]: plugin.get("config") for plugin in found["services"][0]["plugins"]}
    assert plugins["http-log"]["http_endpoint"] == address("kong")
    assert plugins["ai-proxy"]["logging"] == {"log_statistics": True, "log_payloads": False}
    assert "key-auth" in plugins


def test_envoys_log_is_what_its_format_reads() -> None:
    """A line with the fields of the EnvoyProxy resource gives team, model, disjoint tokens and times."""
    proxy, route = objects("envoy-ai-gateway.yaml")
    fields = proxy["spec"]["telemetry"]["accessLog"]["settings"][0]["format"]["json"]
    costs = {cost["metadataKey"] for cost in route["spec"]["llmRequestCosts"]}
    values = {
        "%START_TIME%": "2026-10-01T08:00:00.000Z",
        "%DURATION%": 3900,
        "%RESPONSE_CODE%": 200,
        "%REQ(X-REQUEST-ID)%": "r-1",
        "%REQ(X-TENANT-ID)%": "search",
        "%REQ(X-AI-EG-MODEL)%": "llama-3.3-70b",
        "llm_input_token": 1220,
        "llm_cached_input_token": 400,
        "llm_output_token": 180,
        "llm_reasoning_token": 30,
        "token_latency_ttft": 180,
    }
    named = {
        re.sub(r"%DYNAMIC_METADATA\(io.envoy.ai_gateway:(\w+)\)%", r"\1", field) for field in fields.values()
    }
    assert {name for name in named if name.startswith("llm_")} == costs
    line = {
        key: values.get(field) or values.get(field.rpartition(":")[2].removesuffix(")%"))
        for key, field in fields.items()
    }
    record, _ = load_format("envoy_ai_gateway", trusted=True).decode(json.dumps(line).encode())
    assert (record.id[:3], record.team, record.model) == ("r-1", "search", "llama-3.3-70b")
    assert record.tokens == Tokens(820, 400, 0, 150, 30)
    assert (record.ttft_seconds, record.duration_seconds, record.outcome) == (0.18, 3.9, "success")
    untrusted, _ = load_format("envoy_ai_gateway").decode(json.dumps(line).encode())
    assert untrusted.team is None


def test_nginx_writes_what_its_format_reads() -> None:
    """A line of the log_format, its variables filled in, is a record; the key is in none of its fields."""
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    found = re.search(r"log_format llm escape=json\s+'(.*)';", text)
    assert found
    values = {
        "msec": "1795293515.250",
        "request_id": "r-1",
        "team": "search",
        "status": "200",
        "request_time": "3.9",
    }
    line = re.sub(r"\$(\w+)", lambda match: values[match[1]], found[1])
    record, key = load_format("nginx").decode(line.encode())
    assert (record.id, record.team, record.duration_seconds, key) == ("r-1", "search", 3.9, None)
    assert "http_authorization" not in found[1]


def test_the_engines_environment_names_settings_that_exist() -> None:
    """Every variable for vLLM is one that the middleware reads, and its log is one that the exporter follows."""
    lines = (DEPLOY / "vllm.env").read_text(encoding="utf-8").splitlines()
    found = dict(line.partition("=")[::2] for line in lines if line and not line.startswith("#"))
    assert settings.__doc__
    documented = set(re.findall(r"^(SRE_USAGE_\w+):", settings.__doc__, re.M))
    assert found.keys() <= documented
    routes = yaml.safe_load(configs()["systemd"])["routes"]
    assert found["SRE_USAGE_LOG"] in {route["path"] for route in routes if route["format"] == "usage"}
