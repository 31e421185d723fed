"""What the set-up installs is ready to run."""

import importlib.util
from pathlib import Path

import pytest


@pytest.mark.parametrize("package", ["boto3", "typer", "yaml"])
def test_what_is_installed_is_compiled(package: str) -> None:
    """Where nothing may write bytecode, each of a thousand processes would compile it again."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    assert Path(importlib.util.cache_from_source(found.origin)).is_file()
