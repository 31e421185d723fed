"""The package's rooms: none is too big, and the imports between them and between modules make no circle."""

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import localaws

FOLDER = Path(localaws.__file__).parent
LARGEST_ROOM = 12
# Modules that start with a child process, and are in no package.
CHILD = "child"


def modules() -> dict[str, Path]:
    """Name to file of all modules but the packages' own."""
    files = [path for path in FOLDER.rglob("*.py") if path.name != "__init__.py" and CHILD not in path.parts]
    return {".".join(("localaws", *path.relative_to(FOLDER).with_suffix("").parts)): path for path in files}


def imported(path: Path, known: set[str]) -> set[str]:
    """The modules of the package that a file imports anywhere, inside of functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known


def room(module: str) -> str:
    """The package of a module; a module at the top is a room by itself."""
    package = module.rpartition(".")[0]
    return module if package in ("localaws", "localaws.services") else package


def arrows() -> dict[str, set[str]]:
    every = modules()
    return {name: imported(path, set(every)) for name, path in every.items()}


def between_rooms(modules_arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    rooms: dict[str, set[str]] = {}
    for name, targets in modules_arrows.items():
        rooms.setdefault(room(name), set()).update({room(target) for target in targets} - {room(name)})
    return rooms


def test_no_room_is_too_big() -> None:
    sizes = Counter(name.rpartition(".")[0] for name in modules())
    assert sum(sizes.values()) > 40
    assert {name: size for name, size in sizes.items() if size > LARGEST_ROOM} == {}


def test_the_imports_make_no_circle() -> None:
    found = arrows()
    assert found["localaws.server.middleware"]
    TopologicalSorter(found).prepare()
    TopologicalSorter(between_rooms(found)).prepare()


def test_a_circle_is_noticed() -> None:
    circle = {"localaws.core.a": {"localaws.server.b"}, "localaws.server.c": {"localaws.core.d"}}
    with pytest.raises(CycleError):
        TopologicalSorter(between_rooms(circle)).prepare()
