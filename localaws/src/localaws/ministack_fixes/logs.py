"""The KMS key of a log group that is there already.

AWS: a group gets another key, or none, by AssociateKmsKey and DisassociateKmsKey; the key must be enabled. MiniStack:
takes a key with CreateLogGroup only, and does not know these actions. Superfluous when MiniStack has them.
"""

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import cloudwatch_logs

from localaws.core.patching import wrap
from localaws.services.kms import guards

ACTIONS = ("AssociateKmsKey", "DisassociateKmsKey")


def install() -> None:
    """Serve both actions."""
    wrap(cloudwatch_logs, "handle_request", _serve)


async def _serve(original: Any, method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    return _change_key(json.loads(body)) if action in ACTIONS else await original(method, path, headers, body, query)


def _change_key(asked: dict[str, Any]) -> Any:
    """Give the group the key of the request; without one, none."""
    name = asked.get("logGroupName") or asked.get("resourceIdentifier", "").partition(":log-group:")[2]
    group = cloudwatch_logs._log_groups.get(name.removesuffix(":*"))
    if group is None:
        text = f"The specified log group does not exist: {name}"
        return error_response_json("ResourceNotFoundException", text, 400)
    key_id = asked.get("kmsKeyId")
    if key_id and guards.problem(key_id):
        text = "The specified KMS key does not exist or is not allowed to be used with LogGroup"
        return error_response_json("InvalidParameterException", text, 400)
    group["kmsKeyId"] = key_id
    return json_response({})
