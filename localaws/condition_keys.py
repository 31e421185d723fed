"""Condition keys of requests.

AWS: a request carries the condition keys of its action. MiniStack: knows those of S3, DynamoDB, Logs and of tags.
Added: cloudwatch:namespace of PutMetricData, without which a role that may put into one namespace could put nothing.
"""

import json
from typing import Any

from ministack.core import iam_actions

from localaws.patching import wrap


def install() -> None:
    """Add to the context in which a request is judged."""
    wrap(iam_actions, "request_tag_context", _add_namespace)


def _add_namespace(original: Any, service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> Any:
    context = original(service, iam_action, body, params)
    if iam_action != "cloudwatch:PutMetricData":
        return context
    # Newer clients speak JSON, older ones the Query protocol, whose parameters are lists.
    asked = json.loads(body) if body[:1] == b"{" else {name: value[0] for name, value in params.items()}
    return {**context, "cloudwatch:namespace": str(asked.get("Namespace", ""))}
