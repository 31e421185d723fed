"""A contract that breaks the deployed one is refused before Terraform changes anything."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lake.contract import model
from lake.environment.deployment import Platform
from scripts import contract_guard
from scripts.terraform import Request, Terraform, TerraformError, check_contracts, perform

NAME = "curated_weather"
BUCKET = "lake"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An account without a platform, and a bucket."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


def deploy(client: Any, **texts: str) -> None:
    """Deploy a platform with these contracts, by name."""
    names = json.dumps({"lake_bucket": BUCKET})
    boto3.client("ssm").put_parameter(Name="/lake/aws-datalake-platform/dev", Value=names, Type="String")
    for name, text in texts.items():
        client.put_object(Bucket=BUCKET, Key=f"contracts/weather_iot/{name}.yaml", Body=text)


class Denied:
    """An S3 client that may do nothing."""

    def get_paginator(self, _operation: str) -> "Denied":
        return self

    def paginate(self, **_listing: str) -> list[dict[str, Any]]:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")


def text(name: str) -> str:
    (file,) = [path for path in model.files() if path.stem == name]
    return file.read_text(encoding="utf-8")


def test_without_a_platform_or_deployed_contracts_there_is_nothing_to_break(bucket: Any) -> None:
    assert contract_guard.breaking_changes("dev") == []
    deploy(bucket)
    assert contract_guard.breaking_changes("dev") == []


def test_a_column_that_is_deployed_and_not_here_is_refused_before_terraform_runs(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = "      - {name: snow_cm, logicalType: number, physicalType: double, description: Snow.}\n"
    before, properties, after = text(NAME).partition("    properties:\n")
    deploy(bucket, **{NAME: before + properties + column + after})
    (sentence,) = contract_guard.breaking_changes("dev")
    assert sentence.startswith(
        "curated_weather 1.0.0 -> 1.0.0: column snow_cm is gone. This breaks: curated_city_hours, an"
    )
    ran: list[str] = []
    monkeypatch.setattr(Terraform, "connect", lambda _self: None)
    monkeypatch.setattr(Terraform, "run", lambda _self, action, *_options: ran.append(action))
    for action in ("plan", "apply"):
        with pytest.raises(TerraformError, match=r"nothing was changed\ncurated_weather .*snow_cm is gone"):
            perform(Request(action, "dev", ["platform", "weather_iot"]))
    assert ran == []


def test_a_bucket_that_is_not_there_yet_holds_no_contract(bucket: Any) -> None:
    deploy(bucket)
    bucket.delete_bucket(Bucket=BUCKET)
    assert contract_guard.breaking_changes("dev") == []


def test_contracts_that_cannot_be_read_stop_the_apply(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(bucket)
    monkeypatch.setattr(Platform, "client", lambda _self, _service: Denied())
    with pytest.raises(TerraformError, match=r"could not be compared with those deployed: .*AccessDenied"):
        check_contracts("dev")
