"""Functions are packages of their own with flat imports, as Lambda runs them."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

FUNCTIONS = Path(__file__).parents[2] / "lambdas"


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import the handler of a function by the function's name, fresh."""
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        (folder,) = FUNCTIONS.glob(f"*/{name}")
        monkeypatch.syspath_prepend(str(folder))
        return importlib.import_module("handler")

    yield load
    for name in set(sys.modules) - before:
        if str(FUNCTIONS) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]
