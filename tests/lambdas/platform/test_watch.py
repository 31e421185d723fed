"""watch: ages and states from what is really there; one thing that cannot be measured hides nothing else."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import moto
import pytest
import time_machine

from tests.lambdas import invocation
from tests.metric_catalogue import catalogue

BUCKET = "lake"
PIPELINES = "/lake/test/pipelines"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _it_is_now() -> Iterator[None]:
    """The function and moto read the clock; however long the tests before this one took, it shows NOW."""
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def watch(function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        boto3.client("dynamodb").create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        yield function("watch")


def put(key: str) -> datetime:
    """Store an object; when it was stored."""
    client: Any = boto3.client("s3")
    client.put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    return datetime.fromisoformat(str(client.head_object(Bucket=BUCKET, Key=key)["LastModified"]))


def lock(dataset: str, **moments: datetime) -> None:
    item = {"pk": {"S": f"dataset#{dataset}"}, "sk": {"S": "lock"}, "fencing_token": {"N": "1"}}
    said = {name: {"S": moment.isoformat()} for name, moment in moments.items()}
    boto3.client("dynamodb").put_item(TableName="ledger", Item={**item, **said})


def register(pipeline: str, **datasets: str) -> None:
    """What a pipeline's Terraform leaves for others: URI and freshness of each dataset, here with one that has none."""
    value = {"datasets": {**datasets, "timeless": "s3://lake/raw/t/"}, "freshness": dict.fromkeys(datasets, 900)}
    name = f"{PIPELINES}/{pipeline}"
    boto3.client("ssm").put_parameter(Name=name, Value=json.dumps(value), Type="String", Overwrite=True)


def ago(**age: int) -> datetime:
    return NOW - timedelta(**age)


def raw_freshness(watch: ModuleType, prefix: str, now: datetime) -> Any:
    return watch.raw_freshness(boto3.client("s3"), "raw", f"s3://{BUCKET}/{prefix}", now).value


def test_raw_data_is_as_old_as_the_newest_object_of_the_last_day(watch: ModuleType) -> None:
    put("raw/iot/year=2026/month=11/day=09/late.gz")
    put("raw/iot/year=2026/month=11/day=21/1.gz")
    newest = put("raw/iot/year=2026/month=11/day=21/0.gz")
    put("raw/iot/year=2025/month=12/day=31/old.gz")
    put("raw/other/year=2030/month=01/day=01/x.gz")
    assert raw_freshness(watch, "raw/iot/", newest + timedelta(minutes=20)) == 1200


def test_an_object_under_a_day_to_come_does_not_hide_what_follows(watch: ModuleType) -> None:
    put("raw/weather/date=2099-01-01/by_hand.json")
    newest = put("raw/weather/date=2026-11-21/paris.json")
    assert raw_freshness(watch, "raw/weather/", newest + timedelta(minutes=20)) == 1200


class LastFolder:
    """An S3 client that lists two objects in one folder, the newer one first."""

    def get_paginator(self, _operation: str) -> "LastFolder":
        return self

    def paginate(self, **_listing: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"LastModified": ago(minutes=5)}, {"LastModified": ago(minutes=9)}]}]


def test_in_the_last_day_the_newest_object_counts(watch: ModuleType) -> None:
    assert watch.raw_freshness(LastFolder(), "raw", f"s3://{BUCKET}/raw/iot/", NOW).value == 300


def test_a_correction_of_an_old_day_does_not_make_the_data_fresh(watch: ModuleType) -> None:
    days = [f"raw/weather/date=2026-11-{day}/" for day in (18, 19, 20)]
    newest = [put(f"{day}paris_1.json") for day in days][-1]
    client: Any = boto3.client("s3")
    asked: list[dict[str, str]] = []
    client.meta.events.register("before-parameter-build.s3.ListObjectsV2", lambda params, **_: asked.append(params))
    put("raw/weather/date=2026-11-17/paris_2.json")
    assert watch.raw_freshness(client, "raw", f"s3://{BUCKET}/raw/weather/", newest).value == 0
    assert [call["Prefix"] for call in asked] == ["raw/weather/", *days]


def test_a_dataset_that_has_nothing_yet_has_no_freshness(watch: ModuleType) -> None:
    locks = watch.Locks(boto3.client("dynamodb"), "ledger")
    lock("locked_once", locked_at=ago(minutes=1))
    assert raw_freshness(watch, "raw/iot/", NOW) is None
    assert watch.curated_freshness(locks, "never_locked", NOW).value is None
    assert watch.curated_freshness(locks, "locked_once", NOW).value is None


def test_curated_data_is_as_old_as_the_last_refresh_that_ended_well(watch: ModuleType) -> None:
    lock("readings", completed_at=ago(minutes=50), locked_at=ago(minutes=1))
    locks = watch.Locks(boto3.client("dynamodb"), "ledger")
    assert watch.curated_freshness(locks, "readings", NOW).value == 3000


def test_the_age_of_locks_is_that_of_the_oldest_one_held(watch: ModuleType) -> None:
    locks = watch.Locks(boto3.client("dynamodb"), "ledger")
    lock("free", completed_at=ago(hours=9))
    assert watch.lock_age(locks, ("free", "unknown"), NOW).value == 0
    lock("young", locked_at=ago(minutes=1))
    lock("old", locked_at=ago(hours=3))
    assert watch.lock_age(locks, ("free", "young", "old"), NOW).value == 10800


def test_a_key_counts_when_it_is_disabled_or_to_be_deleted(watch: ModuleType) -> None:
    client: Any = boto3.client("kms")
    good, disabled, doomed = (client.create_key()["KeyMetadata"]["KeyId"] for _ in range(3))
    assert watch.keys_unusable(client, (good, disabled, doomed)).value == 0
    client.disable_key(KeyId=disabled)
    client.schedule_key_deletion(KeyId=doomed, PendingWindowInDays=7)
    assert watch.keys_unusable(client, (good, disabled, doomed)).value == 2


def put_metrics(capsys: pytest.CaptureFixture[str]) -> set[tuple[str, str, float]]:
    """Name, dataset and value of every metric in the function's log; each is in the namespace of the lake."""
    found = set()
    for namespace, name, dimensions, value, unit in invocation.metrics(capsys.readouterr().out):
        assert (namespace, dimensions.pop("Environment")) == ("lake", "test")
        assert unit == ("Seconds" if name in ("Freshness", "LockAge") else "Count")
        found.add((name, dimensions.pop("Dataset", ""), value))
        assert not dimensions
    return found


@pytest.fixture
def environment(watch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The watched things, which a test may change before it calls the handler."""
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("METRICS_NAMESPACE", "lake")
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    lock("readings", completed_at=datetime.now(UTC))
    put("raw/iot/year=2026/month=11/day=21/0.gz")
    register("one", iot=f"s3://{BUCKET}/raw/iot/", readings=f"s3://{BUCKET}/curated/readings/")
    register("two", empty=f"s3://{BUCKET}/raw/empty/")
    topic = boto3.client("sns").create_topic(Name="alerts")["TopicArn"]
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="data-platform@example.com")
    return {"pipelines": PIPELINES, "ledger": "ledger", "topic": topic, "keys": [key]}


def test_one_look_puts_everything_that_there_is(
    watch: ModuleType, environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHED", json.dumps(environment))
    assert watch.handler({}, invocation.context()) == {"metrics": 6, "environment": "test"}
    metrics = put_metrics(capsys)
    ages = {(name, dataset): value for name, dataset, value in metrics if name == "Freshness"}
    assert ages.keys() == {("Freshness", "iot"), ("Freshness", "readings")}
    assert all(0 <= age < 600 for age in ages.values())
    listed = {name for _, name, dimensions in catalogue("lake") if dimensions == {"Environment"}}
    assert {name for name, dataset, _ in metrics if not dataset} == listed
    rest = {entry for entry in metrics if entry[0] != "Freshness"}
    assert rest == {("Heartbeat", "", 1), ("LockAge", "", 0), ("KeysUnusable", "", 0), ("AlertSubscriptions", "", 0)}


@pytest.mark.parametrize(("confirmed", "pending"), [("0", "1"), ("2", "0")])
def test_an_address_counts_when_it_has_confirmed(watch: ModuleType, confirmed: str, pending: str) -> None:
    said = {"SubscriptionsConfirmed": confirmed, "SubscriptionsPending": pending, "SubscriptionsDeleted": "3"}
    client = SimpleNamespace(get_topic_attributes=lambda TopicArn: {"Attributes": said})  # noqa: N803, ARG005 - boto3's
    assert watch.alert_subscriptions(client, "topic").value == int(confirmed)


def test_what_cannot_be_measured_is_an_error_after_the_rest_was_put(
    watch: ModuleType, environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register("one", iot="s3://not-there/raw/iot/", readings=f"s3://{BUCKET}/curated/readings/")
    environment["keys"] = ["arn:aws:kms:us-east-1:123456789012:key/not-there"]
    monkeypatch.setenv("WATCHED", json.dumps(environment))
    with pytest.raises(watch.NotMeasured, match=r"^iot, keys$"):
        watch.handler({}, invocation.context())
    assert {(name, dataset) for name, dataset, _ in put_metrics(capsys)} == {
        ("Heartbeat", ""), ("LockAge", ""), ("Freshness", "readings"), ("AlertSubscriptions", ""),
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["no JSON", "[]", "7", '{"freshness": ["x"], "datasets": {}}', '{"freshness": ["x"], "datasets": {"x": "s3:"}}'],
)
def test_a_pipeline_that_registers_nonsense_is_named_and_keeps_no_other_from_its_metrics(
    watch: ModuleType,
    environment: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    monkeypatch.setenv("WATCHED", json.dumps(environment))
    boto3.client("ssm").put_parameter(Name=f"{PIPELINES}/broken", Value=text, Type="String")
    with pytest.raises(watch.NotMeasured, match=r"^broken$"):
        watch.handler({}, invocation.context())
    found = put_metrics(capsys)
    assert {dataset for name, dataset, _ in found if name == "Freshness"} == {"iot", "readings"}
    assert {name for name, _, _ in found} == {"Heartbeat", "Freshness", "KeysUnusable", "LockAge", "AlertSubscriptions"}


def test_keys_are_measured_although_nobody_says_which_pipelines_there_are(
    watch: ModuleType, environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHED", json.dumps(environment))
    monkeypatch.setattr(watch, "registered", lambda _client, _path: dict[str, str]()["no answer"])
    with pytest.raises(watch.NotMeasured, match=r"^pipelines$"):
        watch.handler({}, invocation.context())
    assert {name for name, _, _ in put_metrics(capsys)} == {
        "Heartbeat",
        "KeysUnusable",
        "LockAge",
        "AlertSubscriptions",
    }
