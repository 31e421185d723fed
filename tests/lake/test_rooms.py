"""The rooms of the lake package: how large they are, and which may import which."""

import ast
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "lake"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
LARGEST_ROOM = 12
WITHOUT_SPARK = ("core", "contract", "runs")
ABOVE_OPERATIONS = {"environment", "maintenance", "cli", "report"}


def name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


NAMES = {name(path) for path in MODULES}


def imported(path: Path) -> set[str]:
    """The modules of the package that a module imports, wherever in its code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & NAMES


def room(module: str) -> str:
    return module.split(".")[1]


def test_no_room_has_more_than_twelve_modules() -> None:
    sizes = Counter(path.parent for path in MODULES)
    assert len(sizes) > 10
    assert {str(folder.relative_to(PACKAGE)): size for folder, size in sizes.items() if size > LARGEST_ROOM} == {}


def test_no_module_imports_itself_through_others() -> None:
    graph = {name(path): imported(path) for path in MODULES}
    assert sum(map(len, graph.values())) > 100
    TopologicalSorter(graph).prepare()


def test_no_room_imports_itself_through_others() -> None:
    rooms: dict[str, set[str]] = {}
    for path in MODULES:
        own = room(name(path))
        rooms.setdefault(own, set()).update({room(module) for module in imported(path)} - {own})
    TopologicalSorter(rooms).prepare()


def test_operations_know_nothing_of_who_starts_them() -> None:
    operations = [path for path in MODULES if room(name(path)) == "operations"]
    assert len(operations) > 10
    rooms = {name(path): {room(module) for module in imported(path)} & ABOVE_OPERATIONS for path in operations}
    assert {module: above for module, above in rooms.items() if above} == {}


@pytest.mark.parametrize("inside", WITHOUT_SPARK)
def test_importing_a_room_without_spark_loads_no_spark(inside: str) -> None:
    modules = [name(path) for path in MODULES if room(name(path)) == inside]
    assert modules
    code = f"import sys, {', '.join(modules)}; print(sorted({{'pyspark', 'py4j'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
