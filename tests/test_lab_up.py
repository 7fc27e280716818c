"""`sre lab up`, `status`, `break`, `mend` and `down`: a lab that runs on, and nothing of it once it is stopped."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sre.lab.pages import free_port, listens
from sre.lab.processes import Identity, identify

FLEET = """\
version: 1
name: small
gpu_exporter: {kind: dcgm, version: "4.8.2"}
pools:
  - name: chat
    engine: {kind: vllm, version: "0.32.0"}
    gpus: {type: h100, per_replica: 1, replicas: 2}
  - name: batch
    engine: {kind: vllm, version: "0.32.0"}
    gpus: {type: h100, per_replica: 1, replicas: 1}
    interactive: false
"""


@dataclass(frozen=True)
class Desk:
    """Where somebody works with a lab: a runtime folder and a temporary one of their own."""

    folder: Path
    running_in: Callable[[Path], dict[str, int]]

    def lab(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """One command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "sre.cli", "lab", *arguments],
            env={
                **os.environ,
                "XDG_RUNTIME_DIR": str(self.folder / "run"),
                "TMPDIR": str(self.folder / "tmp"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def up(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Start one, on any ports."""
        return self.lab("up", str(self.folder / "fleet.yaml"), "--port", "0", "--pace", "60", *options)

    @property
    def entry(self) -> dict[str, object]:
        """What the register says."""
        told: dict[str, object] = json.loads((self.folder / "run" / "sre" / "lab.json").read_text())
        return told

    @property
    def programs(self) -> dict[str, int]:
        """Processes that work in its temporary folder, by their command's name."""
        return self.running_in(self.folder / "tmp")

    @property
    def left(self) -> list[str]:
        """What is there that was not there before the first lab."""
        files = [path.name for name in ("run", "tmp") for path in (self.folder / name).iterdir()]
        return [*files, *self.programs]


@pytest.fixture
def desk(tmp_path: Path, running_in: Callable[[Path], dict[str, int]]) -> Iterator[Desk]:
    for name in ("run", "tmp"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    found = Desk(tmp_path, running_in)
    yield found
    found.lab("down")


def ports(told: str) -> list[int]:
    return sorted({int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", told)})


def test_a_lab_runs_on_breaks_mends_and_is_gone(desk: Desk, until: Callable[..., None]) -> None:
    """One is started, looked at, broken until an alert fires, healed, and stopped, with a command for each."""
    up = desk.up()
    assert up.returncode == 0, up.stderr
    assert "small runs: 1m of the fleet in each second." in up.stdout
    assert len(ports(up.stdout)) == 3
    assert all(map(listens, ports(up.stdout)))
    second = desk.up()
    assert second.returncode == 2
    assert "one runs already" in second.stderr
    assert "sre lab down" in second.stderr
    healthy = desk.lab("status")
    assert (healthy.returncode, "broken        nothing" in healthy.stdout) == (0, True)

    unknown = desk.lab("break", "engine_gon", "--pool", "chatt")
    assert unknown.returncode == 2
    assert "did you mean `engine_gone`?" in unknown.stderr
    assert "did you mean `chat`?" in unknown.stderr
    blind = desk.lab("break", "usage_lost")
    assert (blind.returncode, "changes nothing here" in blind.stderr) == (2, True)
    struck = desk.lab("break", "engine_unreachable", "--pool", "batch")
    assert struck.stdout.startswith("engine_unreachable at batch, since minute ")
    until(lambda: "firing        LLMEngineDown batch" in desk.lab("status").stdout, "the alert", seconds=120)
    assert "engine_unreachable at batch" in desk.lab("status").stdout
    assert desk.lab("mend").stdout.startswith("mended: engine_unreachable at batch")
    assert desk.lab("mend").stdout == "Nothing was broken.\n"
    until(lambda: "LLMEngineDown" not in desk.lab("status").stdout, "its end", seconds=120)

    down = desk.lab("down")
    assert (down.returncode, down.stdout) == (0, "small is stopped, and its folder is removed.\n")
    assert desk.left == []
    assert not any(map(listens, ports(up.stdout)))
    again, none = desk.lab("down"), desk.lab("status")
    assert (again.returncode, again.stdout) == (0, "No lab runs: nothing to stop.\n")
    assert (none.returncode, none.stdout) == (1, "No lab runs.\n")
    assert desk.lab("break", "engine_gone").returncode == 2
    assert desk.left == []


def test_what_a_killed_lab_leaves_is_told_and_ended(desk: Desk, until: Callable[..., None]) -> None:
    """Where nobody could end it in order, `down` ends exactly what it had started."""
    assert desk.up().returncode == 0
    keeper = desk.entry["keeper"]
    assert isinstance(keeper, dict)
    os.kill(keeper["pid"], signal.SIGKILL)
    until(lambda: identify(keeper["pid"]) is None, "the keeper's end")
    assert set(desk.programs) == {"prometheus", "prometheus-alertmanager"}
    status = desk.lab("status")
    assert status.returncode == 1
    assert "`sre lab down` ends it" in status.stdout
    assert "What it had left behind is gone as well." in desk.lab("down").stdout
    assert desk.left == []


def test_a_lab_whose_prometheus_dies_ends_with_the_reason(desk: Desk, until: Callable[..., None]) -> None:
    """Half a lab is none: it ends itself, and whoever asks is told why."""
    assert desk.up().returncode == 0
    os.kill(desk.programs["prometheus"], signal.SIGKILL)
    until(lambda: desk.programs == {} and desk.lab("status").returncode == 1, "its end", seconds=60)
    assert "killed by signal 9" in desk.lab("status").stdout
    assert list((desk.folder / "tmp").iterdir()) == []
    desk.lab("down")
    assert desk.left == []


def test_a_lab_that_cannot_start_says_why_and_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    """A taken port and an unknown fault are told by the command itself, not in a log that nobody knows of."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", _LISTEN, str(port)], stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        taken = desk.lab("up", str(tmp_path / "fleet.yaml"), "--port", str(port - 1))
        other.kill()
    assert taken.returncode == 2
    assert f"127.0.0.1:{port}" in taken.stderr
    assert "--port 0" in taken.stderr
    fault = desk.up("--fault", "engine_gon")
    assert (fault.returncode, "did you mean `engine_gone`?" in fault.stderr) == (2, True)
    assert desk.programs == {}
    assert list((desk.folder / "tmp").iterdir()) == []


_LISTEN = """
import socket, sys, time
held = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listens", flush=True)
time.sleep(600)
"""


def test_an_interrupt_while_it_starts_leaves_nothing(desk: Desk, until: Callable[..., None]) -> None:
    """Ctrl-C in the first seconds ends what was about to run in the background."""
    environment = {
        **os.environ,
        "XDG_RUNTIME_DIR": str(desk.folder / "run"),
        "TMPDIR": str(desk.folder / "tmp"),
    }
    command = [sys.executable, "-m", "sre.cli", "lab", "up", str(desk.folder / "fleet.yaml"), "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        until(lambda: bool(desk.programs), "the first program", seconds=60)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert desk.programs == {}
    assert list((desk.folder / "tmp").iterdir()) == []
    assert desk.lab("status").returncode == 1


def test_a_lab_in_the_foreground_is_gone_however_impatiently_it_is_ended(desk: Desk) -> None:
    """Whoever keeps one in a terminal and ends it twice finds neither a program nor a folder of it."""
    command = [sys.executable, "-m", "sre.cli", "lab", "up", str(desk.folder / "fleet.yaml"), "--port", "0"]
    environment = {
        **os.environ,
        "XDG_RUNTIME_DIR": str(desk.folder / "run"),
        "TMPDIR": str(desk.folder / "tmp"),
    }
    with subprocess.Popen([*command, "--foreground"], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        assert set(desk.programs) == {"prometheus", "prometheus-alertmanager"}
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        # Where both wait at once, the system hands over the lower number first.
        assert process.wait(60) in (128 + signal.SIGTERM, 128 + signal.SIGHUP)
    assert desk.left == []


def test_a_folder_that_others_can_write_is_not_trusted(desk: Desk) -> None:
    """Nobody else may say which processes are to be ended."""
    open_to_all = desk.folder / "run" / "sre"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    refused = desk.lab("down")
    assert refused.returncode == 2
    assert "is not a folder of yours alone" in refused.stderr


def test_a_number_that_another_process_has_now_is_left_alone() -> None:
    """Process numbers come again; what began at another time is somebody else's."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        now = identify(other.pid)
        assert now
        assert Identity(now.pid, now.began - 1).end(signal.SIGKILL, patience=1)
        assert now.runs
        assert now.end(signal.SIGKILL, patience=30)
        assert not now.runs
