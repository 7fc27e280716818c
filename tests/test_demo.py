"""`sre lab demo`: from a healthy fleet to the page, in real programs, with nothing left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from sre.cli.watching import Screen
from sre.lab.demonstration import Addresses
from sre.lab.sight import Sight

RunningIn = Callable[[Path], dict[str, int]]

FLEET = """\
version: 1
name: small
gpu_exporter: {kind: dcgm, version: "4.8.2"}
grafana_base_url: https://grafana.example.com
runbook_base_url: https://runbooks.example.com
pools:
  - name: chat
    engine: {kind: vllm, version: "0.32.0"}
    gpus: {type: h100, per_replica: 2, replicas: 4}
    owner: platform
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def start(
    fleet: Path, temporary: Path, *options: str, path: str = os.environ["PATH"]
) -> "subprocess.Popen[str]":
    """The command in a process of its own, with all its temporary files in the folder."""
    temporary.mkdir()
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sre.cli",
            "lab",
            "demo",
            str(fleet),
            "-o",
            str(fleet.parent / "out"),
            *options,
        ],
        env={**os.environ, "TMPDIR": str(temporary), "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_demo_ends_with_the_page_that_the_on_call_gets(
    fleet: Path, tmp_path: Path, running_in: RunningIn
) -> None:
    """The queue rises, the cards stay flat, and the page says both; in a pipe there are only plain lines."""
    runbook = tmp_path / "out" / "runbooks" / "LLMQueueUtilizationAnomaly.md"
    runbook.parent.mkdir(parents=True)
    runbook.write_text("# Title\n\n## Meaning\nRequests queue up.\n\n## Confirm\n")
    process = start(fleet, temporary := tmp_path / "temporary", "--pace", "60")
    output, progress = process.communicate(timeout=300)
    assert process.returncode == 0, progress
    assert "PAGE to platform-page, " in output
    for said in (
        "LLMQueueUtilizationAnomaly",
        "The queue grows while the GPUs stay as busy as before",
        "Cause: batching.",
        "cause=batching  pool=chat  team=platform",
        "https://runbooks.example.com/LLMQueueUtilizationAnomaly",
        "LLMTimeToFirstTokenHigh",
        f"Runbook {runbook}",
        "Requests queue up.",
        f"lab up {fleet}",
    ):
        assert said in output, said
    assert "Paged as well" not in output
    assert "min before the fault   queue    0" in progress
    assert "pending: LLMQueueUtilizationAnomaly" in progress
    assert all(character.isprintable() or character == "\n" for character in output + progress)
    assert running_in(temporary) == {}
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGHUP])
def test_a_demo_that_is_interrupted_leaves_nothing(
    end: signal.Signals, fleet: Path, tmp_path: Path, until: Callable[..., None], running_in: RunningIn
) -> None:
    """Whoever stops it in the middle, or closes the terminal, has nothing to clean up and sees no page."""
    process = start(fleet, temporary := tmp_path / "temporary")
    until(lambda: len(running_in(temporary)) == 2, "both programs", seconds=120)
    process.send_signal(end)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + end
    assert output == ""
    assert running_in(temporary) == {}
    assert list(temporary.iterdir()) == []


def test_a_demo_whose_prometheus_dies_says_so_and_shows_no_page(
    fleet: Path, tmp_path: Path, running_in: RunningIn
) -> None:
    """Half a case is none."""
    process = start(fleet, temporary := tmp_path / "temporary")
    assert process.stderr
    told = ""
    while "min before the fault" not in told:
        told = process.stderr.readline()
        assert told, "it ended before it began"
    os.kill(running_in(temporary)["prometheus"], signal.SIGKILL)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (3, "")
    assert "killed by signal 9 in the middle of the run" in errors
    assert running_in(temporary) == {}
    assert list(temporary.iterdir()) == []


def test_a_demo_without_the_programs_says_what_to_install(fleet: Path, tmp_path: Path) -> None:
    """One command installs all that is missing."""
    process = start(fleet, tmp_path / "temporary", path=str(tmp_path))
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert "apt-get install --no-install-recommends prometheus prometheus-alertmanager" in errors


@pytest.mark.parametrize(("fault", "said"), [("batch_limt", "batch_limit"), ("healthy", "pages nobody")])
def test_a_fault_that_shows_nothing_is_refused(fault: str, said: str, fleet: Path, tmp_path: Path) -> None:
    """Nobody waits a minute for a fault that does not exist, or that pages nobody."""
    process = start(fleet, tmp_path / "temporary", "--fault", fault)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert said in errors


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "█"), ("ascii", "#")])
def test_a_terminal_shows_the_course_of_the_numbers(encoding: str, bar: str, tmp_path: Path) -> None:
    """Queue, batch and cards as bars; what is pending while windows fill is nobody's business."""
    with (tmp_path / "terminal").open("w", encoding=encoding) as file:
        console = Console(file=file, width=80, force_terminal=True, highlight=False)
        screen = Screen(console, "chat", "The queue grows.", 30)
        screen.ready(Addresses("http://f", "http://p", "http://a"))
        screen.sights = [
            Sight(-2.0, 0.0, 50.0, None, ("LLMThroughputDrop",)),
            Sight(3.0, 40.0, 50.0, 0.4, ("LLMQueueDepthHigh",), ("LLMTimeToFirstTokenHigh",)),
        ]
        console.print(screen.picture())
        screen.sights.pop()
        console.print(screen.picture())
    ill, healthy = (tmp_path / "terminal").read_text(encoding).split("Look while it runs")[2:]
    assert "3 min into the fault: The queue grows." in ill
    assert f"{bar}" in ill
    assert " 40%" in ill
    assert "LLMQueueDepthHigh" in ill
    assert "LLMTimeToFirstTokenHigh" in ill
    assert "2 min before the fault: healthy" in healthy
    assert "LLMThroughputDrop" not in healthy
