"""Metrics in log events become metrics, as CloudWatch does it."""

import json
import time
from typing import Any

import pytest

from localaws.testing import LocalAws

NAMESPACE = "Embedded"
LINES = 3000
CODE = """
import json, time

def handler(event, context):
    about = {"Namespace": "Embedded", "Dimensions": [["Environment"]], "Metrics": [{"Name": event["name"]}]}
    for number in range(event["lines"]):
        document = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [about]}}
        print(json.dumps({**document, "Environment": "test", event["name"]: number}))
    if event.get("fail"):
        raise ValueError("on purpose")
    return {}
"""


def document(name: str, value: Any, **changes: Any) -> dict[str, Any]:
    """One document of the format with one metric."""
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Environment", "Dataset"], ["Environment"]],
        "Metrics": [{"Name": name, "Unit": "Seconds"}],
    }
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [{**directive, **changes}]}
    return {"_aws": about, "Environment": "test", "Dataset": "orders", name: value}


@pytest.fixture(scope="module")
def say(aws: LocalAws) -> Any:
    """Put log events."""
    client, place = aws.client("logs"), {"logGroupName": "embedded", "logStreamName": "one"}
    client.create_log_group(logGroupName="embedded")
    client.create_log_stream(**place)

    def put(*messages: str) -> None:
        events = [{"timestamp": int(aws.now.timestamp() * 1000), "message": message} for message in messages]
        client.put_log_events(**place, logEvents=events)

    return put


@pytest.fixture(scope="module")
def function(aws: LocalAws) -> str:
    return aws.function("embedding", CODE, aws.role("embedding", services=("lambda.amazonaws.com",)))


def value(aws: LocalAws, name: str, statistic: str = "Maximum", **dimensions: str) -> float | None:
    return aws.metric(NAMESPACE, name, statistic, **dimensions)


def test_a_metric_is_put_under_each_set_of_dimensions_at_its_time(aws: LocalAws, say: Any) -> None:
    said = document("Age", 7.5)
    said["_aws"]["Timestamp"] = 1_700_000_000_000
    say(json.dumps(said))
    assert value(aws, "Age", Environment="test", Dataset="orders") == 7.5
    assert value(aws, "Age", Environment="test") == 7.5
    assert value(aws, "Age", Dataset="orders") is None
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE, MetricName="Age", Dimensions=[{"Name": "Environment", "Value": "test"}], Period=60,
        Statistics=["Sum"], StartTime=1_700_000_000 - 60, EndTime=1_700_000_000 + 60,
    )["Datapoints"]  # fmt: skip
    assert [(point["Sum"], point["Unit"]) for point in points] == [(7.5, "Seconds")]


def test_a_list_is_several_values(aws: LocalAws, say: Any) -> None:
    say(json.dumps(document("Each", [1, 2, 3])))
    found = [value(aws, "Each", statistic, Environment="test") for statistic in ("SampleCount", "Sum", "Maximum")]
    assert found == [3, 6, 3]


BROKEN = [
    {"Namespace": ""},
    {"Metrics": [{"Name": "Missing"}]},
    {"Metrics": [{}]},
    {"Dimensions": [["Nobody"]]},
    {"Dimensions": [["Broken"]]},
]


@pytest.mark.parametrize("changes", BROKEN)
def test_a_document_that_breaks_the_format_gives_nothing_and_harms_nothing(
    aws: LocalAws, say: Any, changes: dict[str, Any]
) -> None:
    say(json.dumps(document("Broken", 1, **changes)), '{"_aws": 1}', '"_aws" in no JSON', '["_aws"]')
    assert value(aws, "Broken", Environment="test") is None
    assert len(aws.client("logs").filter_log_events(logGroupName="embedded", filterPattern="Broken")["events"]) > 0


@pytest.mark.parametrize("given", ["1", True, None, list(range(101))])
def test_what_is_no_number_is_no_metric(aws: LocalAws, say: Any, given: Any) -> None:
    say(json.dumps(document("NoNumber", given)))
    assert value(aws, "NoNumber", Environment="test") is None


@pytest.mark.parametrize("event", [{"name": "Well"}, {"name": "Failed", "fail": True}])
def test_all_that_a_function_logs_counts_when_its_answer_is_there(
    aws: LocalAws, function: str, event: dict[str, Any]
) -> None:
    payload = json.dumps({**event, "lines": LINES}).encode()
    for times in (1, 2):
        aws.client("lambda").invoke(FunctionName=function, Payload=payload)
        assert value(aws, event["name"], "SampleCount", Environment="test") == LINES * times
