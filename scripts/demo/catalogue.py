"""The demos of the pipelines, found by folder: ``demos/<pipeline>.py`` may have ``STEPS`` and ``QUESTIONS``."""

from importlib import import_module

from scripts import roots
from scripts.demo.pipeline import Demo

FOLDER = roots.REPOSITORY / "demos"


def demo(pipeline: str) -> Demo:
    """Return the demo of a pipeline; one without a module has no steps and no questions."""
    if not (FOLDER / f"{pipeline}.py").is_file():
        return Demo((), {})
    module = import_module(f"{FOLDER.name}.{pipeline}")
    return Demo(tuple(getattr(module, "STEPS", ())), dict(getattr(module, "QUESTIONS", {})))
