"""What Terraform and a reader expect of the files."""

import re
from pathlib import Path

import pytest

from lake.environment import deployment
from scripts import roots
from scripts.terraform import TerraformError, account_for
from tests.terraform.conftest import REPOSITORY, Run

TERRAFORM = REPOSITORY / "terraform"
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())
ROOTS = [roots.PLATFORM, *roots.pipelines()]


def test_everything_is_formatted(terraform: Run) -> None:
    assert terraform(TERRAFORM, "fmt", "-check", "-recursive").stdout == ""


@pytest.mark.parametrize("root", ROOTS)
def test_a_root_is_valid_and_init_leaves_the_lock_file_alone(root: str, tree: Path, terraform: Run) -> None:
    folder = tree / roots.folder(root).relative_to(REPOSITORY)
    locked = (folder / ".terraform.lock.hcl").read_text()
    initialised = terraform(folder, "init", "-backend=false", "-input=false", "-no-color", "-lockfile=readonly")
    assert initialised.returncode == 0, initialised.stderr
    validated = terraform(folder, "validate", "-no-color")
    assert validated.returncode == 0, validated.stderr
    assert (folder / ".terraform.lock.hcl").read_text() == locked


@pytest.mark.parametrize("root", ROOTS)
def test_a_root_has_the_values_of_each_environment_and_the_one_lock_file(root: str) -> None:
    folder = roots.folder(root)
    assert {file.stem for file in folder.glob("*.tfvars")} == {"dev", "prod"}
    assert all(
        f'environment   = "{e}"' in text or f'environment = "{e}"' in text
        for e in ("dev", "prod")
        for text in [(folder / f"{e}.tfvars").read_text()]
    )
    locked = (folder / ".terraform.lock.hcl").read_text()
    assert (len(re.findall('"h1:', locked)), len(re.findall('"zh:', locked))) == (3, 15)
    assert re.findall(r'provider "(.*)"', locked) == ["registry.terraform.io/hashicorp/aws"]


@pytest.mark.parametrize("root", ROOTS)
def test_the_destroy_guard_of_a_root_hangs_on_everything_in_it(root: str) -> None:
    text = "\n".join(file.read_text() for file in sorted(roots.folder(root).glob("*.tf")))
    there = {f"{kind}.{name}" for kind, name in re.findall(r'^resource "([^"]+)" "([^"]+)"', text, re.MULTILINE)}
    there |= {f"module.{name}" for name in re.findall(r'^module "([^"]+)"', text, re.MULTILINE)}
    (guard,) = re.findall(r'^module "destroy_guard" \{.*?depends_on = \[(.*?)\]', text, re.DOTALL | re.MULTILINE)
    # The context makes nothing.
    assert {entry.strip() for entry in guard.split(",")} - {""} == there - {"module.destroy_guard", "module.context"}


def test_each_state_has_its_own_key_and_both_locks() -> None:
    keys = [roots.state_key(name, root) for name in ("dev", "prod") for root in ROOTS]
    assert len(set(keys)) == len(keys)
    assert {"dev/terraform.tfstate", "dev/weather_iot.tfstate", "prod/terraform.tfstate"} <= set(keys)
    for switch in ("use_lockfile", "encrypt"):
        assert re.search(rf"^{switch}\s*= true", roots.BACKEND.read_text(), re.MULTILINE)


def test_each_account_and_each_project_has_its_own_place_for_states(monkeypatch: pytest.MonkeyPatch) -> None:
    assert roots.backend("123456789012") == {
        "bucket": "aws-datalake-platform-tf-state-123456789012-us-east-1",
        "dynamodb_table": "aws-datalake-platform-tf-locks",
        "region": "us-east-1",
    }
    monkeypatch.setenv("LAKE_PROJECT", "acme")
    assert roots.backend("123456789012")["bucket"] == "acme-tf-state-123456789012-us-east-1"
    assert roots.backend("123456789012")["dynamodb_table"] == "acme-tf-locks"


def test_an_environment_with_an_account_refuses_the_credentials_of_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "prod.tfvars").write_text('environment = "prod"\naccount_id  = "111122223333"\n')
    monkeypatch.setattr(roots, "folder", lambda _root: tmp_path)
    monkeypatch.setattr(roots, "caller_account", lambda: "444455556666")
    with pytest.raises(
        TerraformError, match=r"are of account 444455556666, but prod belongs into 111122223333 .*prod\.tfvars"
    ):
        account_for("prod")
    monkeypatch.setattr(roots, "caller_account", lambda: "111122223333")
    assert account_for("prod") == "111122223333"
    fence = '-backend-config=allowed_account_ids=["111122223333"]'
    assert fence in roots.backend_options("prod", "platform", "111122223333")


def test_without_an_account_every_account_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots, "caller_account", lambda: "444455556666")
    assert account_for("dev") == "444455556666"
    assert not [option for option in roots.backend_options("dev", "platform", "444455556666") if "allowed" in option]


def test_every_root_has_the_project_of_the_lake_command() -> None:
    found = {
        root: re.search(r'variable "project" \{[^}]*default\s+= "([^"]+)"', text)
        for root in ROOTS
        for text in ["\n".join(file.read_text() for file in roots.folder(root).glob("*.tf"))]
    }
    assert {root: match and match[1] for root, match in found.items()} == dict.fromkeys(ROOTS, deployment.PROJECT)


@pytest.mark.parametrize("root", [*ROOTS, "bootstrap"])
def test_the_provider_of_a_root_takes_the_named_account_alone_and_tags_all_that_it_makes(root: str) -> None:
    """Policies find keys, and bills find money, by these tags."""
    folder = TERRAFORM / "bootstrap" if root == "bootstrap" else roots.folder(root)
    text = "\n".join(file.read_text() for file in sorted(folder.glob("*.tf")))
    (provider,) = re.findall(r'^provider "aws" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE)
    (accounts,) = re.findall(r"allowed_account_ids\s*= (.*)", provider)
    assert accounts in ("var.account_id == null ? null : [var.account_id]", "[var.account_id]")
    (tags,) = re.findall(r"tags = \{ (.*) \}", provider)
    tagged = {name: value for name, _, value in (tag.partition(" = ") for tag in tags.split(", "))}
    assert (tagged["project"], tagged["managed-by"]) == ("var.project", '"terraform"')
    assert tagged.get("environment") == (None if root == "bootstrap" else "var.environment")
    assert tagged.get("pipeline") == ("local.pipeline" if root in roots.pipelines() else None)


def test_a_session_of_people_has_a_name_in_prod() -> None:
    (sessions,) = re.findall(
        r"^people_sessions = \{(.*)\}", (roots.folder("platform") / "prod.tfvars").read_text(), re.M
    )
    assert "source_identity = true" in sessions


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
