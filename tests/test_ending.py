"""How `sre` ends when it cannot go on: exit codes of their own, no traceback, no half-written file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRE = [sys.executable, "-m", "sre.cli"]
SMALL = """\
version: 1
name: small
pools:
  - name: chat
    engine: {{kind: vllm, version: "0.32.0"}}
    thresholds: {{queue_depth: {depth}}}
"""

# A shell lets what it starts in the background ignore SIGINT; the tests may have been started so.
UNIGNORED = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from sre.cli import main
print("up", flush=True)
main(prog_name="sre")
"""

TIDYING = """\
import sys, time
from sre.cli.ending import ended_by_signals
with ended_by_signals():
    try:
        print("up", flush=True)
        time.sleep(60)
    finally:
        print("tidying", flush=True)
        sys.stdin.readline()
        print("tidy", flush=True)
"""


def texts(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def run(command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A line for the shell, in which `$SRE` stands for the program."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "SRE": " ".join(SRE), **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[dict[str, str]]]:
    """Two fleet files that differ in one number, and all that is written for each."""
    folder = tmp_path_factory.mktemp("fleets")
    paths, whole = [folder / "old.yaml", folder / "new.yaml"], []
    for path, depth in zip(paths, (200, 201), strict=True):
        path.write_text(SMALL.format(depth=depth))
        subprocess.run([*SRE, "generate", str(path), "-o", str(folder / path.stem)], cwd=ROOT, check=True)
        whole.append(texts(folder / path.stem))
    return paths, whole


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_has_an_exit_code_of_its_own(
    tmp_path: Path, fleets, unbuffered: str
) -> None:
    """A pipeline must not take a full disk under its log for findings."""
    fleet, out = fleets[0][0], tmp_path / "out"
    full = run(f"$SRE generate {fleet} -o {out} >/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert full.returncode == 4
    assert "standard output: error: cannot be written: No space left on device" in full.stderr
    assert "Traceback" not in full.stderr
    assert (out / "manifest.json").exists()
    silent = run(f"$SRE generate {fleet} -o {out} 2>/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert silent.returncode == 4


@pytest.mark.parametrize("command", ["--help", "generate --help", "--version"])
def test_help_that_cannot_be_written(command: str) -> None:
    """What the options say is output like any other."""
    said = run(f"$SRE {command} >/dev/full")
    assert said.returncode == 4
    assert "Traceback" not in said.stderr


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path, fleets) -> None:
    """Who reads the first line only is told nothing on standard error."""
    said = run(
        f"set -o pipefail; $SRE generate {fleets[0][0]} -o {tmp_path / 'o'} 2>&1 | {{ exec <&-; sleep 1; }}"
    )
    assert said.returncode == 128 + signal.SIGPIPE
    assert said.stderr == ""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_the_code_that_shells_know(
    tmp_path: Path, fleets, sign: signal.Signals
) -> None:
    """Whenever it comes, there is no traceback, and the output is that of the run before or the new one."""
    (old, new), whole = fleets
    subprocess.run([*SRE, "generate", str(old), "-o", str(tmp_path)], cwd=ROOT, check=True)
    codes = set()
    for wait in (0.1, 0.4):
        command = [sys.executable, "-c", UNIGNORED, "generate", str(new), "-o", str(tmp_path)]
        pipe = subprocess.PIPE
        started = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
        # While Python itself starts, a signal is Python's; on a loaded machine that takes longer than the waits.
        assert started.stdout is not None
        assert started.stdout.readline() == "up\n"
        time.sleep(wait)
        started.send_signal(sign)
        _, said = started.communicate()
        assert "Traceback" not in said
        assert "Aborted" not in said
        assert texts(tmp_path) in whole
        codes.add(started.returncode)
        if started.returncode == 128 + sign:
            assert f"sre: ended by {sign.name}; no file is half-written." in said
    assert 128 + sign in codes
    # It may have ended before, or may be on its way out.
    assert codes <= {128 + sign, -sign, 0}


def test_an_impatient_second_signal_does_not_break_off_the_tidying_up() -> None:
    """Whoever presses Ctrl-C twice, or closes the terminal on it, leaves no program and no folder either."""
    command, pipe = [sys.executable, "-c", f"{UNIGNORED.partition('from')[0]}{TIDYING}"], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "up\n"
        started.send_signal(signal.SIGTERM)
        assert started.stdout.readline() == "tidying\n"
        for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            started.send_signal(sign)
        said, _ = started.communicate("go on\n")
    assert said == "tidy\n"
    assert started.returncode == 128 + signal.SIGTERM


def test_a_signal_that_the_caller_ignores_stays_ignored(tmp_path: Path, fleets) -> None:
    """`nohup` means that the end of the terminal is not the end of the run."""
    said = run(
        f"trap '' HUP; $SRE generate {fleets[0][0]} -o {tmp_path / 'o'} & sleep 0.3; kill -HUP $!; wait $!"
    )
    assert said.returncode == 0
    assert (tmp_path / "o" / "manifest.json").exists()
