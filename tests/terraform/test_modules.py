"""The tests that stand beside a module of Terraform."""

from pathlib import Path

import pytest

from tests.terraform.conftest import REPOSITORY, Run, mocked_apply

MODULES = sorted(path.parent.parent.name for path in (REPOSITORY / "terraform/modules").glob("*/tests/*.tftest.hcl"))


def test_there_are_some() -> None:
    assert "dataset" in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_the_tests_of_a_module_pass(tree: Path, terraform: Run, module: str) -> None:
    said = mocked_apply(tree / "terraform/modules" / module, terraform)
    assert '"status":"pass"' in said
