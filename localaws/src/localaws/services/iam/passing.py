"""The right to hand a role to a service.

AWS: who gives a function, a job, a stream or a schedule its role needs iam:PassRole on that role, and a policy can say
to which services (iam:PassedToService). MiniStack: does not ask. Added: the question, for what localaws admits.
"""

import contextvars
import json
from collections.abc import Iterator
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam

from localaws.core import settings
from localaws.core.patching import wrap

SERVICES = {
    "lambda:CreateFunction": "lambda.amazonaws.com",
    "lambda:UpdateFunctionConfiguration": "lambda.amazonaws.com",
    "glue:CreateJob": "glue.amazonaws.com",
    "glue:UpdateJob": "glue.amazonaws.com",
    "firehose:CreateDeliveryStream": "firehose.amazonaws.com",
    "firehose:UpdateDestination": "firehose.amazonaws.com",
    "scheduler:CreateSchedule": "scheduler.amazonaws.com",
    "scheduler:UpdateSchedule": "scheduler.amazonaws.com",
    "events:PutTargets": "events.amazonaws.com",
}
NAMES_OF_ROLES = {"Role", "RoleArn", "RoleARN"}

_passed: contextvars.ContextVar[frozenset[str]] = contextvars.ContextVar("passed_roles", default=frozenset())


def install() -> None:
    """Ask after the right to call the action itself."""
    wrap(iam_actions, "request_tag_context", _remember_roles)
    wrap(iam_evaluator, "enforce", _ask)


def _remember_roles(original: Any, service: str, iam_action: str, body: bytes, params: Any) -> Any:
    _passed.set(frozenset(_roles(json.loads(body or b"{}"))) if iam_action in SERVICES else frozenset())
    return original(service, iam_action, body, params)


def _ask(original: Any, access_key_id: str, iam_action: str, service: str, *rest: Any, **named: Any) -> Any:
    refusal = original(access_key_id, iam_action, service, *rest, **named)
    if refusal is not None or iam_action not in SERVICES:
        return refusal
    to = {"iam:passedtoservice": SERVICES[iam_action]}
    asked = (
        original(access_key_id, "iam:PassRole", "iam", settings.REGION, resource_arn=role, service_context=to)
        for role in sorted(_passed.get())
    )
    return next((refusal for refusal in asked if refusal is not None), None)


def _roles(content: Any) -> Iterator[str]:
    """Yield the ARNs of the roles that a request names, wherever they stand in it."""
    if isinstance(content, dict):
        for name, value in content.items():
            if name in NAMES_OF_ROLES and isinstance(value, str):
                yield value if value.startswith("arn:") else _arn(value)
            else:
                yield from _roles(value)
    elif isinstance(content, list):
        for value in content:
            yield from _roles(value)


def _arn(name: str) -> str:
    role = iam._roles.get_scoped(settings.ACCOUNT, None, name)
    return str(role["Arn"]) if role else f"arn:aws:iam::{settings.ACCOUNT}:role/{name}"
