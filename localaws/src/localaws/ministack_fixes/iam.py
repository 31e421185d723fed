"""The input of a request's authorisation: its condition keys and its resource.

AWS: a request carries the condition keys of its action, aws:PrincipalArn of a session is its role, and log events go to
a stream of a group. MiniStack: knows some keys of S3, DynamoDB, Logs and of tags, gives aws:PrincipalArn the session,
takes the group for the resource, and for a path of parameters none.
Added: the role, without which no policy could name it; cloudwatch:namespace of PutMetricData, without which a role that
may put into one namespace could put nothing; of a put into S3 the customer's key (SSE-C), the KMS key and the
conditional headers, without which a bucket policy could neither refuse another key nor demand a condition; the stream
in the resource of log events, without which a policy for all streams of a group would allow none; the path in the
resource of GetParametersByPath, without which only a policy for all resources would allow it; the path of a role, the
policy and the provider that an action of IAM is about, and iam:PermissionsBoundary and iam:PolicyARN, without which no
policy could say who may make which roles.
Superfluous when MiniStack's evaluator has these.
"""

import json
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam

from localaws.core import settings
from localaws.core.patching import wrap

# Headers of a put that are condition keys of the same name after `s3:`; parts of an upload carry none of them.
S3_HEADERS = ("x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-aws-kms-key-id")
# Conditional headers, which the request that completes an upload has too.
S3_CONDITIONS = ("if-match", "if-none-match")
ON_LOG_STREAMS = {"CreateLogStream", "DeleteLogStream", "GetLogEvents", "PutLogEvents"}
# Actions with the condition key iam:PermissionsBoundary: of the request, or of the role as it is.
GIVES_BOUNDARY = {"iam:CreateRole", "iam:PutRolePermissionsBoundary"}
HAS_BOUNDARY = {
    "iam:AttachRolePolicy", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
    "iam:PutRolePolicy",
}  # fmt: skip


def install() -> None:
    """Add to the context in which a request is judged."""
    wrap(iam_actions, "request_tag_context", _add_namespace)
    wrap(iam_actions, "request_tag_context", _add_boundary)
    wrap(iam_actions, "extract_resource_arn", _add_resource)
    wrap(iam_actions, "_s3_object_context", _add_headers)
    wrap(iam_evaluator, "_resolve_condition_key", _name_the_role)


def _name_the_role(original: Any, key: str, context: Any) -> Any:
    if key.lower() != "aws:principalarn" or context.principal_type != "AssumedRole":
        return original(key, context)
    name = iam_evaluator._role_name_from_assumed_arn(context.principal_arn)
    role = iam._roles.get_scoped(context.principal_account, None, name)
    return role["Arn"] if role else original(key, context)


def _add_resource(
    original: Any, service: str, method: str, path: str, headers: dict[str, str], body: bytes, *where: Any
) -> Any:
    resource = original(service, method, path, headers, body, *where)
    if service == "iam":
        return _iam_resource({name: _first(value) for name, value in where[0].items()}) or resource
    if headers.get("x-amz-target", "") == "AmazonSSM.GetParametersByPath":
        region, account = where[-2:]
        return f"arn:aws:ssm:{region}:{account}:parameter/{json.loads(body).get('Path', '').strip('/')}"
    if service != "logs" or headers.get("x-amz-target", "").rpartition(".")[2] not in ON_LOG_STREAMS:
        return resource
    return f"{resource}:log-stream:{json.loads(body).get('logStreamName', '')}"


def _first(value: Any) -> str:
    return str((value[0] if value else "") if isinstance(value, list) else value)


def _iam_resource(asked: dict[str, str]) -> str:
    """The ARN of the role, policy or provider that a request to IAM is about; empty for anything else."""
    base = f"arn:aws:iam::{settings.ACCOUNT}"
    path = asked.get("Path") or "/"
    if name := asked.get("RoleName"):
        role = iam._roles.get_scoped(settings.ACCOUNT, None, name)
        return str(role["Arn"]) if role else f"{base}:role{path}{name}"
    if (name := asked.get("PolicyName")) and asked.get("Action") == "CreatePolicy":
        return f"{base}:policy{path}{name}"
    if url := asked.get("Url"):
        return f"{base}:oidc-provider/{url.removeprefix('https://').rstrip('/')}"
    return asked.get("OpenIDConnectProviderArn", "")


def _add_boundary(original: Any, service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> Any:
    context = original(service, iam_action, body, params)
    if service != "iam":
        return context
    role = iam._roles.get_scoped(settings.ACCOUNT, None, _first(params.get("RoleName", ""))) or {}
    boundary = role.get("PermissionsBoundary") if iam_action in HAS_BOUNDARY else None
    if iam_action in GIVES_BOUNDARY:
        boundary = _first(params.get("PermissionsBoundary", ""))
    found = {"iam:PermissionsBoundary": boundary, "iam:PolicyARN": _first(params.get("PolicyArn", ""))}
    return {**context, **{name: value for name, value in found.items() if value}}


def _add_namespace(original: Any, service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> Any:
    context = original(service, iam_action, body, params)
    if iam_action != "cloudwatch:PutMetricData":
        return context
    # Newer clients speak JSON, older ones the Query protocol, whose parameters are lists.
    asked = json.loads(body) if body[:1] == b"{" else {name: value[0] for name, value in params.items()}
    return {**context, "cloudwatch:namespace": str(asked.get("Namespace", ""))}


def _add_headers(original: Any, iam_action: str, query_params: Any, path: str, headers: dict[str, str]) -> Any:
    context = original(iam_action, query_params, path, headers)
    if iam_action != "s3:PutObject":
        return context
    return {**context, **{f"s3:{name}": headers[name] for name in (*S3_HEADERS, *S3_CONDITIONS) if headers.get(name)}}
