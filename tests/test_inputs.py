"""Everything that is wrong in a fleet and its files is told in one run, wherever it shows first."""

import re
from pathlib import Path

import pytest

from sre.cli.inputs import read_inputs
from sre.findings import Finding, Refused

EXAMPLE = Path(__file__).parents[1] / "examples" / "fleet.yaml"
HEAD = "version: 1\nname: f\n"
HOOK = 'webhook_configs: [{url: "http://h"}]'
RECEIVERS = f"""\
receivers:
  - {{name: page, {HOOK}}}
  - {{name: ticket}}
  - {{name: info}}
  - {{name: watchdog, {HOOK}}}
"""


def said(folder: Path, fleet: str, receivers: str = "") -> list[tuple[str, str]]:
    """File with line, and what is said there, of a fleet that is refused; errors only."""
    (folder / "fleet.yaml").write_text(fleet)
    (folder / "receivers.yaml").write_text(receivers)
    with pytest.raises(Refused) as refused:
        read_inputs(folder / "fleet.yaml")
    return [(_short(f), f.what) for f in refused.value.findings if f.severity == "error"]


def _short(finding: Finding) -> str:
    return finding.where.rpartition("/")[2]


def test_what_only_compiling_shows_is_told_together_with_what_reading_shows(tmp_path: Path) -> None:
    """A limit that contradicts the budget does not hide an objective that no bucket reaches."""
    fleet = """\
version: 1
name: f
pools:
  - name: a
    engine: {kind: vllm, version: "0.32.0"}
    memory_budget: 0.9
    thresholds: {gpu_memory_used: 0.5, kv_cache_usage: 1}
    objectives: {ttft_p95: 50000s}
"""
    found = said(tmp_path, fleet.replace("pools:", "gpu_exporter: {kind: dcgm, version: 4.8.2}\npools:"))
    assert [(where, what.split(" of ")[0].split(" (")[0]) for where, what in found] == [
        ("fleet.yaml:8", "`gpu_memory_used`"),
        ("fleet.yaml:8", "kv_cache_usage"),
        ("fleet.yaml:9", "ttft_p95"),
    ]


def test_a_limit_is_told_once(tmp_path: Path) -> None:
    """What reading the file says of a limit, compiling does not say again: one finding holds the likely meaning."""
    pool = "pools: [{name: a, engine: {kind: vllm, version: 0.32.0}, thresholds: {kv_cache_usage: 5}}]\n"
    assert said(tmp_path, HEAD + pool) == [("fleet.yaml:3", "`kv_cache_usage` is 5, which is 500 %")]


def test_a_pool_that_cannot_be_read_hides_nothing_of_the_others(tmp_path: Path) -> None:
    """Nothing is concluded from a broken pool, and all that is wrong with the rest is told."""
    fleet = """\
version: 1
name: f
pools:
  - name: a
    engine: {kind: vlm, version: "0.32.0"}
    objectives: {ttft_p95: 50000s}
  - name: b
    engine: {kind: vllm, version: "0.32.0"}
    objectives: {ttft_p95: 50000s}
  - name: b
    engine: {kind: vllm, version: "0.32.0"}
    objectives: {e2e_p99: 50000s}
"""
    assert [where for where, _ in said(tmp_path, fleet)] == ["fleet.yaml:5", "fleet.yaml:9", "fleet.yaml:10"]


def test_a_broken_fleet_does_not_hide_its_receivers(tmp_path: Path) -> None:
    """Both files are told in one run, also where no pool is sound."""
    fleet = HEAD + "receivers: receivers.yaml\npools: [{name: a, engine: {kind: vlm, version: 0.32.0}}]\n"
    found = said(tmp_path, fleet, RECEIVERS.replace("url:", "urll:", 1))
    assert [where for where, _ in found] == ["fleet.yaml:4", "receivers.yaml:2"]


def test_broken_receivers_do_not_hide_what_compiling_shows(tmp_path: Path) -> None:
    """A sound fleet file is compiled even where its receivers are refused."""
    pool = "pools: [{name: a, engine: {kind: vllm, version: 0.32.0}, objectives: {ttft_p95: 50000s}}]\n"
    found = said(tmp_path, HEAD + "receivers: receivers.yaml\n" + pool, RECEIVERS.replace("url:", "urll:", 1))
    assert [where for where, _ in found] == ["fleet.yaml:4", "receivers.yaml:2"]


def test_a_broken_catalogue_does_not_hide_the_fleet(tmp_path: Path) -> None:
    """A folder of one's own content and the fleet file are told in one run."""
    (tmp_path / "own" / "rules").mkdir(parents=True)
    (tmp_path / "own" / "rules" / "mine.yaml").write_text("alerts: [\n")
    fleet = HEAD + "catalogue: own\npools: [{name: a, engine: {kind: vllm, version: x}}]\n"
    assert [where.rpartition(":")[0] for where, _ in said(tmp_path, fleet)] == ["fleet.yaml", "mine.yaml"]


def test_teams_of_broken_pools_are_not_held_against_receivers(tmp_path: Path) -> None:
    """Where an owner cannot be read, its receiver is not called unreachable."""
    pool = "pools: [{name: a, owner: [x], engine: {kind: vllm, version: 0.32.0}}]\n"
    (tmp_path / "fleet.yaml").write_text(HEAD + "receivers: receivers.yaml\n" + pool)
    (tmp_path / "receivers.yaml").write_text(RECEIVERS + "  - {name: x-page, " + HOOK + "}\n")
    with pytest.raises(Refused) as refused:
        read_inputs(tmp_path / "fleet.yaml")
    assert [_short(f) for f in refused.value.findings] == ["fleet.yaml:4"]


LINES = EXAMPLE.read_text().splitlines()
VALUES = [number for number, line in enumerate(LINES) if re.match(r" *(- )?\w+: *[^ #]", line)]
FAR = "  - {name: far, engine: {kind: vllm, version: 0.32.0}, objectives: {e2e_p99: 50000s}}"


@pytest.mark.parametrize("number", VALUES, ids=[f"line {number + 1}" for number in VALUES])
def test_whatever_value_is_broken_the_rest_is_compiled(tmp_path: Path, number: int) -> None:
    """With any one value of the example replaced, an objective out of reach elsewhere is still told."""
    lines = list(LINES)
    lines[number] = re.sub(r"(\w+: *)[^ #].*", r"\g<1>[]", lines[number], count=1)
    place = lines.index("pools:") + 1
    found = said(tmp_path, "\n".join([*lines[:place], FAR, *lines[place:]]))
    assert any(where == f"fleet.yaml:{place + 1}" and "last bucket bound" in what for where, what in found)
    assert any(where != f"fleet.yaml:{place + 1}" for where, _ in found)
