"""The first files of a fleet, as `sre init` writes them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Context
from jsonschema import Draft202012Validator

from sre.cli import main
from sre.findings import Refused
from sre.fleet import Fleet, Pool, load_text
from sre.fleet.receivers import read_receivers
from sre.init import (
    Discovered,
    FoundExporter,
    FoundPool,
    fleet_template,
    json_schema,
    pipeline_snippet,
    render_fleet,
)

ROOT = Path(__file__).parent.parent
CONTRACT = ROOT.parent / "shared" / "contracts" / "fleet.yaml"
SCHEMA = Draft202012Validator(json.loads(json_schema()))


def loaded(text: str) -> Fleet:
    return load_text("fleet.yaml", text.encode(), ROOT, engines={"vllm"}, gpu_exporters={"dcgm"})[0]


def is_refused(data: object) -> bool:
    """Whether the loader refuses what the schema was asked about."""
    try:
        loaded(yaml.safe_dump(data))
    except Refused:
        return True
    return False


def objects(schema: object) -> Iterator[dict[str, Any]]:
    """Every part of the schema that lists properties."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for inner in schema.values():
            yield from objects(inner)
    if isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


def test_the_template_is_a_fleet_as_it_stands() -> None:
    """What `sre init` writes compiles before anybody edits it, and fits its own schema."""
    fleet = loaded(fleet_template())
    (pool,) = fleet.pools
    assert (pool.name, pool.engine.kind, pool.model) == ("chat-70b", "vllm", "llama-3.3-70b")
    assert fleet.gpu_exporter is not None
    assert not list(SCHEMA.iter_errors(yaml.safe_load(fleet_template())))


def test_the_template_names_every_key() -> None:
    """A user finds each key of a fleet and of a pool in the file, if only in a comment."""
    text = fleet_template()
    assert [key for key in (*Fleet.model_fields, *Pool.model_fields) if f"{key}:" not in text] == []


BESIDE = ("  receivers:", "    - {")
"""How lines of the other file begin that the template shows, without their comment sign."""


def test_the_templates_receivers_are_right(tmp_path: Path) -> None:
    """The receivers that the template shows are all that a fleet needs, and nothing is to be said about them."""
    lines = [line.removeprefix("# ") for line in fleet_template().splitlines()]
    path = tmp_path / "receivers.yaml"
    path.write_text("\n".join(line for line in lines if line.startswith(BESIDE)))
    receivers, said = read_receivers(path, ["platform"])
    assert said == []
    assert receivers.names == {"page", "ticket", "info", "watchdog", "null"}


def test_the_template_names_only_what_there_is() -> None:
    """No comment speaks of a command that this release does not have."""
    named = set(re.findall(r"`sre (\w+)", fleet_template() + pipeline_snippet()))
    assert named <= set(main.list_commands(Context(main)))


def test_the_templates_comments_are_right() -> None:
    """Taking the comment sign away from an example gives a fleet that is read, paths aside."""
    lines = fleet_template().splitlines()
    kept = [line.replace("# ", "", 1) if line.lstrip().startswith("# ") else line for line in lines[3:]]
    wanted = [
        line
        for line in kept
        if not line.startswith(("The teams", "catalogue:", "receivers:", "holidays:", *BESIDE))
    ]
    short = next(index for index, line in enumerate(wanted) if line.lstrip().startswith("replicas: 4"))
    del wanted[short]
    fleet = loaded("\n".join(wanted))
    assert fleet.capacity == {"h100-sxm-80gb": 16}
    assert fleet.teams[0].contact == "#search-oncall"
    assert fleet.pools[0].replicas_max == 6
    assert fleet.usage_exporter is not None


def test_the_template_tells_editors_where_its_schema_is() -> None:
    """The first line is the one that editors look for."""
    assert fleet_template().startswith("# yaml-language-server: $schema=fleet.schema.json\n")


def test_the_schema_is_valid_and_describes_every_key() -> None:
    """An editor shows a sentence for each key and refuses those that do not exist."""
    schema = json.loads(json_schema())
    Draft202012Validator.check_schema(schema)
    for part in objects(schema):
        assert part["additionalProperties"] is False
        assert [key for key, value in part["properties"].items() if not value.get("description")] == []


@pytest.mark.parametrize("path", [CONTRACT, ROOT / "examples" / "fleet.yaml"], ids=["contract", "example"])
def test_the_schema_accepts_the_contract(path: Path) -> None:
    """The published example has no squiggle in an editor."""
    if not path.exists():
        pytest.skip("the contract lies beside the checkout, not in it")
    assert list(SCHEMA.iter_errors(yaml.safe_load(path.read_text()))) == []


SOUND: dict[str, Any] = {
    "version": 1,
    "name": "f",
    "business_hours": {"start": "09:00"},
    "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
    "usage_exporter": {"job": "x"},
    "capacity": {"l40s": 16},
    "pools": [
        {
            "name": "a",
            "engine": {
                "kind": "vllm",
                "version": "0.33.0",
                "histogram_buckets": {"request_latency": [1, 2.5]},
            },
            "gpus": {"type": "l40s", "replicas": {"min": 2, "max": 3}, "match": {"host": "x"}},
            "memory_budget": "90%",
            "objectives": {"ttft_p95": "1s500ms"},
            "thresholds": {"queue_depth": 5},
        }
    ],
    "teams": [{"name": "t"}],
}
PLACES: list[tuple[str | int, ...]] = [
    (),
    ("business_hours",),
    ("gpu_exporter",),
    ("usage_exporter",),
    ("pools", 0),
    ("pools", 0, "engine"),
    ("pools", 0, "gpus"),
    ("pools", 0, "gpus", "replicas"),
    ("pools", 0, "objectives"),
    ("teams", 0),
]


def test_schema_and_loader_accept_the_same_fleet() -> None:
    """A file that an editor calls sound is one that `sre generate` reads."""
    assert not list(SCHEMA.iter_errors(SOUND))
    assert not is_refused(SOUND)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)) or "top")
def test_schema_and_loader_refuse_the_same_unknown_keys(place: tuple[str | int, ...]) -> None:
    """Wherever a key that does not exist is written, both the editor and `sre generate` say so."""
    data = json.loads(json.dumps(SOUND))
    target = data
    for part in place:
        target = target[part]
    target["zzz"] = "1s"
    assert list(SCHEMA.iter_errors(data))
    assert is_refused(data)


def test_what_a_server_knows_comes_out_as_a_fleet() -> None:
    """Names from a live server survive quoting; what it did not say stays a question."""
    hostile = "{{ $value }} \"'`<b>: #"
    found = Discovered(
        (
            FoundPool(hostile, "vllm", "0.32.0", "no", "NVIDIA H100 80GB HBM3", 8, 3),
            FoundPool("on", "vllm", "0.31"),
        ),
        FoundExporter("dcgm", "4.8.2", honor_labels=True),
        name="null",
        pool_label="model_pool",
        identity="host",
    )
    fleet = loaded(render_fleet(found))
    first, second = fleet.pools
    assert (fleet.name, fleet.pool_label, fleet.identity) == ("null", "model_pool", "host")
    assert (first.name, first.model, second.name, second.engine.version) == (hostile, "no", "on", "0.31")
    assert first.gpus is not None
    assert (first.gpus.type, first.gpus.per_replica, first.replicas_min) == ("NVIDIA H100 80GB HBM3", 8, 3)
    assert fleet.gpu_exporter is not None
    assert fleet.gpu_exporter.honor_labels


def test_what_a_server_does_not_know_is_asked_at_its_line() -> None:
    """A release or a number of replicas that nothing exports is not made up: the loader asks for it."""
    text = render_fleet(
        Discovered((FoundPool("chat", "vllm", None, gpu_type="l40s"),), FoundExporter("dcgm"))
    )
    with pytest.raises(Refused) as refused:
        loaded(text)
    lines = text.splitlines()
    asked = [lines[int(f.where.rpartition(":")[2]) - 1].split("#")[0].strip() for f in refused.value.findings]
    assert asked == ["version: null", "version: null", "replicas: null"]
    assert all(finding.fix.startswith("write it like") for finding in refused.value.findings)


def test_the_pipeline_snippet_checks_the_given_files() -> None:
    """The job is valid YAML and runs the commands that the comment shows for any other pipeline."""
    text = pipeline_snippet("llm/fleet.yaml", "llm/out")
    steps = [step.get("run", "") for step in yaml.safe_load(text)["jobs"]["generate"]["steps"]]
    for tool in ("pip", "sre generate", "promtool check", "promtool test", "amtool"):
        (command,) = [step for step in steps if step.startswith(tool)]
        assert f"#   {command}" in text
    assert "sre generate llm/fleet.yaml -o llm/out --check" in steps


def test_the_pipeline_snippet_installs_a_pinned_copy_of_ones_own() -> None:
    """A bare name would come from the public index, from whoever owns it there: an address with a tag is to be set."""
    data = yaml.safe_load(pipeline_snippet())
    installed = [step["run"] for step in data["jobs"]["generate"]["steps"] if "pip" in step.get("run", "")]
    assert installed == ['pip install "$INFERENCE_SRE"']
    assert re.fullmatch(r"git\+https://git\.example\.com/.+@v[0-9.]+", data["env"]["INFERENCE_SRE"])


def test_the_pipeline_snippet_says_where_it_belongs() -> None:
    """GitHub runs nothing that lies beside the fleet file."""
    assert ".github/workflows/" in pipeline_snippet().split("name: alerts")[0]
