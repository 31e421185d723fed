"""The estimate: AWS's billing steps, prices with a source, and what is not known is not nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import moto
import pytest

from lake.cli.rows import cost_summary
from lake.environment import cost, usage
from lake.environment.cost import GIGABYTE, Usage, Window
from lake.environment.deployment import Platform

END = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEN_DAYS = Window(END - timedelta(days=10), END)
NAMES: dict[str, Any] = {
    "project": "aws-datalake-platform",
    "lake_bucket": "aws-datalake-platform-dev-datalake",
    "results_bucket": "aws-datalake-platform-dev-results",
    "logs_bucket": "aws-datalake-platform-dev-logs",
    "code_bucket": "aws-datalake-platform-dev-code",
    "ledger": "aws-datalake-platform-ledger-dev",
    "workgroup": "primary",
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """An account with buckets, and with keys of ours and of others."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with moto.mock_aws():
        session = boto3.Session(region_name="us-east-1")
        for bucket in ("lake_bucket", "results_bucket", "logs_bucket", "code_bucket"):
            session.client("s3").create_bucket(Bucket=NAMES[bucket])
        for name in ("aws-datalake-platform-datalake-dev", "aws-datalake-platform-datalake-prod", "of-somebody-else"):
            key = session.client("kms").create_key()["KeyMetadata"]["KeyId"]
            session.client("kms").create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
        for body in (b"12345", b"1234567890"):
            session.client("s3").put_object(Bucket=NAMES["lake_bucket"], Key="curated/part", Body=body)
        yield Platform("dev", NAMES, session)


@pytest.mark.parametrize(
    ("worker", "workers", "seconds", "hours"),
    [("G.1X", 2, 5, 1 / 30), ("G.1X", 2, 60, 1 / 30), ("G.1X", 2, 90, 1 / 20), ("G.8X", 1, 3600, 8)],
)  # fmt: skip
def test_a_glue_run_is_billed_a_minute_at_least(worker: str, workers: int, seconds: float, hours: float) -> None:
    assert cost.dpu_hours(worker, workers, seconds) == pytest.approx(hours)


def test_a_worker_of_unknown_size_is_an_error() -> None:
    with pytest.raises(cost.NoPrice, match=r"Z\.9X"):
        cost.dpu_hours("Z.9X", 1, 60)


@pytest.mark.parametrize(
    ("records", "size", "billed"), [(0, 0, 0), (1, 240, 5120), (3, 3 * 5120, 15360), (2, 2 * 5121, 20480)]
)
def test_each_record_of_a_stream_is_rounded_up_to_five_kilobytes(records: int, size: int, billed: int) -> None:
    assert cost.firehose_bytes(records, size) == billed


@pytest.mark.parametrize(("scanned", "megabytes"), [(0, 10), (1, 10), (10 * 1024**2, 10), (10 * 1024**2 + 1, 11)])
def test_a_query_is_billed_ten_megabytes_at_least(scanned: int, megabytes: int) -> None:
    assert cost.athena_bytes(scanned) == megabytes * 1024**2


def test_what_is_used_is_continued_to_a_month_and_what_stands_is_not() -> None:
    found = cost.estimate(
        [Usage("Glue", "", "glue_dpu_hour", 24), Usage("KMS", "", "kms_key", 2, standing=True)], TEN_DAYS
    )
    assert [line.usd_a_month for line in found.lines] == [pytest.approx(24 * 0.44 * 730 / 240), 2.0]
    assert found.usd_a_month == pytest.approx(34.12)
    assert found.headline == "34.12"


def test_minutes_after_the_deployment_are_not_continued_to_a_month_but_taken_for_a_day() -> None:
    found = cost.estimate([Usage("Glue", "", "glue_dpu_hour", 1)], Window(END - timedelta(minutes=3), END))
    assert found.usd_a_month == pytest.approx(0.44 * 730 / 24)
    assert found.headline == "too young to tell"
    assert cost_summary(found)["headline"] == "too young to tell"
    assert "younger than a day" in cost.caveat(found)
    assert "younger" not in cost.caveat(cost.estimate([], TEN_DAYS))


def test_what_is_not_known_stays_in_the_list_and_out_of_the_sum() -> None:
    found = cost.estimate([Usage("DynamoDB", "reads", "dynamodb_read", None, note="why")], TEN_DAYS)
    assert [(line.usd_a_month, line.usage.note) for line in found.lines] == [(None, "why")]
    assert found.usd_a_month == 0


def test_every_price_says_where_it_is_from_and_as_of_when() -> None:
    prices = {name: cost.price(name) for name in cost.book()["prices"]}
    assert [name for name, price in prices.items() if not (price.source and price.as_of and price.usd > 0)] == []
    assert cost.price("lambda_requests").text == "$0.20 per 1,000,000 requests"
    assert cost.price("lambda_compute").text == "$0.0000166667 per GB-second (x86)"
    assert cost.book()["left_out"]


def test_a_thing_without_a_price_is_an_error() -> None:
    with pytest.raises(cost.NoPrice, match="kms_keys"):
        cost.estimate([Usage("KMS", "", "kms_keys", 1)], TEN_DAYS)


def test_only_what_this_environment_has_is_counted(account: Platform) -> None:
    now = datetime.now(UTC)
    usages = usage.measured(account, Window(now - timedelta(days=1), now))
    (keys,) = [found for found in usages if found.price == "kms_key"]
    assert (keys.amount, keys.standing) == (1, True)
    stored = {found.what: found.amount for found in usages if found.price == "s3_storage"}
    assert stored["lake bucket: 1 versions"] == 10 / GIGABYTE


def test_a_service_that_does_not_answer_costs_only_its_own_lines(account: Platform) -> None:
    account.client("s3").delete_bucket(Bucket=NAMES["logs_bucket"])
    now = datetime.now(UTC)
    usages = usage.measured(account, Window(now - timedelta(days=1), now))
    failed = [found for found in usages if found.failed]
    assert [(found.price, found.amount) for found in failed] == [("s3_storage", None), ("s3_put", None)]
    assert "NoSuchBucket" in failed[0].note
    assert [found.amount for found in usages if found.price == "kms_key"] == [1]


def test_secrets_and_logs_are_asked_for_by_the_project_s_name(account: Platform) -> None:
    secrets, logs = account.client("secretsmanager"), account.client("logs")
    for name in ("aws-datalake-platform-key-dev", "aws-datalake-platform-key-prod", "of-somebody-else-dev"):
        secrets.create_secret(Name=name, SecretString="x")
        logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    logs.create_log_group(logGroupName="/aws-glue/aws-datalake-platform-transform-dev/output")
    logs.create_log_group(logGroupName="/aws-glue/jobs/output")
    listed: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_more: Any) -> None:
        listed.append(dict(params))

    for operation in ("secrets-manager.ListSecrets", "cloudwatch-logs.DescribeLogGroups"):
        account.session.events.register(f"before-parameter-build.{operation}", note)
    found = {line.what for line in usage.measured(account, TEN_DAYS)}
    assert {"1 secrets", "2 log groups"} <= found
    assert listed == [
        {"logGroupNamePattern": "aws-datalake-platform-"},
        {"Filters": [{"Key": "name", "Values": ["aws-datalake-platform-"]}]},
    ]
