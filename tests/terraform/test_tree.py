"""What Terraform and a reader expect of the files."""

import filecmp
import re
from pathlib import Path

import pytest

from tests.terraform.conftest import REPOSITORY, Run

TERRAFORM = REPOSITORY / "terraform"
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())
SAME_EVERYWHERE = ("main.tf", "variables.tf", "versions.tf", ".terraform.lock.hcl")


def test_everything_is_formatted(terraform: Run) -> None:
    assert terraform(TERRAFORM, "fmt", "-check", "-recursive").stdout == ""


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_an_environment_is_valid_and_init_leaves_the_lock_file_alone(name: str, tree: Path, terraform: Run) -> None:
    folder = tree / "terraform/envs" / name
    locked = (folder / ".terraform.lock.hcl").read_text()
    initialised = terraform(folder, "init", "-backend=false", "-input=false", "-no-color", "-lockfile=readonly")
    assert initialised.returncode == 0, initialised.stderr
    validated = terraform(folder, "validate", "-no-color")
    assert validated.returncode == 0, validated.stderr
    assert (folder / ".terraform.lock.hcl").read_text() == locked


def test_dev_and_prod_differ_in_values_and_state_only() -> None:
    dev, prod = (TERRAFORM / "envs" / name for name in ("dev", "prod"))
    same, different, missing = filecmp.cmpfiles(dev, prod, SAME_EVERYWHERE, shallow=False)
    assert (sorted(same), different, missing) == (sorted(SAME_EVERYWHERE), [], [])
    for folder in (dev, prod):
        files = {path.name for path in folder.iterdir() if path.is_file()}
        assert files == {*SAME_EVERYWHERE, "backend.tf", "terraform.tfvars"}


def test_the_lock_file_serves_three_platforms_and_every_archive() -> None:
    locked = (TERRAFORM / "envs/dev/.terraform.lock.hcl").read_text()
    assert (len(re.findall('"h1:', locked)), len(re.findall('"zh:', locked))) == (3, 15)
    assert re.findall(r'provider "(.*)"', locked) == ["registry.terraform.io/hashicorp/aws"]


def test_each_state_has_its_own_key_and_both_locks() -> None:
    for name in ("dev", "prod"):
        backend = (TERRAFORM / "envs" / name / "backend.tf").read_text()
        assert re.search(rf'key\s*= "{name}/terraform\.tfstate"', backend)
        assert re.search(r"use_lockfile\s*= true", backend)
        assert re.search(r'dynamodb_table\s*= "aws-datalake-platform-tf-locks"', backend)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.name))
def test_a_module_has_at_most_eight_inputs_and_one_output(module: Path) -> None:
    assert len(re.findall(r"^variable ", (module / "variables.tf").read_text(), re.MULTILINE)) <= 8
    assert len(re.findall(r"^output ", (module / "outputs.tf").read_text(), re.MULTILINE)) == 1


def test_files_are_short() -> None:
    long = {path.name: lines for path in TERRAFORM.rglob("*.tf") if (lines := len(path.read_text().splitlines())) > 120}
    assert long == {}


def test_nothing_knows_where_it_runs() -> None:
    """AWS_ENDPOINT_URL alone decides that."""
    words = re.compile(r"localaws|localhost|127\.0\.0\.1|skip_credentials|skip_requesting|endpoints\s*\{|path_style")
    assert [path for path in TERRAFORM.rglob("*.tf") if words.search(path.read_text())] == []


def test_a_dataset_follows_its_contract(tree: Path, terraform: Run) -> None:
    folder = tree / "terraform/modules/dataset"
    assert terraform(folder, "init", "-input=false", "-no-color").returncode == 0
    tested = terraform(folder, "test", "-no-color")
    assert tested.returncode == 0, tested.stdout + tested.stderr
