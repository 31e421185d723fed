"""Terraform: what it says twice, what it keeps, what bootstrapping again does."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.core.settings import ACCOUNT
from scripts import roots
from tests.pipelines.deployment import Deployed, fresh

BACKEND = roots.backend(ACCOUNT)
STATE_BUCKET, STATE_KEY = BACKEND["bucket"], roots.state_key("dev", roots.PLATFORM)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """dev, deployed now and not taken from a snapshot: what is tested here is what Terraform does."""
    with fresh(tmp_path_factory.mktemp("deployed")) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def second_plan(deployed: Deployed, canary: str) -> subprocess.CompletedProcess[str]:
    return deployed.terraform("plan")


@pytest.mark.smoke
def test_a_second_plan_finds_nothing_to_do(second_plan: subprocess.CompletedProcess[str]) -> None:
    assert second_plan.returncode == 0, second_plan.stdout + second_plan.stderr
    assert second_plan.stdout.count("No changes. Your infrastructure matches the configuration.") == 2


def test_checkov_finds_nothing_in_what_is_planned(deployed: Deployed, tmp_path: Path) -> None:
    """In the source it sees expressions; here it sees the policies that they make."""
    planned = deployed.command(
        sys.executable, "-m", "scripts.terraform", "plan", "--env", "dev", "--out", str(tmp_path)
    )
    assert planned.returncode in (0, 2), planned.stdout + planned.stderr
    plans = sorted(tmp_path.glob("*/plan.json"))
    assert len(plans) == 2
    for plan in plans:
        said = deployed.command(
            ".venv-checks/bin/checkov", "--quiet", "--compact", "--file", str(plan), "--framework", "terraform_plan",
            "--skip-download", "--config-file", ".checkov.yaml", "--output", "json",
        )  # fmt: skip
        found = json.loads(said.stdout)
        assert found["summary"]["passed"] > 20, said.stdout
        failed = {(of["check_id"], of["resource"]) for of in found["results"]["failed_checks"]}
        assert (failed, said.returncode) == (set(), 0)


def test_the_apply_made_what_the_environment_says(deployed: Deployed) -> None:
    buckets = {bucket["Name"] for bucket in deployed.client("s3").list_buckets()["Buckets"]}
    assert {deployed.bucket, deployed.names["results_bucket"], deployed.names["logs_bucket"]} < buckets
    tables = deployed.client("glue").get_tables(DatabaseName=deployed.names["database"])["TableList"]
    assert {table["Name"] for table in tables} == {
        "raw_weather", "raw_iot_sensors", "curated_weather", "curated_sensor_readings", "curated_city_hours",
        "quarantine_curated_weather", "quarantine_curated_sensor_readings", "pipeline_runs",
    }  # fmt: skip


def test_no_version_of_the_pseudonym_key_is_in_the_state(
    deployed: Deployed, canary: str, second_plan: subprocess.CompletedProcess[str]
) -> None:
    keys = [version["key"] for version in json.loads(deployed.pseudonym_key())["versions"]]
    assert (len(keys), len(keys[0]), keys[1]) == (2, 64, canary)
    state = deployed.read(STATE_KEY, STATE_BUCKET).decode()
    assert "aws_secretsmanager_secret_version" not in state
    assert [key for key in keys if key in state or key in "".join(deployed.said)] == []


@pytest.fixture(scope="module")
def deployer(deployed: Deployed) -> dict[str, str]:
    """The environment of a role that may do everything but read a secret."""
    iam, name = deployed.client("iam"), "deployer-without-keys"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    rights = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": rights})
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
    keys = deployed.client("sts").assume_role(RoleArn=role, RoleSessionName="deployer")["Credentials"]
    names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY"}
    names["SessionToken"] = "AWS_SESSION_TOKEN"
    return {variable: keys[name] for name, variable in names.items()}


def test_who_plans_and_applies_reads_no_secret(
    deployed: Deployed, deployer: dict[str, str], second_plan: subprocess.CompletedProcess[str]
) -> None:
    planned = deployed.terraform("plan", **deployer)
    assert planned.returncode == 0, planned.stdout[-3000:] + planned.stderr
    applied = deployed.terraform("apply", **deployer)
    assert (applied.returncode, "it was left alone" in applied.stdout) == (0, True), applied.stdout[-3000:]
    calls = deployed.calls("assumed-role/deployer-without-keys/")
    assert calls["secretsmanager:DescribeSecret"] >= 2, "the provider has looked at the secret"
    assert calls["secretsmanager:ListSecretVersionIds"] == 1, "the wrapper has looked for a first version"
    assert {"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"} & calls.keys() == set()


def test_nobody_but_the_named_readers_opens_the_pseudonym_key(deployed: Deployed) -> None:
    """The administrator may do everything in the account, and is named by neither the secret nor its KMS key."""
    client, name = deployed.client("secretsmanager"), deployed.names["pseudonym_key"]
    with pytest.raises(ClientError, match="AccessDeniedException"):
        client.get_secret_value(SecretId=name)
    policy = client.get_resource_policy(SecretId=name)["ResourcePolicy"]
    client.delete_resource_policy(SecretId=name)
    try:
        with pytest.raises(ClientError, match="Access to KMS is not allowed"):
            client.get_secret_value(SecretId=name)
    finally:
        client.put_resource_policy(SecretId=name, ResourcePolicy=policy)
    assert json.loads(deployed.pseudonym_key())["versions"]


def test_buckets_take_no_object_under_a_key_that_is_not_theirs(deployed: Deployed) -> None:
    """What the administrator may do otherwise: whoever writes so could hold the lake to ransom."""
    s3, kms = deployed.client("s3"), deployed.client("kms")
    stranger = kms.create_key()["KeyMetadata"]["Arn"]
    customers = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32}
    for bucket in (deployed.bucket, deployed.names["results_bucket"], deployed.names["logs_bucket"]):
        put = {"Bucket": bucket, "Key": "set-aside/by-hand", "Body": b"x"}
        for options in (customers, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": stranger}):
            with pytest.raises(ClientError, match="AccessDenied"):
                s3.put_object(**put, **options)
        s3.put_object(**put)
    named = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": deployed.names["key_arn"]}
    s3.put_object(Bucket=deployed.bucket, Key="set-aside/by-hand", Body=b"x", **named)


def test_the_first_apply_has_written_the_first_version(deployed: Deployed) -> None:
    assert "the first version of the pseudonym key was written" in deployed.said[0]


def test_bootstrapping_again_changes_nothing(deployed: Deployed) -> None:
    before = bootstrapped(deployed)
    again = deployed.command("bash", "terraform/bootstrap.sh")
    assert (again.returncode, again.stdout.count("was there")) == (0, 2), again.stderr
    assert bootstrapped(deployed) == before


def bootstrapped(deployed: Deployed) -> list[Any]:
    """What bootstrapping makes, and the versions of the state in it."""
    s3 = deployed.client("s3")
    versions = s3.list_object_versions(Bucket=STATE_BUCKET)["Versions"]
    table = deployed.client("dynamodb").describe_table(TableName=BACKEND["dynamodb_table"])["Table"]
    return [
        s3.get_bucket_versioning(Bucket=STATE_BUCKET)["Status"],
        s3.get_bucket_encryption(Bucket=STATE_BUCKET)["ServerSideEncryptionConfiguration"],
        s3.get_public_access_block(Bucket=STATE_BUCKET)["PublicAccessBlockConfiguration"],
        s3.get_bucket_policy(Bucket=STATE_BUCKET)["Policy"],
        s3.get_bucket_lifecycle_configuration(Bucket=STATE_BUCKET)["Rules"],
        [(version["Key"], version["VersionId"], version["ETag"]) for version in versions],
        (table["TableArn"], table["KeySchema"], table["CreationDateTime"]),
    ]
