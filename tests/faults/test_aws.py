"""Faults of AWS: calls that are throttled, denied, lost or answered wrongly while a run works."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from botocore.session import get_session
from pyspark.sql import SparkSession

from lake.contract import model as contract
from lake.core.errors import OutsideWriter, summary_line
from lake.core.s3 import Location, Storage, StoredObject
from lake.operations import job
from lake.operations.refresh import Refresh
from lake.runs.ledger import LEASE, Ledger
from lake.runs.manifest import Manifest, report
from lake.tables.catalog import Catalog
from tests.faults.fault import REPOSITORY, load
from tests.faults.test_static import containing
from tests.local_aws import LocalAws
from tests.place import SECRET, SOURCE, TARGET, Place, lake_of_its_own, line, refresh, weather

PASSING = {fault.id: fault.script["passing"] for fault in load("aws") if "passing" in fault.script}
LASTING = {
    (fault.id, call): answer for fault in load("aws") for call, answer in fault.script.get("lasting", {}).items()
}
ACTIONS = [
    "dynamodb UpdateItem", "s3 ListObjectsV2", "dynamodb Query", "glue GetTable", "s3 GetObject",
    "s3 PutObject", "dynamodb TransactWriteItems", "s3 CopyObject", "dynamodb GetItem", "glue BatchCreatePartition",
]  # fmt: skip


def fault(call: str, answer: str, times: int) -> dict[str, Any]:
    """A fault of localaws: ``s3 PutObject``, ``503 SlowDown``; 0 times is without end."""
    (service, action), (status, code) = call.split(), answer.split()
    answered = {"status": int(status), "code": code, "message": f"not now: {action}"}
    return {"service": service, "action": action, "times": times, **answered}


@pytest.fixture(scope="module")
def shared(aws: LocalAws, spark: SparkSession) -> Iterator[Place]:
    """One lake for all: each case brings an object of its own. Its clients give up after three attempts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_MAX_ATTEMPTS", "3")
        with lake_of_its_own(aws, spark) as place:
            place.put("first.json", line(1, 10.0, "first"))
            place.run()
            yield place


@pytest.fixture(autouse=True)
def no_faults(aws: LocalAws) -> Iterator[None]:
    yield
    aws.break_aws()


def cities(place: Place) -> set[str]:
    """The cities in curated; each case has one."""
    return {city for city, _ in place.temperatures()}


def check_converges(place: Place, before: set[str], city: str) -> None:
    """With the fault gone the next run brings what is missing; the one after it has nothing to do."""
    assert cities(place) in (before, before | {city}), "published in part"
    place.run()
    assert cities(place) == before | {city}
    assert place.run().received == 0
    assert {run["status"] for run in place.runs()} <= {"COMMITTED", "FAILED"}
    assert place.measured("RecordsUnreconciled", "Maximum") == 0


@pytest.mark.parametrize("number", PASSING)
def test_a_passing_fault_is_ridden_out(shared: Place, number: str) -> None:
    before, city = cities(shared), f"{number} passing"
    shared.put(f"{city}.json", line(1, 10.0, city))
    shared.aws.break_aws(*(fault(call, answer, 1) for call, answer in PASSING[number].items()))
    assert shared.run().new == 1
    assert shared.aws.faults() == [], "a fault has hit nothing"
    check_converges(shared, before, city)


@pytest.mark.parametrize(("number", "call"), LASTING)
def test_a_lasting_fault_publishes_nothing_in_part(shared: Place, number: str, call: str) -> None:
    before, city, failed_before = cities(shared), f"{number} lasting", shared.measured("RunsFailed") or 0
    shared.put(f"{city}.json", line(1, 10.0, city))
    shared.aws.break_aws(fault(call, LASTING[number, call], 0))
    with pytest.raises(Exception) as failed:
        shared.run()
    shared.aws.break_aws()
    code = LASTING[number, call].split()[1]
    assert code in summary_line(failed.value)
    assert shared.measured("RunsFailed") == failed_before + 1
    check_converges(shared, before, city)


@pytest.mark.long
def test_w06_whatever_is_denied_nothing_is_published_in_part(shared: Place) -> None:
    before, city = cities(shared), "W06"
    shared.put(f"{city}.json", line(1, 10.0, city))
    for call in ACTIONS:
        shared.aws.break_aws(fault(call, "403 AccessDenied", 0))
        with pytest.raises(Exception) as failed:
            shared.run()
        assert re.search("AccessDenied|403", summary_line(failed.value)), call
        assert call.split()[1].removesuffix("V2") in summary_line(failed.value)
        shared.aws.break_aws()
        shared.clock.shift += LEASE + timedelta(seconds=1)
        assert cities(shared) in (before, before | {city})
    check_converges(shared, before, city)


LOST = [
    ("dynamodb", "UpdateItem"), ("dynamodb", "TransactWriteItems"), ("s3", "CopyObject"),
    ("glue", "BatchCreatePartition"),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("service", "action"), LOST)
def test_w04_an_answer_that_is_lost_is_no_loss(shared: Place, service: str, action: str) -> None:
    before, city = cities(shared), f"W04 {action}"
    lost: list[str] = []

    def lose(**_answer: Any) -> None:
        if not lost:
            lost.append(action)
            raise ConnectionClosedError(endpoint_url="lost")

    shared.put(f"{city}.json", line(1, 10.0, city))
    with pytest.raises(ConnectionClosedError):
        refresh(hooked(shared, service, f"after-call.{service}.{action}", lose), TARGET, SOURCE, weather)
    shared.clock.shift += LEASE + timedelta(seconds=1)
    check_converges(shared, before, city)


def hooked(place: Place, service: str, event: str, hook: Callable[..., None]) -> Any:
    """The lake with a client of one service that calls ``hook`` at an event of botocore."""
    client = place.aws.client(service)
    client.meta.events.register(event, hook)
    lake = place.lake
    if service == "s3":
        return replace(lake, storage=Storage(client))
    if service == "glue":
        return replace(lake, catalog=Catalog(client, place.bucket))
    return replace(lake, ledger=Ledger(client, place.bucket, place.clock))


def test_w05_unfinished_uploads_are_removed_by_a_rule() -> None:
    rules = (REPOSITORY / "terraform/modules/bucket/lifecycle.tf").read_text(encoding="utf-8")
    assert re.search(r"abort_incomplete_multipart_upload {\s+days_after_initiation = 7\s", rules)


def test_w07_with_the_key_disabled_a_run_fails_and_with_it_back_the_next_one_works(place: Place) -> None:
    kms, s3 = place.aws.client("kms"), place.aws.client("s3")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": encryption}]}
    s3.put_bucket_encryption(Bucket=place.bucket, ServerSideEncryptionConfiguration=rules)
    place.put("a.json", line(1, 10.0, "W07"))
    kms.disable_key(KeyId=key)
    with pytest.raises(Exception, match="DisabledException"):
        place.run()
    kms.enable_key(KeyId=key)
    check_converges(place, set(), "W07")


def arguments(place: Place, secret: str) -> list[str]:
    """What Glue would give the job."""
    given = {
        "--reads": "{}", "--writes": "{}", "--staging": f"s3://{place.bucket}/staging/",
        "--metrics_namespace": "test-lake",
        "--time_limit_minutes": "30",
        "--manifests": f"s3://{place.bucket}/ops/", "--database": place.bucket, "--ledger": place.bucket,
        "--pseudonym_key": secret, "--environment": "test", "--code_version": "1",
    }  # fmt: skip
    return [word for pair in given.items() for word in pair]


def test_w08_and_w09_the_key_is_fetched_once_a_run_and_first_of_all(place: Place) -> None:
    secrets = place.aws.client("secretsmanager")
    name = secrets.create_secret(Name=f"{place.bucket}-key", SecretString=SECRET)["ARN"]
    place.aws.break_aws(fault("secretsmanager GetSecretValue", "400 ThrottlingException", 1))
    made = job.Job.from_arguments(arguments(place, name))
    assert place.aws.faults() == []
    later = json.loads(SECRET)["versions"] + [{"version": 2, "valid_from": "2026-01-01T00:00:00Z", "key": "another"}]
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps({"versions": later}))
    assert [key.version for key in made.lake.keys] == [1]
    assert [key.version for key in job.Job.from_arguments(arguments(place, name)).lake.keys] == [1, 2]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        job.Job.from_arguments(arguments(place, f"{name}-gone"))


def test_w10_a_bucket_that_is_not_there_is_named(place: Place) -> None:
    gone = {**place.lake.locations, SOURCE.name: Location("test-lake-gone", "raw/weather/")}
    with pytest.raises(ClientError, match="NoSuchBucket"):
        refresh(replace(place.lake, locations=gone), TARGET, SOURCE, weather)
    assert [(run["status"], "NoSuchBucket" in run["reason"]) for run in place.runs()] == [("FAILED", True)]


def test_w12_credentials_that_expire_are_fetched_anew(place: Place) -> None:
    fetched = []

    def fetch() -> dict[str, str]:
        fetched.append(1)
        expiry = (datetime.now(UTC) + timedelta(seconds=60)).isoformat()
        names = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY"}
        return {
            **{ours: place.aws.environment[theirs] for ours, theirs in names.items()},
            "token": "",
            "expiry_time": expiry,
        }

    session: Any = get_session()
    session._credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, "a test")
    own = boto3.Session(botocore_session=session, region_name=place.aws.environment["AWS_REGION"])
    client = own.client("s3", endpoint_url=place.aws.endpoint)
    place.put("a.json", line(1, 10.0))
    assert refresh(replace(place.lake, storage=Storage(client)), TARGET, SOURCE, weather).new == 1
    assert len(fetched) > 5
    assert containing(r"frozen_credentials|aws_secret_access_key|get_credentials") == []


class Stopped(Exception):
    """Ends a run between prepare and publish."""


class StopsBeforePublish(Storage):
    """Ends the run where its first partition file would be put."""

    def replace(self, bucket: str, source: str, key: str, before: str | None, run_id: str) -> None:
        raise Stopped


def test_w13_a_manifest_that_changed_is_never_published(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    with pytest.raises(Stopped):
        refresh(replace(place.lake, storage=StopsBeforePublish(place.aws.client("s3"))), TARGET, SOURCE, weather)
    (manifest,) = place.lake.storage.list(place.lake.manifests)
    body = place.lake.storage.read(place.bucket, manifest.key)
    place.lake.storage.put(place.bucket, manifest.key, body.replace(b"h", b"H", 1))
    with pytest.raises(OutsideWriter, match="is not the one in the ledger"):
        place.run()
    assert place.rows(TARGET) == []
    place.lake.storage.put(place.bucket, manifest.key, body)
    place.run()
    assert cities(place) == {"Paris"}


def test_w23_a_run_of_10000_objects_is_a_small_item() -> None:
    stored = tuple(
        StoredObject(f"raw/weather/{number:05d}", "e" * 32, 1, datetime.now(UTC)) for number in range(10_000)
    )
    moment = "2026-11-20T00:00:00+00:00"
    manifest = Manifest("run", TARGET.name, Refresh.kind, SOURCE.name, moment, moment, 1, "1", objects=stored)
    assert len(manifest.encoded()) > 400_000
    assert len(json.dumps(report(manifest, "PREPARED", TARGET.domain))) < 4_000


def test_w24_every_read_of_the_ledger_is_consistent(place: Place) -> None:
    reads: list[tuple[str, bool]] = []

    def note(params: dict[str, Any], model: Any, **_more: Any) -> None:
        if model.name in ("GetItem", "Query", "Scan", "BatchGetItem"):
            reads.append((model.name, params.get("ConsistentRead", False)))

    place.put("a.json", line(1, 10.0))
    refresh(hooked(place, "dynamodb", "provide-client-params.dynamodb", note), TARGET, SOURCE, weather)
    assert set(reads) == {("GetItem", True), ("Query", True)}


def test_w36_raw_is_kept_longer_than_old_versions_of_what_is_made_of_it() -> None:
    rules = (REPOSITORY / "terraform/modules/bucket/lifecycle.tf").read_text(encoding="utf-8")
    (days,) = re.findall(r"noncurrent_days = (\d+)", rules)
    raw = {path.stem: contract.read(path).retention_days for path in contract.files() if path.stem.startswith("raw_")}
    assert len(raw) == 2
    assert {name: kept for name, kept in raw.items() if kept <= int(days)} == {}


def test_w38_a_run_that_cannot_be_heard_goes_on(shared: Place, caplog: pytest.LogCaptureFixture) -> None:
    before = cities(shared)
    shared.put("W38.json", line(1, 10.0, "W38"))
    shared.aws.break_aws(fault("monitoring PutMetricData", "403 AccessDenied", 0))
    assert shared.run().new == 1
    assert "the metrics of the run could not be put" in caplog.text
    shared.aws.break_aws()
    check_converges(shared, before, "W38")


def test_w39_an_endpoint_that_does_not_answer_is_an_error_in_bounded_time(shared: Place) -> None:
    before, started = cities(shared), time.monotonic()
    shared.put("W39.json", line(1, 10.0, "W39"))
    unreachable = shared.aws.session.client("glue", endpoint_url="http://127.0.0.1:9")
    lake = replace(shared.lake, catalog=Catalog(unreachable, shared.bucket))
    with pytest.raises(EndpointConnectionError):
        refresh(lake, TARGET, SOURCE, weather)
    assert time.monotonic() - started < 60
    check_converges(shared, before, "W39")
