"""stream_generate: the same event gives the same readings; only what was refused is sent again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lake.core import firehose
from tests.lambdas import invocation

MOMENT = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)


class Stream:
    """A delivery stream that refuses what ``refuse`` says."""

    def __init__(self, refuse: Callable[[bytes, int], bool] = lambda _record, _call: False) -> None:
        self.calls: list[list[bytes]] = []
        self.taken: list[bytes] = []
        self._refuse = refuse

    def put_record_batch(self, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        batch = [record["Data"] for record in Records]
        self.calls.append(batch)
        refused = [self._refuse(record, len(self.calls)) for record in batch]
        self.taken += [record for record, no in zip(batch, refused, strict=True) if not no]
        responses = [{"ErrorCode": "ServiceUnavailableException"} if no else {"RecordId": "1"} for no in refused]
        return {"FailedPutCount": sum(refused), "RequestResponses": responses}


@pytest.fixture
def generate(function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(firehose, "time", SimpleNamespace(sleep=lambda _seconds: None))
    return function("stream_generate")


def test_the_same_sensor_and_time_give_the_same_reading(generate: ModuleType) -> None:
    first = generate.reading("Paris", 1, MOMENT)
    assert generate.reading("Paris", 1, MOMENT) == first
    assert generate.reading("Paris", 2, MOMENT)["sensor_id"] != first["sensor_id"]
    assert first["timestamp"] == "2026-11-20T13:05:00+00:00"


def test_readings_are_within_what_the_devices_can_say(generate: ModuleType) -> None:
    moments = [MOMENT.replace(hour=hour, minute=minute) for hour in range(24) for minute in range(0, 60, 5)]
    readings = [generate.reading("Paris", number, moment) for number in range(3) for moment in moments]
    assert all(0 <= entry["aqi"] <= 200 and 15 <= entry["battery_level"] <= 100 for entry in readings)
    good = sum(entry["aqi"] <= 50 for entry in readings) / len(readings)
    assert 0.6 < good < 0.8
    assert len({entry["temperature_c"] for entry in readings}) > 50


def test_every_record_is_one_line(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream()
    monkeypatch.setattr(generate.boto3, "client", {"firehose": stream}.__getitem__)
    for name, value in {"FIREHOSE_NAME": "iot", "SENSORS_PER_CITY": "3", "ENVIRONMENT": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CITIES", json.dumps([{"name": "Paris"}, {"name": "Kathmandu"}]))
    assert generate.handler({"time": "2026-11-20T13:05:00Z"}, invocation.context())["records_sent"] == 6
    assert all(record.endswith(b"\n") and record.count(b"\n") == 1 for record in stream.taken)
    assert len({json.loads(record)["sensor_id"] for record in stream.taken}) == 6


def test_batches_stay_within_the_limits_of_the_call(generate: ModuleType) -> None:
    stream = Stream()
    generate.send(stream, "iot", [b"a"] * 1201 + [b"b" * 900_000] * 7)
    assert [len(call) for call in stream.calls] == [500, 500, 205, 3]
    assert all(sum(map(len, call)) <= 4 * 1024 * 1024 for call in stream.calls)


def test_a_record_that_the_stream_would_not_take_goes_to_raw_itself(
    generate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream()
    objects: dict[tuple[str, str], bytes] = {}

    def put_object(**put: Any) -> None:
        if objects.setdefault((put["Bucket"], put["Key"]), put["Body"]) is not put["Body"]:
            answer: Any = {"ResponseMetadata": {"HTTPStatusCode": 412}}
            raise ClientError(answer, "PutObject")

    clients = {"firehose": stream, "s3": SimpleNamespace(put_object=put_object)}
    monkeypatch.setattr(generate.boto3, "client", clients.__getitem__)
    settings = {"FIREHOSE_NAME": "iot", "SENSORS_PER_CITY": "1", "ENVIRONMENT": "test"}
    settings["CITIES"] = json.dumps([{"name": "Paris"}, {"name": "P" * 1000 * 1024}])
    for name, value in {**settings, "WRITES": '{"raw_iot_sensors": "s3://lake/raw/iot/"}'}.items():
        monkeypatch.setenv(name, value)
    for _ in range(2):
        assert generate.handler({"time": "2026-11-20T23:55:00Z"}, invocation.context())["records_sent"] == 2
    assert [json.loads(record)["city"] for record in stream.taken] == ["Paris", "Paris"]
    (((bucket, key), body),) = objects.items()
    assert (bucket, key.rpartition("_")[0]) == ("lake", "raw/iot/year=2026/month=11/day=20/large")
    assert len(json.loads(body)["city"]) == 1000 * 1024
    assert body.endswith(b"\n")


def test_only_refused_records_are_sent_again(generate: ModuleType) -> None:
    stream = Stream(lambda record, call: record == b"2" and call < 3)
    generate.send(stream, "iot", [b"1", b"2", b"3"])
    assert stream.calls == [[b"1", b"2", b"3"], [b"2"], [b"2"]]
    assert sorted(stream.taken) == [b"1", b"2", b"3"]


def test_records_that_are_refused_for_good_are_an_error(generate: ModuleType) -> None:
    stream = Stream(lambda record, _call: record == b"2")
    with pytest.raises(generate.DeliveryFailed, match="1 of 3 records"):
        generate.send(stream, "iot", [b"1", b"2", b"3"])
    assert sorted(stream.taken) == [b"1", b"3"]
