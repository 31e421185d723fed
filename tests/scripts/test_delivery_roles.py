"""What the command that makes the roles of a delivery asks for, gives Terraform, and says at the end."""

import json
from pathlib import Path

import pytest

from scripts import delivery_roles, roots, values

WORDS = ["--github", "acme/lake", "--owner-id", "11", "--repository-id", "22"]
GITHUB = {"owner": "acme", "name": "lake", "owner_id": "11", "repository_id": "22"}


@pytest.fixture
def two_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dev in one account, prod in another, and a trial in any."""
    (tmp_path / "terraform/platform").mkdir(parents=True)
    variables = (roots.folder(roots.PLATFORM) / "variables.tf").read_text(encoding="utf-8")
    (tmp_path / "terraform/platform/variables.tf").write_text(variables, encoding="utf-8")
    for name, said in {
        "dev": 'account_id = "111111111111"\nallow_destroy = true\n',
        "prod": 'account_id = "222222222222"\nregion = "eu-west-1"\nbucket_prefix = "acme"\n',
        "trial": "",
    }.items():
        (tmp_path / f"terraform/platform/{name}.tfvars").write_text(said, encoding="utf-8")
    monkeypatch.setattr(roots, "TERRAFORM", tmp_path / "terraform")
    monkeypatch.setattr(roots, "REPOSITORY", tmp_path)
    for name in ("LAKE_PROJECT", "TF_VAR_allow_destroy", "TF_VAR_bucket_prefix", "TF_VAR_region"):
        monkeypatch.delenv(name, raising=False)


def test_an_environment_belongs_into_its_account_and_one_without_into_every_account(two_accounts: None) -> None:
    assert delivery_roles.environments("111111111111").keys() == {"dev", "trial"}
    found = delivery_roles.environments("222222222222")
    assert found.keys() == {"prod", "trial"}
    assert found["prod"] == {
        "region": "eu-west-1",
        "buckets": {
            what: f"acme-222222222222-eu-west-1-prod-{what}" for what in ("datalake", "results", "logs", "code")
        },
        "allow_destroy": False,
    }


def test_whether_it_may_be_destroyed_is_what_the_values_say_before_the_variable(
    two_accounts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [values.allow_destroy(name) for name in ("dev", "trial")] == [True, False]
    monkeypatch.setenv("TF_VAR_allow_destroy", "true")
    assert values.allow_destroy("trial")


def test_the_repository_and_its_numbers_are_demanded(capsys: pytest.CaptureFixture[str]) -> None:
    assert delivery_roles.arguments([*WORDS, "--yes"]) == (GITHUB, False, False)
    assert delivery_roles.arguments([*WORDS, "--existing-provider"]) == (GITHUB, True, True)
    for words, said in (
        (["--github", ""], "say which repository delivers"),
        (["--github", "acme"], "say which repository delivers"),
        (["--github", "acme/*"], "say which repository delivers"),
        (WORDS[:4], "gh api repos/acme/lake"),
        ([*WORDS[:5], "lake"], "gh api repos/acme/lake"),
    ):
        with pytest.raises(SystemExit):
            delivery_roles.arguments(words)
        assert said in capsys.readouterr().err


def test_the_end_says_what_the_values_and_the_repository_need(
    two_accounts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE_PROJECT", "acme")
    roles = {"path": "/lake/acme/prod/", "permissions_boundary": "arn:boundary"}
    made = {"prod": {"plan": "arn:plan", "apply": "arn:apply", "destroy": None, "roles": roles}}
    said = "\n".join(delivery_roles.remaining(made, "222222222222", GITHUB))
    assert "in terraform/platform/prod.tfvars:" in said
    assert '  roles = { path = "/lake/acme/prod/", permissions_boundary = "arn:boundary" }' in said
    command, _, body = said.partition(" --body ")
    assert command.endswith("gh variable set LAKE_PROD --repo acme/lake")
    assert json.loads(body.strip("'\n")) == {
        "account_id": "222222222222",
        "region": "eu-west-1",
        "project": "acme",
        "plan_role": "arn:plan",
        "apply_role": "arn:apply",
    }
