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

from lake.contract import model
from lake.contract.model import Contract
from scripts import build, roots
from scripts.terraform import terraform_environment

REPOSITORY = Path(__file__).parents[2]
FIRST = "weather_iot"
CODE_VERSION = "0123456789ab"
Resources = dict[str, dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]
ON_PLATFORM = """
mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = PARAMETER }
  }
}

override_module {
  target  = module.destroy_guard
  outputs = { allow_destroy = "false" }
}

variables {
  project            = "lake"
  environment        = "test"
  region             = "eu-west-1"
  batch_schedule     = "cron(15 0 * * ? *)"
  transform_schedule = "rate(1 hour)"
}

run "everything" {}
"""


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Terraform, contracts and jobs of the repository, with empty packages: what is in them does not matter here."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("terraform", "contracts", "glue_jobs"):
        shutil.copytree(REPOSITORY / folder, copy / folder, ignore=shutil.ignore_patterns(".terraform", "__pycache__"))
    scripts = (script.relative_to(REPOSITORY / "glue_jobs").with_suffix("") for script in build.scripts())
    for package in (
        *(f"jobs/{script}/{CODE_VERSION}/lake-0.1.0-py3-none-any.whl" for script in scripts),
        *(f"{name}.zip" for name in build.functions(REPOSITORY / "lambdas")),
    ):
        write_empty(copy / "build/artifacts" / package)
    return copy


def write_empty(package: Path) -> None:
    """A package of which only the name matters."""
    package.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("empty", "")


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
        if resource.get("mode") == "data":
            continue
        yield resource["address"], resource["values"] | {"resource_type": resource["type"]}
    for child in module.get("child_modules", ()):
        yield from resources_of(child)


@pytest.fixture(scope="session")
def platform_test(tree: Path, terraform: Run) -> str:
    """Everything that `terraform test` says about the platform, states included."""
    return mocked_apply(tree / "terraform/platform", terraform)


@pytest.fixture(scope="session")
def platform(tree: Path, terraform: Run, platform_test: str) -> Resources:
    """Address => values of every resource of the platform and, after the pipeline's name, of every pipeline."""
    shared = state_of(platform_test)
    found = dict(shared)
    parameter = shared["aws_ssm_parameter.platform"]["value"]
    for name in roots.pipelines():
        of_pipeline = state_of(pipeline_test(tree / "terraform/pipelines" / name, terraform, parameter))
        found |= {f"{name}: {address}": values for address, values in of_pipeline.items()}
    return found


@pytest.fixture(scope="session")
def first(platform: Resources) -> Resources:
    """What of ``platform`` belongs to the platform itself and to weather_iot: tests list it by name."""
    return {address: values for address, values in platform.items() if address.partition(": ")[0] in (address, FIRST)}


def contracts(pipeline: str = "*") -> list[Contract]:
    """The contracts of a pipeline, as the loader reads them; of all and the platform when none is named."""
    return [model.read(path) for path in sorted((REPOSITORY / "contracts").glob(f"{pipeline}/*.yaml"))]


def mocked_apply(folder: Path, terraform: Run, *options: str) -> str:
    """What `terraform test` says about a root, without its state and without an account."""
    initialised = terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
    assert initialised.returncode == 0, initialised.stderr
    tested = terraform(folder, "test", "-json", "-verbose", *options)
    assert tested.returncode == 0, "\n".join(
        line for line in tested.stdout.splitlines() if '"diagnostic"' in line or '"fail"' in line
    )
    return tested.stdout


def pipeline_test(folder: Path, terraform: Run, parameter: str) -> str:
    """A mocked apply of a pipeline on the platform that has left this parameter, with the values of dev."""
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests/mocked.tftest.hcl").write_text(ON_PLATFORM.replace("PARAMETER", json.dumps(parameter)))
    return mocked_apply(folder, terraform, "-var-file=dev.tfvars")


def state_of(said: str) -> Resources:
    """Address => values of every resource that a mocked apply has made."""
    (state,) = states_of(said)
    return dict(resources_of(state["root_module"]))


def states_of(said: str) -> list[dict[str, Any]]:
    """The state after each run of a mocked apply."""
    messages = [json.loads(line) for line in said.splitlines()]
    return [message["test_state"] for message in messages if message["type"] == "test_state"]
