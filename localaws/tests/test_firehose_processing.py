"""A stream that runs its records through a function: what becomes of each, and of all when the function fails."""

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws

# What the function does with a record is what the record says; with a batch, what its first record says.
CODE = """
import base64, json

def handler(event, context):
    asked = {record["recordId"]: json.loads(base64.b64decode(record["data"])) for record in event["records"]}
    first = next(iter(asked.values()))
    if first.get("raise"):
        raise ValueError("on purpose")
    if "answer" in first:
        return first["answer"]
    print(json.dumps({name: value for name, value in event.items() if name != "records"}))
    answered = []
    for identity, record in asked.items():
        data = base64.b64encode(json.dumps(record).encode() + b"\\n").decode()
        entry = {"recordId": identity, "result": "Ok", "data": data} | record.get("entry", {})
        answered += [entry] * record.get("times", 1)
    return {"records": answered}
"""

INVOKE = {"Action": "lambda:InvokeFunction"}


@pytest.fixture(scope="module")
def bucket(aws: LocalAws) -> str:
    aws.client("s3").create_bucket(Bucket="processed")
    return "processed"


@pytest.fixture(scope="module")
def function(aws: LocalAws) -> str:
    return aws.function("processor", CODE, aws.role("processor", services=("lambda.amazonaws.com",)))


@pytest.fixture(scope="module")
def role(aws: LocalAws) -> str:
    return aws.role("processing", {"Action": "s3:PutObject"}, INVOKE, services=("firehose.amazonaws.com",))


def parameter(name: str, value: str) -> dict[str, str]:
    return {"ParameterName": name, "ParameterValue": value}


def stream(aws: LocalAws, name: str, role: str, function: str, *parameters: dict[str, str]) -> Any:
    client = aws.client("firehose")
    processor = {"Type": "Lambda", "Parameters": [parameter("LambdaArn", function), *parameters]}
    client.create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": "arn:aws:s3:::processed",
            "Prefix": f"{name}/good/!{{timestamp:yyyy}}/",
            "ErrorOutputPrefix": f"{name}/bad/!{{timestamp:yyyy}}/!{{firehose:error-output-type}}/",
            "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 1},
            "ProcessingConfiguration": {"Enabled": True, "Processors": [processor]},
        },
    )
    return client


def put(client: Any, name: str, *records: dict[str, Any]) -> None:
    entries = [{"Data": json.dumps(record).encode()} for record in records]
    client.put_record_batch(DeliveryStreamName=name, Records=entries)


def lines(aws: LocalAws, prefix: str) -> list[Any]:
    client = aws.client("s3")
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="processed", Prefix=prefix).get("Contents", [])]
    bodies = [client.get_object(Bucket="processed", Key=key)["Body"].read() for key in keys]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def metric(aws: LocalAws, name: str, stream_name: str) -> float | None:
    return aws.metric("AWS/Firehose", name, DeliveryStreamName=stream_name)


def test_each_record_goes_where_the_function_says(aws: LocalAws, bucket: str, role: str, function: str) -> None:
    client = stream(aws, "sorted", role, function)
    failed = {"id": 3, "entry": {"result": "ProcessingFailed"}}
    put(client, "sorted", {"id": 1}, {"id": 2, "entry": {"result": "Dropped"}}, failed, {"id": 4})
    aws.advance(60)
    assert lines(aws, "sorted/") == []
    aws.advance(60)
    assert lines(aws, "sorted/good/") == [{"id": 1}, {"id": 4}]
    [line] = lines(aws, "sorted/bad/")
    assert list(line) == [
        "rawData",
        "errorCode",
        "errorMessage",
        "attemptsMade",
        "arrivalTimestamp",
        "attemptEndingTimestamp",
        "lambdaARN",
    ]
    assert json.loads(base64.b64decode(line["rawData"])) == failed
    assert (line["errorCode"], line["attemptsMade"]) == ("Lambda.ProcessingFailedStatus", 1)
    assert 59_000 < line["attemptEndingTimestamp"] - line["arrivalTimestamp"] < 70_000
    [key] = aws.client("s3").list_objects_v2(Bucket="processed", Prefix="sorted/bad/")["Contents"]
    assert key["Key"].split("/")[3] == "processing-failed"
    assert (metric(aws, "SucceedProcessing.Records", "sorted"), metric(aws, "DeliveryToS3.Records", "sorted")) == (3, 2)
    assert metric(aws, "ExecuteProcessing.Success", "sorted") == 1


def test_the_function_gets_the_event_that_firehose_sends(aws: LocalAws, bucket: str, role: str, function: str) -> None:
    put(stream(aws, "shaped", role, function), "shaped", {"id": 1})
    aws.advance(60)
    said = [
        event["message"]
        for event in aws.client("logs").filter_log_events(logGroupName="/aws/lambda/processor")["events"]
    ]
    [event] = [json.loads(message) for message in said if "deliverystream/shaped" in message]
    assert sorted(event) == ["deliveryStreamArn", "invocationId", "region"]
    assert event["region"] == "us-east-1"


@pytest.mark.parametrize(
    ("name", "record", "code"),
    [
        ("twice", {"times": 2}, "Lambda.DuplicatedRecordId"),
        ("never", {"times": 0}, "Lambda.MissingRecordId"),
        ("renamed", {"entry": {"recordId": "x"}}, "Lambda.MissingRecordId"),
        ("unknown-result", {"entry": {"result": "Fine"}}, "Lambda.FunctionError"),
        ("no-data", {"entry": {"data": None}}, "Lambda.InvalidReturnFormat"),
        ("no-base64", {"entry": {"data": "*"}}, "Lambda.FunctionError"),
        ("no-records", {"answer": {}}, "Lambda.MissingRecordId"),
        ("no-object", {"answer": [1]}, "Lambda.MissingRecordId"),
        ("nothing", {"answer": None}, "Lambda.MissingRecordId"),
    ],
)
def test_an_answer_that_is_not_as_it_must_be_fails_at_once(
    aws: LocalAws, bucket: str, role: str, function: str, name: str, record: dict[str, Any], code: str
) -> None:
    put(stream(aws, name, role, function), name, record)
    aws.advance(120)
    assert [(line["errorCode"], line["attemptsMade"]) for line in lines(aws, f"{name}/bad/")] == [(code, 1)]
    assert lines(aws, f"{name}/good/") == []


def test_a_function_that_raises_is_tried_again_then_its_batch_is_given_up(
    aws: LocalAws, bucket: str, role: str, function: str
) -> None:
    client = stream(aws, "raising", role, function, parameter("NumberOfRetries", "2"))
    put(client, "raising", {"raise": True}, {"id": 2})
    aws.advance(120)
    put(client, "raising", {"id": 3})
    assert lines(aws, "raising/") == []
    aws.advance(180)
    given_up = [(line["errorCode"], line["attemptsMade"]) for line in lines(aws, "raising/bad/")]
    assert given_up == [("Lambda.FunctionError", 3)] * 2
    assert lines(aws, "raising/good/") == [{"id": 3}]
    assert metric(aws, "ExecuteProcessing.Success", "raising") == 1


def test_a_role_that_may_not_invoke_says_so_and_loses_nothing(aws: LocalAws, bucket: str, function: str) -> None:
    role = aws.role("not-invoking", {"Action": "s3:PutObject"}, services=("firehose.amazonaws.com",))
    put(stream(aws, "not-invoking", role, function, parameter("NumberOfRetries", "0")), "not-invoking", {"id": 1})
    aws.advance(120)
    [line] = lines(aws, "not-invoking/bad/")
    assert line["errorCode"] == "Lambda.InvokeAccessDenied"
    assert json.loads(base64.b64decode(line["rawData"])) == {"id": 1}


def test_a_flush_processes_and_delivers_without_time(aws: LocalAws, bucket: str, role: str, function: str) -> None:
    put(stream(aws, "flushed", role, function, parameter("BufferIntervalInSeconds", "900")), "flushed", {"id": 1})
    assert aws.flush() == 0
    assert lines(aws, "flushed/good/") == [{"id": 1}]


@pytest.mark.parametrize(
    ("processors", "reason"),
    [
        ([], "one processor, Lambda"),
        ([{"Type": "AppendDelimiterToRecord", "Parameters": []}], "one processor, Lambda"),
        ([{"Type": "Lambda", "Parameters": []}], "no LambdaArn"),
        ([{"Type": "Lambda", "Parameters": [parameter("Delimiter", "x")]}], "Delimiter"),
    ],
)
def test_other_processors_are_refused(aws: LocalAws, role: str, processors: list[Any], reason: str) -> None:
    configuration = {"Enabled": True, "Processors": processors}
    with pytest.raises(ClientError, match=reason):
        aws.client("firehose").create_delivery_stream(
            DeliveryStreamName="refused",
            ExtendedS3DestinationConfiguration={
                "RoleARN": role,
                "BucketARN": "arn:aws:s3:::processed",
                "ProcessingConfiguration": configuration,
            },
        )
