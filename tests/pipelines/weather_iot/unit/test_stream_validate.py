"""stream_validate: one object is one line, anything else is refused as it came, and only numbers are said."""

import base64
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.metric_catalogue import catalogue

ARN = "arn:aws:firehose:us-east-1:123456789012:deliverystream/iot"
GOOD = b'{"sensor_id": "sensor-1", "city": "Bras\xc3\xadlia"}'


class CloudWatch:
    """Keeps what is put, or refuses it."""

    def __init__(self, refuses: bool = False) -> None:
        self.put: list[tuple[str, dict[str, Any]]] = []
        self._refuses = refuses

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803
        if self._refuses:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "later"}}, "PutMetricData")
        self.put += [(Namespace, datum) for datum in MetricData]


@pytest.fixture
def cloudwatch() -> CloudWatch:
    return CloudWatch()


@pytest.fixture
def validate(
    function: Callable[[str], ModuleType], cloudwatch: CloudWatch, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    module = function("stream_validate")
    monkeypatch.setattr(module.boto3, "client", lambda _name: cloudwatch)
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("METRICS_NAMESPACE", "lake")
    return module


def answers(validate: ModuleType, *messages: bytes) -> list[tuple[str, str, bytes]]:
    """Id, result and data of each answer."""
    records = [{"recordId": str(n), "data": base64.b64encode(data).decode()} for n, data in enumerate(messages)]
    said = validate.handler({"deliveryStreamArn": ARN, "records": records}, None)
    return [(entry["recordId"], entry["result"], base64.b64decode(entry["data"])) for entry in said["records"]]


@pytest.mark.parametrize("message", [GOOD, GOOD + b"\n", GOOD + b"\r\n\n", b"  " + GOOD])
def test_a_good_message_is_one_line_with_exactly_one_line_end(validate: ModuleType, message: bytes) -> None:
    assert answers(validate, message) == [("0", "Ok", GOOD + b"\n")]


def test_an_object_over_several_lines_becomes_one_that_says_the_same(validate: ModuleType) -> None:
    spread = json.dumps({"a": {"b": "two\nlines"}, "c": [1.0, None]}, indent=2)
    ((_, result, data),) = answers(validate, spread.replace("\n", "\r\n").encode())
    assert (result, data.count(b"\n"), data.count(b"\r")) == ("Ok", 1, 0)
    assert json.loads(data) == json.loads(spread)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\n",
        b"not json",
        GOOD[:-1],
        GOOD + GOOD,
        GOOD + b"\n" + GOOD,
        b"[" + GOOD + b"]",
        b"null",
        b"12",
        b'{"temperature_c": NaN}',
        b'{"temperature_c": -Infinity}',
        b'{"city": "Bras\xedlia"}',
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        b'{"a":' * 100_000,
    ],
    ids=lambda message: repr(message[:20]),
)
def test_anything_else_is_refused_as_it_came(validate: ModuleType, message: bytes) -> None:
    assert answers(validate, message) == [("0", "ProcessingFailed", message)]


def test_every_record_has_its_own_answer_and_the_refused_are_counted(
    validate: ModuleType, cloudwatch: CloudWatch
) -> None:
    assert [result for _, result, _ in answers(validate, GOOD, b"no", GOOD, b"[]")] == [
        "Ok", "ProcessingFailed", "Ok", "ProcessingFailed",
    ]  # fmt: skip
    ((namespace, datum),) = cloudwatch.put
    dimensions = {entry["Name"]: entry["Value"] for entry in datum["Dimensions"]}
    assert (namespace, datum["MetricName"], datum["Value"]) == ("lake", "RecordsRefused", 2)
    assert dimensions == {"Environment": "test", "DeliveryStreamName": "iot"}
    assert (namespace, datum["MetricName"], frozenset(dimensions)) in catalogue("lake")


def test_a_batch_without_fault_counts_too(validate: ModuleType, cloudwatch: CloudWatch) -> None:
    answers(validate, GOOD)
    assert [datum["Value"] for _, datum in cloudwatch.put] == [0]


def test_a_metric_that_cannot_be_put_does_not_keep_records_from_raw(
    validate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate.boto3, "client", lambda _name: CloudWatch(refuses=True))
    assert answers(validate, GOOD) == [("0", "Ok", GOOD + b"\n")]


def test_nothing_of_a_message_is_logged(validate: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    answers(validate, GOOD, GOOD[:-1], b"sensor-2 is no JSON")
    (said,) = caplog.records
    assert (vars(said)["records"], vars(said)["refused"]) == (3, 2)
    assert "sensor-" not in str(vars(said))
    assert base64.b64encode(GOOD).decode() not in str(vars(said))
