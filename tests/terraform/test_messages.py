"""Who may send a message: the policies of topic, key and queue, judged as AWS judges them."""

import fnmatch
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.terraform.conftest import Resources
from tests.terraform.test_policies import statements

ACCOUNT = {"aws:SourceAccount": "123456789012"}
STRANGER = {"aws:SourceAccount": "999999999999"}
OVER_TLS, IN_CLEAR = {"aws:SecureTransport": "true"}, {"aws:SecureTransport": "false"}
RULE = {"aws:SourceArn": "arn:aws:events:eu-west-1:123456789012:rule/lake-glue-transform-failures-test"}
ANOTHER_RULE = {"aws:SourceArn": "arn:aws:events:eu-west-1:999999999999:rule/lake-glue-transform-failures-test"}
TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "Bool": str.__eq__,
    "ArnLike": fnmatch.fnmatchcase,
}


def listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


def applies(statement: dict[str, Any], principal: tuple[str, str], action: str, keys: dict[str, str]) -> bool:
    """Whether a statement speaks of this request. A condition on a key that the request lacks does not hold."""
    kind, name = principal
    who = statement["Principal"]
    return (
        (who == "*" or name in listed(who.get(kind, [])))
        and any(fnmatch.fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and all(
            key in keys and any(TESTS[operator](keys[key], wanted) for wanted in listed(expected))
            for operator, tests in statement.get("Condition", {}).items()
            for key, expected in tests.items()
        )
    )


def allows(policy: str, principal: tuple[str, str], action: str, keys: dict[str, str]) -> bool:
    """The decision of a resource's own policy: a deny wins, without an allow nothing is allowed."""
    effects = {s["Effect"] for s in json.loads(policy)["Statement"] if applies(s, principal, action, keys)}
    return effects == {"Allow"}


def service(name: str) -> tuple[str, str]:
    return "Service", f"{name}.amazonaws.com"


ANOTHER_ACCOUNT = ("AWS", "arn:aws:iam::999999999999:root")
TOPIC, KEY, QUEUE = "aws_sns_topic_policy.alerts", "aws_kms_key.alerts", "aws_sqs_queue_policy.dead_letters"


@pytest.mark.parametrize(
    ("resource", "principal", "action", "keys", "expected"),
    [
        (TOPIC, service("cloudwatch"), "sns:Publish", ACCOUNT, True),
        (TOPIC, service("cloudwatch"), "sns:Publish", STRANGER, False),
        (TOPIC, service("events"), "sns:Publish", {}, True),
        (TOPIC, service("s3"), "sns:Publish", ACCOUNT, False),
        (TOPIC, service("cloudwatch"), "sns:Subscribe", ACCOUNT, False),
        (TOPIC, ANOTHER_ACCOUNT, "sns:Publish", {}, False),
        (KEY, service("cloudwatch"), "kms:Decrypt", {}, True),
        (KEY, service("cloudwatch"), "kms:GenerateDataKey", {}, True),
        (KEY, service("events"), "kms:Decrypt", {}, True),
        (KEY, service("events"), "kms:GenerateDataKey", {}, True),
        (KEY, service("events"), "kms:ScheduleKeyDeletion", {}, False),
        (KEY, service("s3"), "kms:Decrypt", {}, False),
        (KEY, ANOTHER_ACCOUNT, "kms:Decrypt", {}, False),
        (QUEUE, service("events"), "sqs:SendMessage", {**RULE, **OVER_TLS}, True),
        (QUEUE, service("events"), "sqs:SendMessage", {**RULE, **IN_CLEAR}, False),
        (QUEUE, service("events"), "sqs:SendMessage", {**ANOTHER_RULE, **OVER_TLS}, False),
        (QUEUE, service("events"), "sqs:ReceiveMessage", {**RULE, **OVER_TLS}, False),
        (QUEUE, service("s3"), "sqs:SendMessage", {**RULE, **OVER_TLS}, False),
        (QUEUE, ANOTHER_ACCOUNT, "sqs:SendMessage", OVER_TLS, False),
    ],
)
def test_services_that_report_are_let_in_and_strangers_are_not(
    platform: Resources, resource: str, principal: tuple[str, str], action: str, keys: dict[str, str], expected: bool
) -> None:
    assert allows(platform[resource]["policy"], principal, action, keys) is expected


def test_schedules_and_functions_send_their_dead_letters_with_their_own_roles(platform: Resources) -> None:
    """The Scheduler and Lambda call the queue as the role, so the queue's policy need not know them."""
    queue = platform["aws_sqs_queue.dead_letters"]["arn"]
    kinds = {"aws_scheduler_schedule": "{name}-schedule", "aws_lambda_function": "{function_name}"}
    for values in platform.values():
        if values["resource_type"] in kinds:
            role = kinds[values["resource_type"]].format(**values)
            (send,) = (granted for granted in statements(platform, role) if granted["Sid"] == "SendDeadLetters")
            assert (send["Action"], send["Resource"]) == (["sqs:SendMessage"], [queue]), role
