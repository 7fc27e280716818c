"""`sre prove`: what every fault does to its alerts, as promtool itself measures it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from sre import content
from sre.cli import main
from sre.lab.verdicts import Verdict

RunningIn = Callable[[Path], dict[str, int]]

ROOT = Path(__file__).parents[1]
FLEET = """\
version: 1
name: small
gpu_exporter: {kind: dcgm, version: "4.8.2"}
pools:
  - name: chat
    engine: {kind: vllm, version: "0.32.0"}
    gpus: {type: h100, per_replica: 2, replicas: 2}
"""
CONTRACT = ("alert", "fault", "fired", "seconds_to_fire", "seconds_to_resolve", "wrong_alerts")


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def prove(*arguments: object, **env: str) -> Result:
    return CliRunner(env=env).invoke(main, ["prove", *map(str, arguments)])


def overlay(folder: Path, file: str, kind: str, name: str, **changed: object) -> Path:
    """A catalogue of one's own with one built-in entry in it, changed."""
    entry = yaml.safe_load((content.root() / "rules" / file).read_text())[kind][name] | changed
    (folder / "own" / "rules").mkdir(parents=True)
    (folder / "own" / "rules" / file).write_text(yaml.safe_dump({kind: {name: entry}}))
    return folder / "own"


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def test_an_alert_fires_in_time_and_resolves_when_its_fault_is_mended(fleet: Path, tmp_path: Path) -> None:
    """The table is for people; the file has the keys that tools rely on, first and in their order."""
    told = tmp_path / "verdicts.json"
    proven = prove(fleet, "--only", "overload", "--json", told)
    assert proven.exit_code == 0, proven.output
    assert "LLMQueueDepthHigh" in proven.output
    assert "1 silent story: none fired" in proven.output
    assert "1 rule proven on a fault: no gap" in proven.output
    (row,) = rows(told)
    assert tuple(row)[: len(CONTRACT)] == CONTRACT
    assert (row["alert"], row["fault"], row["fired"]) == ("LLMQueueDepthHigh", "overload", True)
    (rule,) = row["rules"]
    # Two minutes of `for`, ten of `keep_firing_for`, and the evaluations around them.
    assert 120 < row["seconds_to_fire"] <= rule["within"] == 180
    assert 600 <= row["seconds_to_resolve"] < 780
    assert row["wrong_alerts"] == []


def test_an_alert_that_never_fires_is_a_gap(fleet: Path, tmp_path: Path) -> None:
    """A rule that can no longer be true is told by its name, with exit code 1."""
    rules = [{"severity": "page", "expr": "pool:queue_depth:sum / 1000 > $threshold"}]
    own = overlay(tmp_path, "saturation.yaml", "alerts", "LLMQueueDepthHigh", rules=rules)
    told = tmp_path / "verdicts.json"
    proven = prove(fleet, "--only", "overload", "--catalogue", own, "--json", told)
    assert proven.exit_code == 1, proven.output
    assert "never" in proven.output
    assert "1 gap" in proven.output
    (row,) = rows(told)
    assert (row["fired"], row["seconds_to_fire"], row["ok"]) == (False, None, False)


def test_an_alert_of_several_rules_is_one_object(fleet: Path, tmp_path: Path) -> None:
    """A fault for a page and one for a ticket: the alert fired where both did, as late as the later."""
    told = tmp_path / "verdicts.json"
    proven = prove(fleet, "--only", "LLMErrorRateHigh", "--json", told)
    assert proven.exit_code == 0, proven.output
    (row,) = rows(told)
    assert {rule["labels"]["severity"]: rule["fault"] for rule in row["rules"]} == {
        "page": "error_burst",
        "ticket": "client_errors",
    }
    assert row["seconds_to_fire"] == max(rule["seconds_to_fire"] for rule in row["rules"])


def test_a_silent_neighbour_that_fires_is_shown(fleet: Path, tmp_path: Path) -> None:
    """A rule that also fires at its limit is a gap, with the story in which it did."""
    rules = [{"severity": "page", "expr": "pool:queue_depth:sum / 0.9 > $threshold"}]
    own = overlay(tmp_path, "saturation.yaml", "alerts", "LLMQueueDepthHigh", rules=rules)
    told = tmp_path / "verdicts.json"
    proven = prove(fleet, "--only", "overload", "--catalogue", own, "--json", told)
    assert proven.exit_code == 1, proven.output
    assert "1 silent story: 1 fired" in proven.output
    assert "overload, at the limit (chat): LLMQueueDepthHigh fired" in proven.output
    assert rows(told)[0]["fired_in_silence"] == ["overload, at the limit"]


def test_an_alert_that_nobody_expected_beside_a_fault_is_wrong(fleet: Path, tmp_path: Path) -> None:
    """What fires beside a fault is named in its `also:`, or it is a gap."""
    own = overlay(tmp_path, "faults.yaml", "faults", "overload", also=[], silent={})
    told = tmp_path / "verdicts.json"
    proven = prove(fleet, "--only", "overload", "--catalogue", own, "--json", told)
    assert proven.exit_code == 1, proven.output
    assert rows(told)[0]["wrong_alerts"] == ["LLMTimeToFirstTokenHigh"]


def test_a_fault_that_nothing_mends_is_not_waited_for(fleet: Path, tmp_path: Path) -> None:
    """Whether an alert had to resolve is the fault's own word, `heals`."""
    own = overlay(tmp_path, "faults.yaml", "faults", "overload", heals=0, silent={})
    told = tmp_path / "verdicts.json"
    proven = prove(fleet, "--only", "overload", "--catalogue", own, "--json", told)
    assert proven.exit_code == 0, proven.output
    assert "not mended" in proven.output
    assert (rows(told)[0]["seconds_to_resolve"], rows(told)[0]["rules"][0]["healed"]) == (None, False)


def test_names_that_nobody_knows_are_refused_all_at_once(fleet: Path) -> None:
    """With the name that was probably meant."""
    refused = prove(fleet, "--only", "overlod", "--only", "LLMEngineDwn")
    assert refused.exit_code == 2
    assert "did you mean `overload`?" in refused.output
    assert "did you mean `LLMEngineDown`?" in refused.output


def test_what_this_fleet_cannot_show_is_refused(fleet: Path) -> None:
    """Nothing proven is never shown as nothing wrong."""
    refused = prove(fleet, "--only", "usage_lost")
    assert refused.exit_code == 2
    assert "`usage_lost` cannot happen to this fleet" in refused.output


def test_a_folder_that_is_missing_is_told_before_anything_runs(fleet: Path, tmp_path: Path) -> None:
    """Not after minutes of proofs."""
    refused = prove(fleet, "--json", tmp_path / "nowhere" / "verdicts.json", PATH="")
    assert refused.exit_code == 2
    assert "there is no folder" in refused.output


def test_without_promtool_it_names_the_command_that_installs_it(fleet: Path) -> None:
    """Exit 2: nothing was proven."""
    refused = prove(fleet, "--only", "overload", PATH="")
    assert refused.exit_code == 2
    assert "promtool is not on PATH" in refused.output
    assert "apt-get install --no-install-recommends prometheus" in refused.output


def test_a_temporary_folder_that_takes_nothing_is_refused(fleet: Path) -> None:
    """A full disk is told as one, with what to do."""
    # Python and promtool alike keep what is temporary where TMPDIR says; a file's size is limited as on a full disk.
    limited = f"ulimit -f 8; exec {sys.executable} -m sre.cli prove {fleet} --only overload"
    refused = subprocess.run(
        ["bash", "-c", limited], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert refused.returncode == 2, refused.stderr
    assert "the proofs cannot be run there: File too large" in refused.stderr
    assert "TMPDIR=" in refused.stderr
    assert "Traceback" not in refused.stderr


DYING = """\
#!/bin/sh
case $3 in 1.test.yaml) kill -9 $$;; esac
PATH=%s exec promtool "$@"
"""


def test_a_promtool_that_dies_leaves_no_verdict(fleet: Path, tmp_path: Path) -> None:
    """Half a proof is never shown as a whole one: the story that is missing is named, and no file is written."""
    program, told = tmp_path / "bin" / "promtool", tmp_path / "verdicts.json"
    program.parent.mkdir()
    program.write_text(DYING % os.environ["PATH"])
    program.chmod(0o755)
    refused = prove(fleet, "--only", "overload", "--json", told, PATH=f"{program.parent}:/usr/bin:/bin")
    assert refused.exit_code == 2
    assert "promtool was ended by SIGKILL after 0 of 4 answers" in refused.output
    assert "overload, at the limit" in refused.output
    assert "no gap" not in refused.output
    assert not told.exists()


UNIGNORED = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from sre.cli import main
main(prog_name="sre")
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_child_and_no_folder(
    fleet: Path, tmp_path: Path, until: Callable[..., None], running_in: RunningIn, sign: signal.Signals
) -> None:
    """Also in the middle of a proof, and what promtool itself keeps on disk is gone as well."""
    temporary = (tmp_path / "tmp").resolve()
    temporary.mkdir()
    command = [sys.executable, "-c", UNIGNORED, "prove", str(fleet), "--only", "prefix_cache_collapse"]
    env = {**os.environ, "TMPDIR": str(temporary)}
    started = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    until(lambda: running_in(temporary) or started.poll() is not None, "a promtool", 60)
    time.sleep(0.3)
    started.send_signal(sign)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 128 + sign
    assert "Traceback" not in said
    assert running_in(temporary) == {}
    assert list(temporary.iterdir()) == []


def test_a_verdict_is_good_only_where_everything_is() -> None:
    """In time, resolved where it was mended, and nothing wrong beside it."""
    good = Verdict("A", {}, "f", 60, 30, 30, None, (), healed=True)
    assert good.ok
    assert Verdict("A", {}, "f", 60, 60, None, None, ()).ok
    assert not Verdict("A", {}, "f", 60, None, None, None, ()).ok
    assert not Verdict("A", {}, "f", 60, 61, 30, None, (), healed=True).ok
    assert not Verdict("A", {}, "f", 60, 30, None, None, (), healed=True).ok
    assert not Verdict("A", {}, "f", 60, 30, 30, None, ("B",), healed=True).ok
