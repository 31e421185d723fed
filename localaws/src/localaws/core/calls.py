"""The record of who called what, by action.

AWS: CloudTrail writes down each call with its caller. MiniStack: forgets a request when it has answered. Added: each
request that is judged by policies counts for its caller and its IAM action, whether or not it was allowed. Not kept:
resource and time. Calls that MiniStack makes inside, with nobody's rights, are no calls of anybody.
"""

from typing import Any

from ministack.core import iam_evaluator

from localaws.core import settings
from localaws.core.patching import wrap

# (ARN of the caller, IAM action) => how often.
_made: dict[tuple[str, str], int] = {}


def install() -> None:
    """Count every request where it is judged."""
    wrap(iam_evaluator, "enforce", _count)


def made() -> list[dict[str, Any]]:
    """Return the calls so far: `caller`, `action` such as ``s3:GetObject``, and `times`."""
    return [{"caller": caller, "action": action, "times": times} for (caller, action), times in sorted(_made.items())]


def _count(original: Any, access_key_id: str, iam_action: str, *arguments: Any, **named: Any) -> Any:
    principal = iam_evaluator.resolve_principal(access_key_id or "", settings.ACCOUNT)
    if not isinstance(principal, iam_evaluator.AuthError) and access_key_id:
        _made[principal.arn, iam_action] = _made.get((principal.arn, iam_action), 0) + 1
    return original(access_key_id, iam_action, *arguments, **named)
