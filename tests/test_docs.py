"""Pages cannot lie: the generated ones are what they were generated from, and every command in the README runs."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, str] = module.pages()
    return found


@pytest.mark.parametrize("name", ["alerts.md", "commands.md", "costs.schema.json", "fleet.schema.json"])
def test_a_generated_page_is_up_to_date(name: str) -> None:
    """`make docs` was run after the last change of a rule, a command or the fleet file's format."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages()[name], "run `make docs`"


def test_every_make_target_in_the_readme_exists() -> None:
    """A newcomer copies `make ...` from the README and it is there."""
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    targets = re.findall(r"\bmake ([a-z]+)\b", readme)
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_every_sre_command_in_the_readme_exists() -> None:
    """No page advertises a command that the tool does not have."""
    text = (ROOT / "README.md").read_text()
    for command in sorted(set(re.findall(r"\bsre ([a-z]+)\b", text))):
        done = subprocess.run(
            [sys.executable, "-m", "sre.cli", command, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, command


def test_every_command_of_the_billing_guide_runs(tmp_path: Path) -> None:
    """Whoever copies the commands of docs/chargeback.md, one after another, sees what the page says."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    text = (ROOT / "docs" / "chargeback.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    assert len(lines) > 9
    for line in lines:
        if "--corrects" in line:
            # The page's reader still has October open.
            shutil.copytree(tmp_path / "books" / "2026-09", tmp_path / "other-books" / "2026-09")
        command, _, comment = line.partition("#")
        arguments = shlex.split(command)
        assert arguments[:2] == ["sre", "chargeback"]
        if "explain" in arguments:
            rows = (tmp_path / "out" / "2026-10" / "chargeback.csv").read_text(encoding="utf-8")
            arguments[3] = re.findall(r"2026-10-[0-9a-f]{16}", rows)[0]
        done = subprocess.run(
            [sys.executable, "-m", "sre.cli", *arguments[1:]],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        wanted = int(found[1]) if (found := re.search(r"exit (\d)", comment)) else 0
        assert done.returncode == wanted, f"{line}\n{done.stderr}"


def test_every_link_in_a_page_leads_somewhere() -> None:
    """Relative links in the README, the guides and the docs point at files that exist."""
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} -> {link}"
