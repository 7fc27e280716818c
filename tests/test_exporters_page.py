"""docs/exporters.md cannot lie: its commands run, its names exist, its table of settings is whole."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from sre.lab.pages import free_port
from sre.usage import families
from sre.usage.asgi import settings
from sre.usage.asgi.log import _WAITING
from sre.usage.asgi.metrics import LOG, ROUTE
from sre.usage.asgi.served import _MOST
from sre.usage.config import Config

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "exporters.md").read_text(encoding="utf-8")


def test_its_commands_run(tmp_path: Path) -> None:
    """Copied into a shell, the commands under Start check a configuration, serve and show a metric."""
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    program = tmp_path / "bin" / "sre"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sre.cli "$@"\n')
    program.chmod(0o755)
    # The test's machine may use the port; the page's own is what everybody gets.
    port = str(free_port())
    script = block.replace("version: 1\n", f"version: 1\nlisten: 127.0.0.1:{port}\n").replace("9109", port)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["timeout", "60", "bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "exporter.yaml can be used" in done.stdout
    assert 'llm_requests_total{team="search",model="llama-3.3-70b",outcome="success"} 0' in done.stdout
    assert (tmp_path / "exporter.state").exists()


def test_its_default_port_is_the_programs() -> None:
    """The page asks the port on which the exporter listens unless told otherwise."""
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", PAGE)) == {str(Config.model_fields["listen"].default.port)}


def test_every_command_of_the_page_exists() -> None:
    """`sre ...` in the text is a command with these options."""
    for command, options in sorted(set(re.findall(r"\bsre (exporter [a-z-]+)((?: --[a-z-]+)*)", PAGE))):
        asked = [sys.executable, "-m", "sre.cli", *command.split(), "--help"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, command
        assert all(option in done.stdout for option in options.split())


def test_every_metric_of_the_page_exists() -> None:
    """Names, and the values of labels that the middleware writes."""
    known = {thing.name for thing in vars(families).values() if isinstance(thing, families.Family)}
    assert set(re.findall(r"`(llm_[a-z_]+[a-z])(?:\{[^`]*\})?`", PAGE)) <= known
    assert f'route="{ROUTE}",result="failed"' in PAGE
    assert f'route="{LOG}",result="dropped"' in PAGE


def test_every_alert_of_the_page_exists() -> None:
    """Alerts are called what they are called."""
    alerts = yaml.safe_load((ROOT / "rules" / "usage.yaml").read_text(encoding="utf-8"))["alerts"]
    assert set(re.findall(r"`(LLM[A-Za-z]+)`", PAGE)) <= alerts.keys()


def test_every_setting_of_the_middleware_is_on_the_page() -> None:
    """The table has each environment variable that the code reads, and no other."""
    source = Path(settings.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'"(SRE_USAGE_\w+)"', source))
    assert read == set(re.findall(r"^\| `(SRE_USAGE_\w+)`", PAGE, re.M))
    assert read == set(re.findall(r"^(SRE_USAGE_\w+):", settings.__doc__ or "", re.M))


def test_its_numbers_are_the_codes() -> None:
    """How many records wait and how many names are learned."""
    assert f"once {_WAITING:,} wait" in PAGE
    assert f"at most {_MOST}" in PAGE


def test_every_key_of_the_page_is_one() -> None:
    """Keys of the configuration are called what they are called."""
    keys = {name: field.annotation for name, field in Config.model_fields.items()}
    for part, key in re.findall(r"`(roster|identity|limits)\.([a-z_]+)`", PAGE):
        assert key in keys[part].model_fields, key
    for key in ("output_tokens_by_team", "metrics_token_env", "catalogue", "roster", "identity", "limits"):
        assert f"`{key}`" in PAGE
        assert key in keys
