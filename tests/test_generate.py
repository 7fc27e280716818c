"""`sre generate` as a pipeline meets it: exit codes, all or nothing, the same bytes every time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from sre.cli import main

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "fleet.yaml"

SMALL = """\
version: 1
name: small
pools:
  - name: chat
    engine: {kind: vllm, version: "0.32.0"}
"""


def sre(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example fleet, generated once."""
    out = tmp_path_factory.mktemp("example") / "out"
    assert sre("generate", EXAMPLE, "-o", out).exit_code == 0
    return out


def test_everything_that_is_promised_is_written(example: Path) -> None:
    """Rules, routes, dashboards, runbooks, proofs, counters and the manifest lie in the output folder."""
    found = {str(p.relative_to(example)) for p in example.rglob("*") if p.is_file()}
    assert {
        "manifest.json",
        "alertmanager/alertmanager.yaml",
        "dcgm/counters.csv",
        "grafana/llm-pool.json",
        "grafana/provisioning.yaml",
        "runbooks/LLMEngineDown.md",
        "prometheus/llm-engine.rules.yaml",
    } <= found
    assert any(p.startswith("proofs/") for p in found)


def test_the_manifest_names_every_file_and_every_alert(example: Path) -> None:
    """What a pipeline wants to know stands in one file: hashes of all others, and which alerts see."""
    manifest = json.loads((example / "manifest.json").read_text())
    found = {str(p.relative_to(example)) for p in example.rglob("*") if p.is_file()} - {"manifest.json"}
    assert set(manifest["artefacts"]) == found
    assert manifest["alerts"]["LLMUsageUnaccounted"]["state"] == "blind"
    assert manifest["alerts"]["GPUThrottling"]["state"] == "needs_counter"
    assert manifest["alerts"]["LLMTimeToFirstTokenHigh"]["state"] == "live"
    assert len(manifest["alerts"]) == 31


def test_every_alert_carries_its_text_links_and_team(example: Path) -> None:
    """Each rule has a summary, a description, a runbook and a dashboard that exist, and a severity."""
    seen = 0
    for path in (example / "prometheus").glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in (r for r in group["rules"] if "alert" in r):
                seen += 1
                notes = rule["annotations"]
                assert notes["summary"]
                assert notes["description"]
                assert (example / "runbooks" / f"{notes['runbook_url'].rsplit('/', 1)[1]}.md").exists()
                uid = notes["dashboard_url"].split("/d/")[1].split("?")[0]
                assert (example / "grafana" / f"{uid}.json").exists()
                assert rule["labels"]["severity"] in {"page", "ticket", "info", "none"}
    assert seen > 30


def test_the_summary_says_what_is_blind_and_where_to_look_next(tmp_path: Path) -> None:
    """The last lines on the screen: counts of live and blind alerts, why, and the next command."""
    said = sre("generate", EXAMPLE, "-o", tmp_path / "out").output
    assert "26 live" in said
    assert "1 needs counter" in said
    assert "4 blind" in said
    assert "promtool test rules" in said


def test_a_second_run_changes_nothing_and_check_agrees(tmp_path: Path) -> None:
    """Nothing to do is done quickly and --check is content."""
    out = tmp_path / "out"
    sre("generate", EXAMPLE, "-o", out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    sre("generate", EXAMPLE, "-o", out)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before
    checked = sre("generate", EXAMPLE, "-o", out, "--check")
    assert checked.exit_code == 0
    assert "up to date" in checked.output


def test_check_names_what_differs_is_missing_or_is_stale_and_writes_nothing(tmp_path: Path) -> None:
    """Exit 1 with a diff: an edited file, a deleted one, and one that an earlier fleet had."""
    out, fleet = tmp_path / "out", tmp_path / "fleet.yaml"
    fleet.write_text(SMALL + 'gpu_exporter: {kind: dcgm, version: "4.8.2"}\n')
    sre("generate", fleet, "-o", out)
    fleet.write_text(SMALL)
    rules = out / "prometheus" / "llm-engine.rules.yaml"
    rules.write_text(rules.read_text().replace("for: 2m", "for: 9m"))
    (out / "runbooks" / "LLMEngineDown.md").unlink()
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    checked = sre("generate", fleet, "-o", out, "--check")
    assert checked.exit_code == 1
    assert "differs: prometheus/llm-engine.rules.yaml" in checked.output
    assert "-    for: 9m" in checked.output
    assert "missing: runbooks/LLMEngineDown.md" in checked.output
    assert "stale: dcgm/counters.csv" in checked.output
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_a_refused_fleet_exits_2_with_every_finding_and_writes_nothing(tmp_path: Path) -> None:
    """All mistakes at once, each with its line, and no output folder."""
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(SMALL.replace("vllm", "vlm") + "    objectives: {ttft_p95: 500}\n    treshold: 1\n")
    refused = sre("generate", fleet, "-o", tmp_path / "out")
    assert refused.exit_code == 2
    assert f"{fleet}:5" in refused.output
    assert f"{fleet}:6" in refused.output
    assert f"{fleet}:7" in refused.output
    assert "did you mean `thresholds`?" in refused.output
    assert "nothing was written" in refused.output
    assert not (tmp_path / "out").exists()


def test_compile_time_findings_point_into_the_fleet_file(tmp_path: Path) -> None:
    """A warning about an objective names the line on which the objective stands."""
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(SMALL + "    objectives: {itl_p95: 80ms}\n")
    done = sre("generate", fleet, "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert f"{fleet}:6: warning: itl_p95 of 80ms lies inside the bucket (75ms, 100ms]" in done.output


def test_the_old_output_stays_whole_when_a_fleet_is_refused(tmp_path: Path) -> None:
    """A broken merge leaves yesterday's rules in place, byte for byte."""
    out, fleet = tmp_path / "out", tmp_path / "fleet.yaml"
    fleet.write_text(SMALL)
    sre("generate", fleet, "-o", out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    fleet.write_text(SMALL + "    objectives: {e2e_p99: 3h}\n")
    assert sre("generate", fleet, "-o", out).exit_code == 2
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_the_same_input_gives_the_same_bytes_anywhere(tmp_path: Path) -> None:
    """Another working directory, hash seed, locale, time zone and user: not one byte differs."""
    outputs = []
    for number, environment in enumerate(
        [
            {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "America/New_York"},
            {"PYTHONHASHSEED": "4711", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo", "COLUMNS": "40"},
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        out = folder / "out"
        subprocess.run(
            [sys.executable, "-m", "sre.cli", "generate", str(EXAMPLE), "-o", str(out)],
            check=True,
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
        )
        outputs.append({str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()})
    assert outputs[0] == outputs[1]


def test_a_catalogue_of_ones_own_overlays_entry_by_entry(tmp_path: Path) -> None:
    """A team raises one default and keeps everything else; nothing is picked up unasked."""
    own = tmp_path / "own" / "rules"
    own.mkdir(parents=True)
    (own / "ours.yaml").write_text(
        "thresholds:\n  queue_depth: {unit: requests, default: 77, why: We batch.}\n"
    )
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(SMALL)
    sre("generate", fleet, "-o", tmp_path / "plain")
    sre("generate", fleet, "-o", tmp_path / "own-out", "--catalogue", tmp_path / "own")
    fleet.write_text(SMALL + "catalogue: ./own\n")
    sre("generate", fleet, "-o", tmp_path / "declared")
    static = "prometheus/llm-fleet.rules.yaml"
    assert "vector(77)" not in (tmp_path / "plain" / static).read_text()
    assert "vector(77)" in (tmp_path / "own-out" / static).read_text()
    assert (tmp_path / "declared" / static).read_text() == (tmp_path / "own-out" / static).read_text()


def test_an_alert_without_runbook_and_fault_does_not_compile(tmp_path: Path) -> None:
    """A catalogue entry names what it lacks, with its file and line."""
    own = tmp_path / "own" / "rules"
    own.mkdir(parents=True)
    (own / "ours.yaml").write_text(
        "alerts:\n  OurAlert:\n    level: pool\n    unit: requests\n    within: 5m\n    shows: pool:queue_depth:sum\n"
        "    rules: [{severity: page, expr: pool:queue_dept:sum > 3}]\n    summary: s\n    description: d\n"
        "    fault: ours\n    why: w\n"
    )
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(SMALL)
    refused = sre("generate", fleet, "-o", tmp_path / "out", "--catalogue", tmp_path / "own")
    assert refused.exit_code == 2
    assert "ours.yaml:2" in refused.output
    assert "OurAlert has no runbook" in refused.output
    assert "names the fault `ours`" in refused.output
    assert "did you mean `pool:queue_depth:sum`?" in refused.output


@pytest.mark.parametrize(
    "text",
    [
        "alerts: 3\n",
        "alerts: {X: 3}\n",
        "- a\n",
        "baselines: {a: {}}\n",
        "constants: {a: 1}\n",
        "rulez: {}\n",
    ],
)
def test_a_malformed_catalogue_is_a_finding_and_never_a_traceback(tmp_path: Path, text: str) -> None:
    """Whatever stands in a catalogue file, the answer is exit 2 with a place in it."""
    own = tmp_path / "own" / "rules"
    own.mkdir(parents=True)
    (own / "ours.yaml").write_text(text)
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(SMALL)
    refused = sre("generate", fleet, "-o", tmp_path / "out", "--catalogue", tmp_path / "own")
    assert refused.exit_code == 2
    assert "ours.yaml:1" in refused.output


def test_promtool_and_amtool_accept_everything(example: Path) -> None:
    """The programs that will read the files read them, and every proof passes with promtool alone."""
    rules = [str(p) for p in sorted((example / "prometheus").glob("*.yaml"))]
    subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", *rules], check=True, capture_output=True
    )
    subprocess.run(
        ["amtool", "check-config", str(example / "alertmanager" / "alertmanager.yaml")],
        check=True,
        capture_output=True,
    )
