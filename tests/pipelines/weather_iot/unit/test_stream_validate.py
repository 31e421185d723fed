"""stream_validate: one object is one line, anything else is refused as it came, and only numbers are said."""

import base64
import json
import socket
from collections.abc import Callable
from types import ModuleType

import pytest

from lake.contract import model, times
from lake.records import arrow_lines, json_lines
from tests.lambdas import invocation
from tests.metric_catalogue import catalogue

ARN = "arn:aws:firehose:us-east-1:123456789012:deliverystream/iot"
GOOD = b'{"sensor_id": "sensor-1", "city": "Bras\xc3\xadlia"}'


@pytest.fixture
def validate(function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("METRICS_NAMESPACE", "lake")
    return function("stream_validate")


def answers(validate: ModuleType, *messages: bytes) -> list[tuple[str, str, bytes]]:
    """Id, result and data of each answer."""
    records = [{"recordId": str(n), "data": base64.b64encode(data).decode()} for n, data in enumerate(messages)]
    said = validate.handler({"deliveryStreamArn": ARN, "records": records}, invocation.context())
    return [(entry["recordId"], entry["result"], base64.b64decode(entry["data"])) for entry in said["records"]]


@pytest.mark.parametrize("message", [GOOD, GOOD + b"\n", GOOD + b"\r\n\n", b"  " + GOOD])
def test_a_good_message_is_one_line_with_exactly_one_line_end(validate: ModuleType, message: bytes) -> None:
    assert answers(validate, message) == [("0", "Ok", GOOD + b"\n")]


@pytest.mark.parametrize("example", times.EXAMPLES)
def test_times_and_letters_reach_the_reader_as_they_were_sent(validate: ModuleType, example: times.Example) -> None:
    message = json.dumps({"city": "Brasi\u0301lia", "timestamp": example.text}, ensure_ascii=False).encode()
    ((_, result, data),) = answers(validate, message)
    assert (result, data) == ("Ok", message + b"\n")
    columns = model.load("raw_iot_sensors").stored
    (read,) = json_lines.read(data, "raw/x.json", columns)
    (fast,) = arrow_lines.read(data, "raw/x.json", columns)
    assert read.values is not None
    assert read.values == tuple(values.to_pylist()[0] for values in fast.values)
    named = dict(zip((column.name for column in columns), read.values, strict=True))
    assert (named["city"], named["timestamp"]) == ("Bras\u00edlia", example.text)


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
    validate: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [result for _, result, _ in answers(validate, GOOD, b"no", GOOD, b"[]")] == [
        "Ok", "ProcessingFailed", "Ok", "ProcessingFailed",
    ]  # fmt: skip
    (counted,) = invocation.metrics(capsys.readouterr().out)
    dimensions = {"Environment": "test", "DeliveryStreamName": "iot"}
    assert counted == ("lake", "RecordsRefused", dimensions, 2, "Count")
    assert ("lake", "RecordsRefused", frozenset(dimensions)) in catalogue("lake")


def test_a_batch_without_fault_counts_too(validate: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    answers(validate, GOOD)
    assert [counted.value for counted in invocation.metrics(capsys.readouterr().out)] == [0]


def test_no_service_is_called_so_none_can_keep_records_from_raw(
    validate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_address: pytest.fail("the function calls a service"))
    assert "boto3" not in vars(validate)
    assert answers(validate, GOOD) == [("0", "Ok", GOOD + b"\n")]


def test_nothing_of_a_message_is_logged(validate: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    answers(validate, GOOD, GOOD[:-1], b"sensor-2 is no JSON")
    (said,) = caplog.records
    assert (vars(said)["records"], vars(said)["refused"]) == (3, 2)
    assert "sensor-" not in str(vars(said))
    assert base64.b64encode(GOOD).decode() not in str(vars(said))
