import gzip
import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws

PREFIX = "in/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
S3_RIGHTS = {"Action": "s3:*"}


@pytest.fixture(scope="module")
def bucket(aws: LocalAws) -> str:
    aws.client("s3").create_bucket(Bucket="landing")
    return "landing"


def stream(aws: LocalAws, name: str, bucket: str, role: str, **hints: int) -> Any:
    client = aws.client("firehose")
    client.create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "Prefix": PREFIX.replace("in/", f"{name}/"),
            "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
            "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 1, **hints},
            "CompressionFormat": "GZIP",
        },
    )
    return client


def objects(aws: LocalAws, bucket: str, name: str) -> list[tuple[str, bytes]]:
    client = aws.client("s3")
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket, Prefix=f"{name}/").get("Contents", [])]
    return [(key, gzip.decompress(client.get_object(Bucket=bucket, Key=key)["Body"].read())) for key in keys]


@pytest.fixture(scope="module")
def role(aws: LocalAws) -> str:
    return aws.role("deliverer", S3_RIGHTS, services=("firehose.amazonaws.com",))


def test_records_of_a_minute_become_one_gzip_object_with_the_prefix(aws: LocalAws, bucket: str, role: str) -> None:
    client = stream(aws, "buffered", bucket, role)
    client.put_record(DeliveryStreamName="buffered", Record={"Data": b'{"a":1}\n'})
    answer = client.put_record_batch(DeliveryStreamName="buffered", Records=[{"Data": b'{"a":2}\n'}] * 3)
    assert (answer["FailedPutCount"], len(answer["RequestResponses"])) == (0, 3)
    assert objects(aws, bucket, "buffered") == []
    aws.advance(60)
    [(key, content)] = objects(aws, bucket, "buffered")
    assert content == b'{"a":1}\n' + b'{"a":2}\n' * 3
    moment = r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d"
    assert re.fullmatch(rf"buffered/year=\d{{4}}/month=\d\d/day=\d\d/buffered-1-{moment}-[0-9a-f-]{{36}}\.gz", key)
    assert aws.metric("AWS/Firehose", "IncomingRecords", DeliveryStreamName="buffered") == 4
    assert aws.metric("AWS/Firehose", "DeliveryToS3.Records", DeliveryStreamName="buffered") == 4
    freshness = aws.metric("AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum", DeliveryStreamName="buffered")
    assert freshness is not None
    assert 60 <= freshness < 70


def test_a_full_buffer_does_not_wait_for_its_time(aws: LocalAws, bucket: str, role: str) -> None:
    client = stream(aws, "large", bucket, role, IntervalInSeconds=900)
    client.put_record_batch(DeliveryStreamName="large", Records=[{"Data": b"x" * 600_000}] * 3)
    aws.advance(1)
    assert [len(content) for _, content in objects(aws, bucket, "large")] == [600_000, 600_000]


def test_without_rights_the_data_waits_and_arrives_once_they_are_there(aws: LocalAws, bucket: str) -> None:
    role = aws.role("powerless", services=("firehose.amazonaws.com",))
    client = stream(aws, "denied", bucket, role)
    client.put_record(DeliveryStreamName="denied", Record={"Data": b"kept\n"})
    aws.advance(600)
    assert objects(aws, bucket, "denied") == []
    assert aws.metric("AWS/Firehose", "DeliveryToS3.Success", DeliveryStreamName="denied") == 0
    freshness = aws.metric("AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum", DeliveryStreamName="denied")
    assert freshness is not None
    assert freshness >= 540
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **S3_RIGHTS}]}
    aws.client("iam").put_role_policy(RoleName="powerless", PolicyName="own", PolicyDocument=json.dumps(document))
    aws.advance(180)
    assert [content for _, content in objects(aws, bucket, "denied")] == [b"kept\n"]


def test_a_failed_delivery_is_in_the_log_of_the_stream(aws: LocalAws, bucket: str) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/firehose/logged")
    logs.create_log_stream(logGroupName="/firehose/logged", logStreamName="S3")
    role = aws.role("may-log", {"Action": "logs:PutLogEvents"}, services=("firehose.amazonaws.com",))
    client = stream(aws, "logged", bucket, role)
    destination = client.describe_delivery_stream(DeliveryStreamName="logged")["DeliveryStreamDescription"]
    options = {"Enabled": True, "LogGroupName": "/firehose/logged", "LogStreamName": "S3"}
    client.update_destination(
        DeliveryStreamName="logged",
        CurrentDeliveryStreamVersionId=destination["VersionId"],
        DestinationId=destination["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate={"CloudWatchLoggingOptions": options},
    )
    client.put_record(DeliveryStreamName="logged", Record={"Data": b"x"})
    aws.advance(60)
    events = logs.filter_log_events(logGroupName="/firehose/logged")["events"]
    assert json.loads(events[0]["message"])["errorCode"] == "S3.AccessDenied"
    client.delete_delivery_stream(DeliveryStreamName="logged")


def test_an_encrypted_stream_takes_nothing_while_its_key_is_disabled(aws: LocalAws, bucket: str, role: str) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    client = stream(aws, "sealed", bucket, role)
    client.start_delivery_stream_encryption(
        DeliveryStreamName="sealed",
        DeliveryStreamEncryptionConfigurationInput={"KeyARN": key, "KeyType": "CUSTOMER_MANAGED_CMK"},
    )
    client.put_record(DeliveryStreamName="sealed", Record={"Data": b"x"})
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError, match="InvalidKMSResourceException"):
        client.put_record(DeliveryStreamName="sealed", Record={"Data": b"x"})


def test_a_missing_bucket_loses_nothing(aws: LocalAws, role: str) -> None:
    client = stream(aws, "homeless", "not-yet-there", role)
    client.put_record(DeliveryStreamName="homeless", Record={"Data": b"kept\n"})
    aws.advance(120)
    aws.client("s3").create_bucket(Bucket="not-yet-there")
    aws.advance(180)
    assert [content for _, content in objects(aws, "not-yet-there", "homeless")] == [b"kept\n"]


def test_a_role_that_firehose_may_not_assume_delivers_nothing(aws: LocalAws, bucket: str) -> None:
    client = stream(aws, "untrusted", bucket, aws.role("trusts-others", S3_RIGHTS, services=("glue.amazonaws.com",)))
    client.put_record(DeliveryStreamName="untrusted", Record={"Data": b"x"})
    aws.advance(120)
    assert objects(aws, bucket, "untrusted") == []
    client.delete_delivery_stream(DeliveryStreamName="untrusted")


@pytest.fixture(scope="module")
def limited(aws: LocalAws, bucket: str, role: str) -> Any:
    """The client of a stream that takes nothing in these tests."""
    return stream(aws, "limited", bucket, role)


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([{"Data": b"x"}] * 501, "ValidationException"),
        ([{"Data": b"x" * 1_024_001}], "ValidationException"),
        ([{"Data": b"x" * 1_000_000}] * 5, "InvalidArgumentException"),
    ],
)
def test_the_limits_of_a_batch(limited: Any, records: list[Any], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        limited.put_record_batch(DeliveryStreamName="limited", Records=records)


def test_what_would_not_be_done_is_refused(aws: LocalAws, role: str) -> None:
    with pytest.raises(ClientError, match="no DynamicPartitioningConfiguration"):
        aws.client("firehose").create_delivery_stream(
            DeliveryStreamName="partitioned",
            ExtendedS3DestinationConfiguration={
                "RoleARN": role,
                "BucketARN": "arn:aws:s3:::landing",
                "DynamicPartitioningConfiguration": {"Enabled": True},
            },
        )
