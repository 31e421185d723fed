"""Deleting data needs two switches in two places. The guard of every root, with nothing behind it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.terraform.conftest import REPOSITORY


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    """A root of the real guard and one resource."""
    shutil.copytree(REPOSITORY / "terraform/modules/destroy_guard", tmp_path / "guard")
    (tmp_path / "main.tf").write_text(
        'resource "terraform_data" "data" {}\nvariable "allow_destroy" {\n  type = bool\n}\n'
        'module "destroy_guard" {\n  source = "./guard"\n  allow_destroy = var.allow_destroy\n  environment = "dev"\n'
        "  depends_on = [terraform_data.data]\n}\n"
    )
    return tmp_path


def terraform(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["terraform", f"-chdir={folder}", *arguments, "-no-color"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "CONFIRM"))}
    return subprocess.run(command, env=environment | variables, capture_output=True, text=True, check=False)


def applied(folder: Path, allow_destroy: str) -> None:
    assert terraform(folder, "init", "-input=false").returncode == 0
    done = terraform(folder, "apply", "-auto-approve", TF_VAR_allow_destroy=allow_destroy)
    assert done.returncode == 0, done.stderr


def resources(folder: Path) -> set[str]:
    return set(terraform(folder, "state", "list").stdout.split())


ALL = {"terraform_data.data", "module.destroy_guard.terraform_data.destroy_guard"}


@pytest.mark.parametrize(
    ("applied_switch", "confirm", "sentence"),
    [
        ("false", "dev", "Set allow_destroy = true in its"),
        ("true", "", "would be lost"),
        ("true", "prod", "would be lost"),
    ],
)
def test_one_switch_is_not_enough_and_nothing_is_touched(
    guarded: Path, applied_switch: str, confirm: str, sentence: str
) -> None:
    applied(guarded, applied_switch)
    # The variable says yes, but what counts is what was applied before.
    refused = terraform(guarded, "destroy", "-auto-approve", TF_VAR_allow_destroy="true", CONFIRM=confirm)
    assert refused.returncode == 1
    assert sentence in refused.stdout
    assert resources(guarded) == ALL


def test_both_switches_destroy(guarded: Path) -> None:
    applied(guarded, "true")
    destroyed = terraform(guarded, "destroy", "-auto-approve", TF_VAR_allow_destroy="true", CONFIRM="dev")
    assert destroyed.returncode == 0, destroyed.stderr
    assert resources(guarded) == set()
