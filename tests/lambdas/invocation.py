"""What Lambda gives to a handler, and what CloudWatch takes from a handler's log."""

import json
from types import SimpleNamespace
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """One metric of one log line in the embedded metric format."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    value: float
    unit: str


def context(remaining_milliseconds: float = 60_000) -> Any:
    """The context object of an invocation that has this much time left."""
    return SimpleNamespace(
        function_name="function",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
        aws_request_id="request",
        get_remaining_time_in_millis=lambda: remaining_milliseconds,
    )


def metrics(log: str) -> list[Metric]:
    """The metrics in a function's standard output; each has one value."""
    documents = [json.loads(line) for line in log.splitlines() if '"_aws"' in line]
    return [
        Metric(directive["Namespace"], each["Name"], {key: said[key] for key in names}, value, each["Unit"])
        for said in documents
        for directive in said["_aws"]["CloudWatchMetrics"]
        for names in directive["Dimensions"]
        for each in directive["Metrics"]
        for value in said[each["Name"]]
    ]
