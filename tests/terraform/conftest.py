"""A copy of the tree that Terraform may write into, and the platform as a mocked apply leaves it."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.terraform import terraform_environment

REPOSITORY = Path(__file__).parents[2]
PACKAGES = (
    "batch_ingest.zip",
    "stream_generate.zip",
    "stream_validate.zip",
    "watch.zip",
    "lake-0.1.0-py3-none-any.whl",
)

Resources = dict[str, dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Terraform, contracts and jobs of the repository, with empty packages: what is in them does not matter here."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("terraform", "contracts", "glue_jobs"):
        shutil.copytree(REPOSITORY / folder, copy / folder, ignore=shutil.ignore_patterns(".terraform", "__pycache__"))
    artifacts = copy / "build/artifacts"
    artifacts.mkdir(parents=True)
    for package in PACKAGES:
        with zipfile.ZipFile(artifacts / package, "w") as archive:
            archive.writestr("empty", "")
    return copy


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run Terraform in a folder; no credentials and no endpoint, so whatever asks an account fails."""
    offline = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    environment = terraform_environment(offline, tmp_path_factory.mktemp("cli"))
    environment["AWS_EC2_METADATA_DISABLED"] = "true"

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["terraform", f"-chdir={folder}", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def resources_of(module: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Address and values of each resource of a module and of those in it."""
    for resource in module.get("resources", ()):
        yield resource["address"], resource["values"] | {"resource_type": resource["type"]}
    for child in module.get("child_modules", ()):
        yield from resources_of(child)


@pytest.fixture(scope="session")
def platform_test(tree: Path, terraform: Run) -> str:
    """Everything that `terraform test` says about the platform, states included."""
    folder = tree / "terraform/platform"
    initialised = terraform(folder, "init", "-input=false", "-no-color")
    assert initialised.returncode == 0, initialised.stderr
    tested = terraform(folder, "test", "-json", "-verbose")
    assert tested.returncode == 0, "\n".join(
        line for line in tested.stdout.splitlines() if '"diagnostic"' in line or '"fail"' in line
    )
    return tested.stdout


@pytest.fixture(scope="session")
def platform(platform_test: str) -> Resources:
    """Address => values of every resource of the platform."""
    messages = [json.loads(line) for line in platform_test.splitlines()]
    (state,) = (message["test_state"] for message in messages if message["type"] == "test_state")
    return dict(resources_of(state["root_module"]))
