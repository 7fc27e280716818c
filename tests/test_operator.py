"""`--target operator`: the same rules, as objects that the Prometheus Operator loads."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from sre.catalogue.load import load as load_catalogue
from sre.cli import main
from sre.compile import operator, prometheus
from sre.compile.planning import make_plan
from sre.content import root
from sre.fleet import load_text

EXAMPLE = Path(__file__).parent.parent / "examples" / "fleet.yaml"
DNS_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(root())


@pytest.fixture(scope="module")
def plan(catalogue):
    fleet, _ = load_text("fleet.yaml", EXAMPLE.read_bytes(), EXAMPLE.parent)
    return make_plan(fleet, catalogue)


def objects(plan):
    artefacts = [artefact for artefact in operator.render(plan) if artefact.path.startswith("prometheus/")]
    return {artefact.path: yaml.safe_load(artefact.text) for artefact in artefacts}


def test_each_rule_file_becomes_one_object(plan):
    """The groups are the very ones of the plain rule files, one object for each."""
    plain = {artefact.path: yaml.safe_load(artefact.text) for artefact in prometheus.render(plan)}
    found = objects(plan)
    assert {path: data["spec"] for path, data in found.items()} == plain
    assert {data["kind"] for data in found.values()} == {"PrometheusRule"}
    assert {data["apiVersion"] for data in found.values()} == {"monitoring.coreos.com/v1"}


def test_promtool_accepts_the_groups_inside(plan, tmp_path):
    """What the operator hands to Prometheus is what promtool checks."""
    for index, data in enumerate(objects(plan).values()):
        (tmp_path / f"{index}.yaml").write_text(yaml.safe_dump(data["spec"], allow_unicode=True))
    checked = subprocess.run(
        ["promtool", "check", "rules", *sorted(tmp_path.iterdir())],
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr


def test_a_plain_name_is_kept(plan):
    """A fleet whose name Kubernetes takes keeps it."""
    names = [data["metadata"]["name"] for data in objects(plan).values()]
    assert "prod-eu-llm-engine" in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "name",
    ["Prod EU", "prod.eu", "-", "日本", "{{ x }}", "a" * 200, 'x"; rm -rf /', "prod_eu", "prod:eu", "Ünï"],
)
def test_any_fleet_gets_names_that_kubernetes_takes(catalogue, tmp_path, name):
    """Names and labels of objects are valid, and the fleet's own name stays in an annotation."""
    text = json.dumps(
        {
            "version": 1,
            "name": name,
            "pools": [{"name": "p", "engine": {"kind": "vllm", "version": "0.32.0"}}],
        }
    )
    fleet, _ = load_text("fleet.yaml", text.encode(), tmp_path)
    for data in objects(make_plan(fleet, catalogue)).values():
        metadata = data["metadata"]
        assert DNS_1123.fullmatch(metadata["name"])
        assert len(metadata["name"]) <= 63
        assert all(LABEL_VALUE.fullmatch(v) and len(v) <= 63 for v in metadata["labels"].values())
        assert metadata["annotations"] == {"inference-sre/fleet": name}


def test_different_fleets_never_share_a_name():
    """Two fleets in one cluster would overwrite each other's rules."""
    names = ["prod-eu", "Prod-EU", "prod_eu", "prod eu", "prod--eu", "日本", "中国"]
    assert len({operator.object_name(name) for name in names}) == len(names)


def test_constants_of_a_large_fleet_are_cut_to_what_the_operator_takes(catalogue, tmp_path):
    """The operator refuses an object of more than half a MiB; every rule still arrives, once and in order."""
    pools = [
        {"name": f"p{i:04}-{'x' * 150}", "engine": {"kind": "vllm", "version": "0.32.0"}} for i in range(300)
    ]
    fleet, _ = load_text(
        "f.yaml", json.dumps({"version": 1, "name": "big", "pools": pools}).encode(), tmp_path
    )
    plan = make_plan(fleet, catalogue)
    plan = replace(plan, groups=tuple(group for group in plan.groups if group.name == "llm-fleet"))
    texts = [artefact.text for artefact in operator.render(plan) if artefact.path.startswith("prometheus/")]
    groups = [group for text in texts for group in yaml.load(text, yaml.CSafeLoader)["spec"]["groups"]]
    assert len(texts) > 1
    assert max(len(text.encode()) for text in texts) < 512 * 1024
    assert len({group["name"] for group in groups}) == len(groups)
    (plain,) = prometheus.render(plan)
    whole = yaml.load(plain.text, yaml.CSafeLoader)["groups"][0]["rules"]
    assert [rule for group in groups for rule in group["rules"]] == whole


def test_the_proofs_still_run_with_promtool_alone(tmp_path):
    """promtool does not read objects, so the proofs bring the plain rules that they test."""
    out = tmp_path / "out"
    written = CliRunner().invoke(main, ["generate", str(EXAMPLE), "-o", str(out), "--target", "operator"])
    assert written.exit_code == 0, written.output
    proof = min((out / "proofs").glob("*.test.yaml"))
    ran = subprocess.run(["promtool", "test", "rules", proof], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not any("groups" in yaml.safe_load(path.read_text()) for path in (out / "prometheus").iterdir())
