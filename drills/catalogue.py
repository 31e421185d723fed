"""All drills, found by folder: each module of ``drills/<pipeline>/`` with a tuple ``DRILLS`` adds its own."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from drills.drill import Drill

FOLDER = Path(__file__).parent


def pipelines() -> list[str]:
    """Return the names of the pipelines that have drills, sorted."""
    return sorted(folder.parent.name for folder in FOLDER.glob("*/__init__.py"))


def drills() -> dict[str, Drill]:
    """Return the drills of all pipelines by id, in the order of their ids.

    Raises ValueError when two drills have the same id.
    """
    found = [drill for pipeline in pipelines() for drill in _drills(pipeline)]
    ids = [drill.id for drill in found]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"more than one drill is called {', '.join(twice)}")
    return {drill.id: drill for drill in sorted(found, key=lambda drill: drill.id)}


def _drills(pipeline: str) -> list[Drill]:
    package = f"{__package__}.{pipeline}"
    modules = (import_module(f"{package}.{module.name}") for module in iter_modules([str(FOLDER / pipeline)]))
    return [replace(drill, pipeline=pipeline) for module in modules for drill in getattr(module, "DRILLS", ())]
