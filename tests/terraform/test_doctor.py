"""What `make doctor` says about an account before the first apply, and after it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lake.environment import deployment
from lake.environment.deployment import NotDeployed, Platform
from scripts import doctor, roots, values
from scripts.doctor import Finding, Patient
from tests.local_aws import REPOSITORY, LocalAws, running
from tests.terraform.conftest import Resources

ACCOUNT = "123456789012"


def patient(environment: str = "dev", **operations: Any) -> Patient:
    """An environment whose clients answer so; an answer that is an exception is raised."""

    def answering(answer: Any) -> Any:
        def operation(**_given: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return operation

    client = SimpleNamespace(**{name: answering(answer) for name, answer in operations.items()})
    return Patient(environment, ACCOUNT, lambda _service: client)


def refused(status: int) -> ClientError:
    answer: Any = {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "HeadBucket")


def seen(check: Callable[[Patient], Iterator[Finding]], by: Patient) -> list[tuple[str, str]]:
    """State and sentence of each finding of one check."""
    return [(finding.state, finding.sentence) for finding in check(by)]


@pytest.fixture(autouse=True)
def _undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has said anything around Terraform."""
    for name in [name for name in os.environ if name.startswith("TF_VAR_")]:
        monkeypatch.delenv(name)
    for name in ("ALERT_EMAIL", "LAKE_PROJECT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Roots of a test; returns the values of prod's platform, which the test writes."""
    (tmp_path / "variables.tf").write_text((roots.folder(roots.PLATFORM) / "variables.tf").read_text())
    monkeypatch.setattr(roots, "folder", lambda _root: tmp_path)
    monkeypatch.setattr(roots, "REPOSITORY", tmp_path)
    monkeypatch.setattr(roots, "pipelines", list)
    return tmp_path / "prod.tfvars"


def test_the_names_of_buckets_are_those_that_terraform_makes(
    platform: Resources, monkeypatch: pytest.MonkeyPatch, written: Path
) -> None:
    written.write_text('bucket_prefix = "lake"\nregion = "eu-west-1"\n')
    made = {found["bucket"] for found in platform.values() if found["resource_type"] == "aws_s3_bucket"}
    assert {name.replace("-prod-", "-test-") for name in values.buckets("prod", ACCOUNT)} == made


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        (404, "ok", "is free"),
        (
            403,
            "problem",
            'belongs to another account, or you may not see it: choose another beginning: bucket_prefix = "…"',
        ),
        (301, "problem", "is in another region"),
    ],
)
def test_a_bucket_name_is_free_or_somebody_elses(status: int, state: str, said: str) -> None:
    found = seen(doctor.buckets, patient(head_bucket=refused(status)))
    assert len(found) == 5
    assert {entry for entry, _ in found} == {state}
    assert all("is " in sentence or "belongs" in sentence for _, sentence in found)
    assert sum(said in sentence for _, sentence in found) >= 3


def test_a_bucket_that_is_there_is_ours() -> None:
    found = seen(doctor.buckets, patient(head_bucket={}))
    assert [state for state, _ in found] == ["ok"] * 5
    assert found[1][1] == f"aws-datalake-platform-{ACCOUNT}-us-east-1-dev-datalake is there, and yours."


def test_a_name_that_is_too_long_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_VAR_bucket_prefix", "p" * 40)
    found = seen(doctor.buckets, patient(head_bucket=refused(404)))
    assert [state for state, _ in found] == ["ok", *["problem"] * 4]
    assert "has 76 characters" in found[1][1]


@pytest.mark.parametrize(
    ("quota", "given", "state", "said"),
    [
        (10, "", "warning", "leave reserved_concurrency out of prod.tfvars"),
        (
            10,
            "reserved_concurrency = {\n  watch = 1\n}\n",
            "problem",
            "has room to reserve 0, but prod.tfvars reserve 1",
        ),
        (
            102,
            'reserved_concurrency = { "batch-ingest" = 2, watch = 1 }',
            "problem",
            "has room to reserve 2, but prod.tfvars",
        ),
        (
            1000,
            'reserved_concurrency = { "batch-ingest" = 2, watch = 1 }',
            "ok",
            "has room to reserve 900; reserved: 3",
        ),
    ],
)
def test_what_is_reserved_must_fit_into_the_quota(written: Path, quota: int, given: str, state: str, said: str) -> None:
    written.write_text(given)
    limits = {"AccountLimit": {"ConcurrentExecutions": quota}}
    ((found, sentence),) = seen(doctor.concurrency, patient("prod", get_account_settings=limits))
    assert found == state
    assert said in sentence


@pytest.mark.parametrize(("principals", "state"), [(["IAM_ALLOWED_PRINCIPALS"], "ok"), ([], "problem")])
def test_lake_formation_that_governs_new_databases_is_a_problem(principals: list[str], state: str) -> None:
    entries = [{"Principal": {"DataLakePrincipalIdentifier": name}, "Permissions": ["ALL"]} for name in principals]
    settings = {"DataLakeSettings": {"CreateDatabaseDefaultPermissions": entries}}
    ((found, _),) = seen(doctor.lake_formation, patient(get_data_lake_settings=settings))
    assert found == state


@pytest.mark.parametrize(
    ("environment", "address", "state"),
    [
        ("dev", "data-platform@example.com", "warning"),
        ("prod", "data-platform@example.com", "problem"),
        ("prod", "somebody@mail.example.org", "problem"),
        ("prod", "", "problem"),
        ("prod", "somebody@notexample.com", "ok"),
    ],
)
def test_alarms_must_go_to_somebody(
    monkeypatch: pytest.MonkeyPatch, environment: str, address: str, state: str
) -> None:
    monkeypatch.setenv("ALERT_EMAIL", address)
    ((found, sentence),) = seen(doctor.alert_email, patient(environment))
    assert found == state
    assert address in sentence


@pytest.mark.parametrize(("confirmed", "state"), [("0", "problem"), ("1", "ok")])
def test_a_subscription_must_be_confirmed(monkeypatch: pytest.MonkeyPatch, confirmed: str, state: str) -> None:
    monkeypatch.setattr(deployment, "load", lambda env: Platform(env, {"alerts": "arn:topic"}, None))
    attributes = {"Attributes": {"SubscriptionsConfirmed": confirmed}}
    ((found, _),) = seen(doctor.subscription, patient(get_topic_attributes=attributes))
    assert found == state


def test_before_the_first_apply_nobody_can_have_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_environment: str) -> Platform:
        raise NotDeployed("there is no parameter")

    monkeypatch.setattr(deployment, "load", nothing)
    ((state, sentence),) = seen(doctor.subscription, patient())
    assert (state, sentence) == ("unknown", "whether alarms reach somebody can be seen after the first apply.")


def test_commands_must_look_where_terraform_deploys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    ((state, sentence),) = seen(doctor.region, patient())
    assert (state, sentence) == (
        "problem",
        "commands look into eu-north-1, but dev belongs into us-east-1 (terraform/platform/dev.tfvars): "
        "export AWS_REGION=us-east-1.",
    )


def test_the_account_is_the_one_of_the_values(monkeypatch: pytest.MonkeyPatch, written: Path) -> None:
    monkeypatch.setattr(roots, "caller_account", lambda: ACCOUNT)
    states = {}
    for line in ("", f'account_id = "{ACCOUNT}"\n', 'account_id = "999999999999"\n'):
        written.write_text(line)
        ((states[line], sentence),) = seen(doctor.account, patient("prod"))
        assert ACCOUNT in sentence
    assert list(states.values()) == ["warning", "ok", "problem"]


def run(aws: LocalAws, environment: str, **variables: str) -> tuple[int, list[dict[str, str]], str]:
    """Exit code, findings and what stands on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.doctor", "--env", environment, "--json"],
        cwd=REPOSITORY, env={**aws.process_environment(), **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.component
def test_a_new_account_with_taken_names_is_told_so_and_how_to_go_on(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALAWS_TAKEN_BUCKETS", "aws-datalake-platform-*-datalake")
        with running(tmp_path / "home") as aws:
            code, findings, said = run(aws, "dev")
            renamed, better, _ = run(aws, "dev", TF_VAR_bucket_prefix="acme")
            prod, worse, _ = run(aws, "prod", ALERT_EMAIL="data-platform@example.com")
    assert (code, renamed, prod, said) == (1, 0, 1, "")
    assert [(f["check"], f["state"]) for f in findings] == [
        ("account", "warning"), ("region", "ok"), ("concurrency", "warning"), ("buckets", "ok"), ("buckets", "problem"),
        ("buckets", "ok"), ("buckets", "ok"), ("buckets", "ok"), ("lake formation", "unknown"), ("terraform", "ok"),
        ("alert email", "warning"), ("subscription", "unknown"),
    ]  # fmt: skip
    sentences = {f["check"]: f["sentence"] for f in findings if f["state"] in ("warning", "unknown")}
    assert "quota is 10 simultaneous invocations" in sentences["concurrency"]
    assert sentences["lake formation"].startswith("cannot be read")
    assert [f["check"] for f in better if f["state"] == "problem"] == []
    assert [f["check"] for f in worse if f["state"] == "problem"] == ["buckets", "alert email"]
    assert all("\n" not in f["sentence"] for f in [*findings, *better, *worse])
