"""The input of a request's authorisation: its condition keys and its resource.

AWS: a request carries the condition keys of its action; log events go to a stream of a group. MiniStack: knows the keys
of S3, DynamoDB, Logs and of tags, and takes the group for the resource, and for a path of
parameters none. Added: cloudwatch:namespace of PutMetricData,
without which a role that may put into one namespace could put nothing; the stream in the resource of log events,
without which a policy for all streams of a group would allow none; the path in the resource of GetParametersByPath,
without which only a policy for all resources would allow it. Superfluous when MiniStack's evaluator has these.
"""

import json
from typing import Any

from ministack.core import iam_actions

from localaws.core.patching import wrap

ON_LOG_STREAMS = {"CreateLogStream", "DeleteLogStream", "GetLogEvents", "PutLogEvents"}


def install() -> None:
    """Add to the context in which a request is judged."""
    wrap(iam_actions, "request_tag_context", _add_namespace)
    wrap(iam_actions, "extract_resource_arn", _add_resource)


def _add_resource(
    original: Any, service: str, method: str, path: str, headers: dict[str, str], body: bytes, *where: Any
) -> Any:
    resource = original(service, method, path, headers, body, *where)
    if headers.get("x-amz-target", "") == "AmazonSSM.GetParametersByPath":
        region, account = where[-2:]
        return f"arn:aws:ssm:{region}:{account}:parameter/{json.loads(body).get('Path', '').strip('/')}"
    if service != "logs" or headers.get("x-amz-target", "").rpartition(".")[2] not in ON_LOG_STREAMS:
        return resource
    return f"{resource}:log-stream:{json.loads(body).get('logStreamName', '')}"


def _add_namespace(original: Any, service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> Any:
    context = original(service, iam_action, body, params)
    if iam_action != "cloudwatch:PutMetricData":
        return context
    # Newer clients speak JSON, older ones the Query protocol, whose parameters are lists.
    asked = json.loads(body) if body[:1] == b"{" else {name: value[0] for name, value in params.items()}
    return {**context, "cloudwatch:namespace": str(asked.get("Namespace", ""))}
