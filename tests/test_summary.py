"""What a person reads after `sre generate`: as long for sixty pools as for two, with commands to copy."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sre.cli import main

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "fleet.yaml"


def fleet(pools: int, more: str = "") -> str:
    """Half of the pools run an engine that lacks something; each promises another time to the first token."""
    head = f"version: 1\nname: many\n{more}pools:\n"
    return head + "".join(
        f'  - {{name: team-{"abcdef"[i % 6]}{i}, engine: {{kind: vllm, version: "{("0.32.0", "0.6.3")[i % 2]}"}}, '
        f"objectives: {{ttft_p95: {301 + i}ms, itl_p95: 80ms}}}}\n"
        for i in range(pools)
    )


def generate(path: Path, *arguments: object) -> Result:
    command = ["generate", str(path), "-o", str(path.parent / "out"), *map(str, arguments)]
    return CliRunner().invoke(main, command, catch_exceptions=False)


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Sixty pools, generated once."""
    path = tmp_path_factory.mktemp("sixty") / "fleet.yaml"
    path.write_text(fleet(60))
    return path, generate(path)


def test_the_summary_does_not_grow_with_the_fleet(sixty: tuple[Path, Result], tmp_path: Path) -> None:
    """Pools that lack the same for the same reason are one line: the first by name, the others counted."""
    (tmp_path / "fleet.yaml").write_text(fleet(4))
    few, many = generate(tmp_path / "fleet.yaml").stdout, sixty[1].stdout
    assert len(many.splitlines()) <= len(few.splitlines()) + 5
    said = " ".join(many.split())
    assert (
        "LLMPrefixCacheHitRateLow is blind in pools team-b1, team-d3, team-f5 and 27 more pools: "
        "vllm 0.6.3 has no prefix_cache_hits yet"
    ) in said


def test_the_manifest_keeps_what_the_summary_leaves_out(sixty: tuple[Path, Result]) -> None:
    """Every pool in which an alert is blind stands there by name."""
    manifest = json.loads((sixty[0].parent / "out" / "manifest.json").read_text())
    assert (
        sum("blind in pool" in one for one in manifest["alerts"]["LLMPrefixCacheHitRateLow"]["reasons"]) == 30
    )


def test_warnings_that_repeat_are_told_once_with_their_places(sixty: tuple[Path, Result]) -> None:
    """The first is written out; of the others stand the first few lines and their number."""
    said = sixty[1].stderr
    assert said.count("itl_p95 of 80ms lies inside the bucket") == 2  # each release has its own way out
    path = sixty[0]
    places = f"{path}:6, {path}:8, {path}:10 and 26 more places"
    assert len(said.splitlines()) < 60
    assert f"    like it, but for names and numbers: {places}" in said


def test_two_of_a_kind_are_both_written_out(tmp_path: Path) -> None:
    """What fits on a screen is not folded."""
    (tmp_path / "fleet.yaml").write_text(fleet(4))
    said = generate(tmp_path / "fleet.yaml").stderr
    assert said.count("itl_p95 of 80ms lies inside the bucket") == 4
    assert "like it" not in said


def test_no_error_is_ever_left_out(tmp_path: Path) -> None:
    """Sixty pools with one and the same mistake are sixty lines to correct."""
    path = tmp_path / "fleet.yaml"
    path.write_text(fleet(60).replace("itl_p95: 80ms", "itl_p95: 80"))
    said = generate(path)
    assert said.exit_code == 2
    assert [int(n) for n in re.findall(r"fleet\.yaml:(\d+): error", said.stderr)] == list(range(4, 64))
    assert "60 errors; nothing was written." in said.stderr


def test_stub_receivers_are_told_where_somebody_looks(tmp_path: Path) -> None:
    """Without receivers no alert reaches anybody, which no file says by itself; with them nothing is said."""
    path = tmp_path / "fleet.yaml"
    path.write_text(fleet(1))
    assert "Nobody is notified yet: the receivers are stubs." in generate(path).stdout
    names = ("page", "ticket", "info", "watchdog")
    (tmp_path / "receivers.yaml").write_text("receivers:\n" + "".join(f"  - name: {n}\n" for n in names))
    path.write_text(fleet(1, "receivers: receivers.yaml\n"))
    assert "stubs" not in generate(path).stdout


def test_objects_of_the_operator_are_to_be_applied(tmp_path: Path) -> None:
    """PrometheusRule objects are named under no rule_files."""
    (tmp_path / "fleet.yaml").write_text(fleet(1))
    said = generate(tmp_path / "fleet.yaml", "--target", "operator").stdout
    assert "PrometheusRule objects: apply them" in said
    assert "rule_files" not in said


@pytest.mark.parametrize("on_path", [True, False])
def test_the_next_commands_can_be_copied(tmp_path: Path, on_path: bool) -> None:
    """They name this fleet file, quoted for the shell, and the program as this shell can start it."""
    path, program = tmp_path / "my fleet.yaml", Path(sys.executable).parent / "sre"
    path.write_text(fleet(1))
    folders = os.environ["PATH"].split(os.pathsep)
    others = [folder for folder in folders if not (Path(folder) / "sre").exists()]
    said = subprocess.run(
        [program, "generate", path, "-o", tmp_path / "out"],
        env={**os.environ, "PATH": os.pathsep.join([*([str(program.parent)] if on_path else []), *others])},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    started = "sre" if on_path else str(program)
    assert f"  {started} doctor '{path}' --prometheus URL  # ask" in said
