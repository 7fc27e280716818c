"""`sre prove --live`: faults on real sockets, a real Prometheus and Alertmanager, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre import content

RunningIn = Callable[[Path], dict[str, int]]

FLEET = """\
version: 1
name: small
gpu_exporter: {kind: dcgm, version: "4.8.2"}
pools:
  - name: chat
    engine: {kind: vllm, version: "0.32.0"}
    gpus: {type: h100, per_replica: 2, replicas: 2}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def start(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    """The command in a process of its own, with all its temporary files in the folder."""
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "sre.cli", "prove", *map(str, arguments), "--live"],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_alerts_fire_are_told_and_resolve_live_and_a_broken_rule_is_a_gap(
    fleet: Path, tmp_path: Path, running_in: RunningIn
) -> None:
    """One run: an engine that is gone pages once and resolves; a rule that can no longer be true is a gap."""
    entry = yaml.safe_load((content.root() / "rules" / "hardware.yaml").read_text())["alerts"][
        "GPURowRemapFailure"
    ]
    entry["rules"][0]["expr"] = "gpu:row_remap_failure:state > 5"
    own = tmp_path / "own" / "rules"
    own.mkdir(parents=True)
    (own / "hardware.yaml").write_text(yaml.safe_dump({"alerts": {"GPURowRemapFailure": entry}}))
    told, temporary = tmp_path / "verdicts.json", tmp_path / "temporary"
    only = ("--only", "engine_unreachable", "--only", "row_remap_failure")
    process = start(temporary, fleet, *only, "--json", told, "--catalogue", own.parent, "--pace", 30)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1, output
    rows: dict[str, dict[str, Any]] = {row["alert"]: row for row in json.loads(told.read_text())}
    down, broken = rows["LLMEngineDown"], rows["GPURowRemapFailure"]
    assert down["ok"], output
    (rule,) = down["rules"]
    assert (rule["notifications"], rule["healed"], rule["wrong_alerts"]) == (1, True, [])
    assert 120 < down["seconds_to_fire"] <= rule["within"]
    assert down["seconds_to_resolve"] is not None
    assert (broken["fired"], broken["ok"], broken["rules"][0]["notifications"]) == (False, False, 0)
    assert "1 fault paged somebody, after inhibition: once each" in output
    assert list(temporary.iterdir()) == []
    assert running_in(temporary) == {}


def test_a_pace_that_no_duration_fits_is_refused(fleet: Path, tmp_path: Path) -> None:
    """One finding, before anything is started."""
    process = start(tmp_path / "temporary", fleet, "--pace", 7)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2, output
    assert output.startswith("--pace: error: 30s cannot be scaled by 7")
    assert output.count("error") == 2, output


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_process_and_no_folder(
    end: signal.Signals, fleet: Path, tmp_path: Path, until: Callable[..., None], running_in: RunningIn
) -> None:
    """Whoever stops a run has nothing to clean up."""
    temporary = tmp_path / "temporary"
    process = start(temporary, fleet, "--only", "engine_unreachable", "--pace", 60)
    until(lambda: len(running_in(temporary)) == 2, "both programs", seconds=120)
    process.send_signal(end)
    process.communicate(timeout=60)
    assert process.returncode == 128 + end
    assert running_in(temporary) == {}
    assert list(temporary.iterdir()) == []


def test_a_prometheus_that_is_killed_ends_the_run_with_its_reason(
    fleet: Path, tmp_path: Path, until: Callable[..., None], running_in: RunningIn
) -> None:
    """Nothing is shown of half a run."""
    temporary = tmp_path / "temporary"
    process = start(temporary, fleet, "--only", "engine_unreachable", "--pace", 60)
    until(lambda: len(running_in(temporary)) == 2, "both programs", seconds=120)
    os.kill(running_in(temporary)["prometheus"], signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3, output
    assert "killed by signal 9" in output
    assert "LLMEngineDown" not in output
    assert running_in(temporary) == {}
    assert list(temporary.iterdir()) == []
