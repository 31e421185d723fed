"""The record of who called what, by action.

AWS: CloudTrail writes down each call with its caller. MiniStack: forgets a request when it has answered. Added: each
request that is judged by policies counts for its caller, its IAM action and its resource, of an object in S3 only the
first folder, whether or not it was allowed. Not kept: time. Calls that MiniStack makes inside, with nobody's rights,
are no calls of anybody.
"""

from typing import Any

from ministack.core import iam_evaluator

from localaws.core import settings
from localaws.core.patching import wrap

# (ARN of the caller, IAM action, resource) => how often.
_made: dict[tuple[str, str, str], int] = {}


def install() -> None:
    """Count every request where it is judged."""
    wrap(iam_evaluator, "enforce", _count)


def made() -> list[dict[str, Any]]:
    """Return the calls so far: `caller`, `action` such as ``s3:GetObject``, `resource`, and `times`."""
    names = ("caller", "action", "resource")
    return [{**dict(zip(names, call, strict=True)), "times": times} for call, times in sorted(_made.items())]


def _count(
    original: Any,
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: Any = None,
) -> Any:
    principal = iam_evaluator.resolve_principal(access_key_id or "", settings.ACCOUNT)
    if not isinstance(principal, iam_evaluator.AuthError) and access_key_id:
        call = (principal.arn, iam_action, _place(resource_arn))
        _made[call] = _made.get(call, 0) + 1
    return original(access_key_id, iam_action, service, region, resource_arn, service_context)


def _place(resource: str) -> str:
    # There is no end to the names of objects.
    if not resource.startswith("arn:aws:s3:::") or resource.count("/") < 2:
        return resource
    return "/".join([*resource.split("/")[:2], "*"])
