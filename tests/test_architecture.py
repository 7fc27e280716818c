"""The picture of the house: who may import whom, and which file alone touches what."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent

FLOORS = (
    ("cli",),
    ("checks", "lab", "metering", "books"),
    ("compile", "idle", "init"),
    ("finance", "simulate"),
    ("usage", "catalogue", "fleet", "prometheus", "promql", "write", "create"),
    (
        "findings",
        "units",
        "content",
        "source",
        "nodes",
        "explain",
        "swap",
        "answers",
        "unanswered",
        "diff",
        "svg",
    ),
)
"""From the top. Imports run downwards or stay on their floor; a new part gets its place here."""

LEVEL = {part: level for level, parts in enumerate(FLOORS) for part in parts}
HTTP = {"h11", "requests", "urllib3", "http", "httpx", "aiohttp", "socket", "prometheus_api_client"}
WORLD = {"time", "random", "secrets", "subprocess", "socket", "tempfile", "shutil", "locale", "platform"}


@cache
def trees() -> dict[str, ast.Module]:
    """Syntax trees of the package by dotted module name, packages by their own name."""
    files = {path.relative_to(CHECKOUT): path for path in sorted((CHECKOUT / "sre").rglob("*.py"))}
    return {
        ".".join(name.with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_bytes())
        for name, path in files.items()
    }


def targets(module: str, node: ast.AST) -> Iterator[str]:
    """Dotted names that a node imports; for `from a import b` both a.b, where that is a module, and a."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = module if is_package(module) else module.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        origin = ".".join(filter(None, [package if node.level else "", node.module or ""]))
        inner = [f"{origin}.{alias.name}" for alias in node.names]
        yield from (name if name in trees() else origin for name in inner)


def is_package(module: str) -> bool:
    return (CHECKOUT / module.replace(".", "/") / "__init__.py").exists()


def imports(module: str) -> set[str]:
    """Everything that a module imports, also inside its functions and for its types alone."""
    return {name for node in ast.walk(trees()[module]) for name in targets(module, node)}


def part(module: str) -> str:
    """The room of the house that a module belongs to: `compile` for sre.compile.rules."""
    return module.split(".")[1] if "." in module else ""


def ours(names: set[str]) -> set[str]:
    return {name for name in names if part(name) and name.split(".")[0] == "sre"}


def importers(library: str) -> set[str]:
    return {module for module in trees() if library in {name.split(".")[0] for name in imports(module)}}


def reach(room: str) -> set[str]:
    """Every module, of anybody, that importing this room of the house brings along."""
    seen: set[str] = set()
    queue = [module for module in trees() if part(module) == room]
    while queue:
        module = queue.pop()
        new = (imports(module) if module in trees() else set()) - seen
        seen |= new
        queue += new
    return seen


def test_every_part_has_a_floor():
    """A new file or folder in sre/ is given its place in the picture."""
    assert {part(module) for module in trees()} - {""} <= LEVEL.keys()


def test_imports_run_downwards():
    """Nothing imports from a floor above its own, and so nothing imports the command line."""
    wrong = [
        f"{module} imports {name}"
        for module in trees()
        for name in ours(imports(module))
        if part(module) and LEVEL[part(name)] < LEVEL[part(module)]
    ]
    assert wrong == []


def test_no_circles():
    """Parts of the house never import each other in a circle, not even on one floor."""
    graph = {
        room: {part(name) for m in trees() if part(m) == room for name in ours(imports(m))} - {room}
        for room in LEVEL
    }
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("room", ["compile", "finance", "idle"])
def test_pure_parts_do_not_reach_a_server(room):
    """Compiling, billing and the idle report take data in and give data back, whatever they import."""
    reached = reach(room)
    assert "sre.prometheus" not in reached
    assert not {name.split(".")[0] for name in reached} & {"requests", "urllib3", "prometheus_api_client"}


def test_compiling_knows_no_clock_and_no_machine():
    """What is compiled depends on the fleet and the catalogue alone: same input, same bytes."""
    used = {
        f"{module} imports {name}"
        for module in trees()
        if part(module) == "compile"
        for name in imports(module)
        if name.split(".")[0] in WORLD
    }
    assert used == set()


def test_one_file_per_replaceable_library():
    """A library that may have to be replaced in an afternoon is imported in one file."""
    assert importers("requests") == {"sre.prometheus"}
    assert len(importers("grafanalib")) == 1
    assert importers("duckdb") == {"sre.metering.database"}


def test_one_file_talks_http_and_two_places_answer():
    """Only the Prometheus client opens connections; only the lab's pages and the exporter's receiver take any."""
    found = {module for library in HTTP for module in importers(library)}
    outside = {module for module in found if not module.startswith("sre.usage.receiver.")}
    assert outside == {"sre.prometheus", "sre.lab.pages"}
    assert not any("urllib.request" in imports(module) for module in trees())


def test_each_test_is_a_sentence():
    """Each test opens with one sentence that says what a user would see."""
    silent = [
        f"{path.name}: {node.name}"
        for path in sorted((CHECKOUT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if not (ast.get_docstring(node) or "").rstrip().endswith((".", "?", "!"))
    ]
    assert silent == []


def test_tests_patch_nothing():
    """Tests use the seams that users have: arguments, files and servers."""
    patched = [
        f"{path.name}:{node.lineno}"
        for path in sorted((CHECKOUT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_bytes()))
        if (isinstance(node, ast.Attribute) and node.attr == "setattr")
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest.mock"))
    ]
    assert patched == []
