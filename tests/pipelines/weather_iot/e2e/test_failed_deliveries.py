"""A message that is no JSON object never reaches raw: it is kept as it came, counted, and somebody is told."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.pipelines.deployment import Deployed

BROKEN = b'{"sensor_id": "sensor-000000000000", "city": '


@dataclass(frozen=True)
class Refusal:
    """What a broken message left behind: lines under the error prefix, new raw objects, e-mails."""

    kept: list[dict[str, Any]]
    raw: set[str]
    subjects: list[str]


@pytest.fixture(scope="module")
def refusal(deployed: Deployed) -> Refusal:
    deployed.wait_until_alarms_are_over()
    deployed.flush()
    raw, mails = set(deployed.objects("raw/iot-sensors/")), len(deployed.mail())
    stream = deployed.pipelines["weather_iot"]["streams"]["iot_firehose"]
    deployed.client("firehose").put_record(DeliveryStreamName=stream, Record={"Data": BROKEN})
    deployed.flush()
    kept = [record for key in deployed.objects("firehose-errors/") for record in deployed.records(key)]
    arrived = set(deployed.objects("raw/iot-sensors/")) - raw
    deployed.advance(60)
    subjects = [mail["subject"] for mail in deployed.mail()[mails:]]
    deployed.wait_until_alarms_are_over()
    return Refusal(kept, arrived, subjects)


def test_the_message_is_kept_as_it_came_and_is_not_in_raw(deployed: Deployed, refusal: Refusal) -> None:
    assert [base64.b64decode(record["rawData"]) for record in refusal.kept] == [BROKEN]
    assert [record["errorCode"] for record in refusal.kept] == ["Lambda.ProcessingFailedStatus"]
    assert refusal.raw == set()
    assert all("/processing-failed/" in key for key in deployed.objects("firehose-errors/"))


def test_somebody_is_told_within_a_minute(refusal: Refusal) -> None:
    assert 'ALARM: "aws-datalake-platform-firehose-refused-records-dev" in US East (N. Virginia)' in refusal.subjects


def test_the_log_of_the_function_says_how_many_and_not_which(deployed: Deployed, refusal: Refusal) -> None:
    name = deployed.pipelines["weather_iot"]["functions"]["stream_validate"]
    pages = deployed.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
    messages = [event["message"] for page in pages for event in page["events"]]
    said = [json.loads(message) for message in messages if '"refused"' in message]
    assert 1 in [entry.get("refused") for entry in said]
    assert "sensor-000000000000" not in "".join(messages)
