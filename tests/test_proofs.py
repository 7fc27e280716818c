"""Every proof of three unlike fleets holds in promtool, and each rule that is broken on purpose makes one fail."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre.cli.inputs import read_inputs
from sre.compile.compilation import Compilation, compile

TESTS = Path(__file__).parent
FLEETS = {
    "example": TESTS.parent / "examples" / "fleet.yaml",
    "metal": TESTS / "fixtures" / "fleets" / "metal.yaml",
    "legacy": TESTS / "fixtures" / "fleets" / "legacy.yaml",
}
GOLDEN = TESTS / "golden" / "sentences.txt"


@cache
def compiled(fleet: str) -> Compilation:
    inputs = read_inputs(FLEETS[fleet])
    return compile(inputs.fleet, inputs.catalogue, listed=inputs.listed, receivers=inputs.receivers)


@cache
def files(fleet: str) -> dict[str, str]:
    return {artefact.path: artefact.text for artefact in compiled(fleet).artefacts}


def proofs(fleet: str) -> list[str]:
    return [path for path in files(fleet) if path.endswith(".test.yaml")]


def prove(fleet: str, proof: str, folder: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run one proof as a user would, in a folder with nothing but the rules and it; ``changed`` rule files win."""
    wanted = [path for path in files(fleet) if path.endswith(".rules.yaml") or path == proof]
    for path in wanted:
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(changed.get(path.rpartition("/")[2].partition(".")[0], files(fleet)[path]))
    return run("promtool", "test", "rules", Path(proof).name, folder=folder / "proofs")


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=900)


@pytest.mark.parametrize(
    ("fleet", "proof"), [(fleet, proof) for fleet in FLEETS for proof in sorted(proofs(fleet))]
)
def test_a_proof_holds(fleet: str, proof: str, tmp_path: Path) -> None:
    """From raw metrics to rendered text: each alert fires on its fault in time, and stays silent beside it."""
    result = prove(fleet, proof, tmp_path)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]


@dataclass(frozen=True)
class Slip:
    """A mistake that someone makes in a rule file, and the proof that must notice."""

    says: str
    group: str
    right: str
    wrong: str
    proof: str


SLIPS = (
    Slip(
        "another quantile", "latency", "quantile(0.95, pool_le:ttft", "quantile(0.5, pool_le:ttft", "latency"
    ),
    Slip("nobody counts events", "latency", ">= on (pool) pool:minimum_events:threshold", ">= 0", "latency"),
    Slip("at the limit", "gpu", "gpu:temperature:celsius > on", "gpu:temperature:celsius >= on", "hardware"),
    Slip(
        "a metric's former name",
        "engine",
        "vllm:kv_cache_usage_perc",
        "vllm:gpu_cache_usage_perc",
        "saturation",
    ),
    Slip("a share without its unit", "engine", "$value | humanizePercentage", "$value", "availability"),
    Slip("another label names the replica", "engine", "$labels.pod", "$labels.instance", "availability"),
    Slip("a link with another variable", "latency", "?var-pool=", "?var-model=", "latency"),
    Slip("a ticket for a page", "latency", "severity: page", "severity: ticket", "latency"),
    Slip("patience beyond the promise", "engine", "for: 1m", "for: 15m", "availability"),
    Slip("telemetry that nobody misses", "meta", "for: 8m", "for: 1h", "meta"),
    Slip("a label lost on the way", "engine", "group_left (team)", "group_left ()", "saturation"),
)


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.says)
def test_a_broken_rule_fails_its_proof(slip: Slip, tmp_path: Path) -> None:
    """The proofs can fail: each of these mistakes passes `promtool check rules`, and none passes its proof."""
    text = files("example")[f"prometheus/llm-{slip.group}.rules.yaml"]
    assert slip.right in text
    changed = {f"llm-{slip.group}": text.replace(slip.right, slip.wrong)}
    proof = f"proofs/chat-70b-{slip.proof}.test.yaml"
    result = prove("example", proof, tmp_path, **changed)
    assert (
        run(
            "promtool", "check", "rules", f"llm-{slip.group}.rules.yaml", folder=tmp_path / "prometheus"
        ).returncode
        == 0
    )
    assert result.returncode == 1
    assert "FAILED" in result.stdout + result.stderr


def written(fleet: str) -> Iterator[dict[str, Any]]:
    for proof in proofs(fleet):
        yield from yaml.load(files(fleet)[proof], yaml.CSafeLoader)["tests"]


@cache
def fired(fleet: str) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """(alert, labels, annotations) of everything that some proof expects to fire, word for word."""
    return [
        (question["alertname"], alert["exp_labels"], alert["exp_annotations"])
        for test in written(fleet)
        for question in test.get("alert_rule_test", ())
        for alert in question["exp_alerts"]
    ]


@pytest.mark.parametrize("fleet", FLEETS)
def test_every_rule_that_sees_fires_in_some_proof(fleet: str) -> None:
    """No rule is written that nothing proves: its name, severity and fixed labels appear among the expected alerts."""
    found = [(name, labels.items()) for name, labels, _ in fired(fleet)]
    for planned in compiled(fleet).plan.alerts:
        for index in planned.sources if planned.state == "live" else ():
            rule = planned.alert.rules[index]
            wanted = {"severity": rule.severity, **rule.fixed}.items()
            assert any(name == planned.alert.name and wanted <= labels for name, labels in found), (
                planned.alert.name,
                dict(wanted),
            )


@pytest.mark.parametrize("fleet", FLEETS)
def test_every_alert_has_a_neighbour_in_which_it_is_silent(fleet: str) -> None:
    """Beside each fault stands what only looks like it, or the healthy fleet, and there no alert of the name fires."""
    names = {planned.alert.name for planned in compiled(fleet).plan.alerts if planned.state == "live"} - {
        "Watchdog"
    }
    silent = [test for test in written(fleet) if not test.get("alert_rule_test")]
    for name in names:
        assert any(f"|{name}" not in q["expr"] for test in silent for q in test["promql_expr_test"]), name


def sentences() -> str:
    """What the on-call reads: one line per alert and kind, from the fleet that sees most."""
    lines = dict[tuple[str, ...], str]()
    for fleet in FLEETS:
        for name, labels, annotations in fired(fleet):
            kind = (
                name,
                labels["severity"],
                *(labels[k] for k in ("part", "consumer", "cause", "action", "reason") if k in labels),
            )
            lines.setdefault(kind, annotations["description"])
    return "".join(f"{' '.join(kind)}: {line}\n" for kind, line in sorted(lines.items()))


def test_the_sentences_are_the_ones_that_were_read_and_approved() -> None:
    """A sentence changes only where somebody has read it again: `python tests/test_proofs.py` writes them anew."""
    assert sentences() == GOLDEN.read_text()


if __name__ == "__main__":
    GOLDEN.write_text(sentences())
