"""What `pip install` gives: the wheel works where there is no checkout."""

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
CONTENT = ("exporters", "rules", "dashboards", "runbooks")

pytestmark = pytest.mark.xdist_group("wheel")  # built once, also with several workers


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a program that must succeed, far from the checkout and its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the source distribution, as a package index would get both."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, CHECKOUT, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Programs of a fresh environment with the wheel in it; what it depends on is borrowed from this one."""
    home = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    pip = (sys.executable, "-m", "pip", "--python", home / "bin" / "python")
    run(*pip, "install", "-q", "--no-deps", "--no-index", wheel, cwd=home)
    site = run(
        home / "bin" / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home
    )
    Path(site.strip(), "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


def test_wheel_holds_the_package_alone(wheel):
    """The wheel adds one name to site-packages, and it carries its types, its licence and its content."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"sre", "inference_sre"}
    assert "sre/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    for folder in CONTENT:
        shipped = {
            name.removeprefix("sre/_content/") for name in names if name.startswith(f"sre/_content/{folder}/")
        }
        assert shipped == tracked(folder)


def tracked(folder: str) -> set[str]:
    files = (path for path in (CHECKOUT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(CHECKOUT)) for path in files if "__pycache__" not in path.parts}


def test_content_is_no_python():
    """The folders that an SRE edits hold text, nothing to import."""
    code = [path for folder in CONTENT for path in (CHECKOUT / folder).rglob("*.py")]
    assert code == []


def test_content_folders_are_not_importable(installed, tmp_path):
    """Nothing called `rules` or `exporters` lands in anybody's site-packages."""
    program = f"import importlib.util as u; print([n for n in {CONTENT} if u.find_spec(n)])"
    assert run(installed / "python", "-c", program, cwd=tmp_path).strip() == "[]"


def test_content_is_found_in_the_wheel(installed, tmp_path):
    """The one function that finds the built-in content finds it inside the package."""
    program = "import sre.content as c; print(c.root(), *sorted(p.name for p in c.root().iterdir()))"
    root, *found = run(installed / "python", "-c", program, cwd=tmp_path).split()
    assert Path(root).name == "_content"
    assert Path(root).is_relative_to(installed.parent)
    assert found == sorted(CONTENT)


def test_help_from_the_wheel(installed, tmp_path):
    """`sre --help` answers from the wheel and names the main command."""
    assert "generate" in run(installed / "sre", "--help", cwd=tmp_path)


def test_version_from_the_wheel(installed, tmp_path):
    """`sre --version` says the version that the wheel's name says."""
    assert re.search(r"\b0\.1\.0\b", run(installed / "sre", "--version", cwd=tmp_path))


def test_generate_from_the_wheel(installed, tmp_path):
    """The main job runs from the wheel, outside the checkout, and writes what the checkout writes."""
    for name, program in (("wheel", installed / "sre"), ("checkout", sys.executable)):
        words = () if name == "wheel" else ("-c", "import sys, sre.cli; sys.exit(sre.cli.main())")
        place = tmp_path if name == "wheel" else CHECKOUT
        run(
            program,
            *words,
            "generate",
            CHECKOUT / "examples" / "fleet.yaml",
            "-o",
            tmp_path / name,
            cwd=place,
        )
    assert tree(tmp_path / "wheel") == tree(tmp_path / "checkout")
    assert "manifest.json" in tree(tmp_path / "wheel")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_import_is_declared():
    """Each library that the code imports is a declared dependency, and each dependency is imported."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    declared = {plain(re.split(r"[<>=!~ ]", line)[0]) for line in project["dependencies"]}
    brings = {"pydantic-core": "pydantic"}  # pinned by pydantic itself, to the exact version
    known = packages_distributions()
    outside = {name for path in (CHECKOUT / "sre").rglob("*.py") for name in libraries(path)}
    used = {plain(known[name][0]) for name in outside - sys.stdlib_module_names - {"sre"}}
    used = {brings.get(name, name) for name in used}
    assert used <= declared
    assert declared - used <= {"tzdata"}  # read by zoneinfo, which names it nowhere


def plain(name: str) -> str:
    return name.lower().replace("_", "-")


def libraries(path: Path) -> Iterator[str]:
    """First words of everything that a file imports."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
