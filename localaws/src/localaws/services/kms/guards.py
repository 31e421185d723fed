"""Guard what an unusable KMS key makes unreadable: the environment of a function, the value of a secret.

AWS: a function cannot be started then, which is an error of the invocation and counts neither as one nor as an error of
the function, and an asynchronous event waits; a secret cannot be read or written. MiniStack: does not ask for the key.
Added: both. Not done: on AWS a warm function goes on for a while; who may use the key is not asked.
"""

import json
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import kms, lambda_svc, secretsmanager

from localaws.core.patching import wrap

CANNOT_DECRYPT = "Lambda was unable to decrypt the environment variables because {}."
HOW_TO_MEND = " Please check the function's KMS key settings."
SECRET_FAILURES = {
    "DecryptionFailure": "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
    "EncryptionFailure": "Secrets Manager can't encrypt the protected secret text using the provided KMS key. "
    "Check that the KMS key is available, enabled, and not in an invalid state.",
}


def install() -> None:
    """Ask for the key before a function is started, and before a secret is read or written."""
    wrap(lambda_svc, "_execute_function", _start_if_readable)
    wrap(lambda_svc, "_invoke", _answer_for_unreadable)
    wrap(secretsmanager, "_get_secret_value", _read_if_usable)
    wrap(secretsmanager, "_put_secret_value", _write_if_usable)


def problem(key_id: str) -> tuple[str, str] | None:
    """The exception that a service names when it cannot use a key, and the reason; None when the key is usable."""
    key = kms._resolve_key(key_id)
    if key is None:
        return "KMSNotFoundException", "the KMS key was not found"
    if key["KeyState"] == "Disabled":
        return "KMSDisabledException", "the KMS key used is disabled"
    if key["KeyState"] != "Enabled":
        return "KMSInvalidStateException", "the state of the KMS key used is not valid for Decrypt"
    return None


def _start_if_readable(original: Any, function: dict[str, Any], event: Any) -> Any:
    key_arn = (function.get("config") or function).get("KMSKeyArn")
    found = problem(key_arn) if key_arn else None
    if found is None:
        return original(function, event)
    code, reason = found
    body = {"__type": code, "Type": "User", "message": CANNOT_DECRYPT.format(reason) + HOW_TO_MEND}
    # As with a throttle the function did not run, and an asynchronous event goes back to its queue.
    return {"throttle": True, "error": True, "body": body, "log": ""}


async def _answer_for_unreadable(original: Any, *arguments: Any, **named: Any) -> Any:
    status, headers, body = await original(*arguments, **named)
    code = json.loads(body).get("__type", "") if status == 429 else ""
    return (502, {**headers, "x-amzn-errortype": code}, body) if code.startswith("KMS") else (status, headers, body)


def _read_if_usable(original: Any, data: dict[str, Any]) -> Any:
    return _secret_refusal(data, "DecryptionFailure") or original(data)


def _write_if_usable(original: Any, data: dict[str, Any]) -> Any:
    return _secret_refusal(data, "EncryptionFailure") or original(data)


def _secret_refusal(data: dict[str, Any], code: str) -> Any:
    _, secret = secretsmanager._resolve(data.get("SecretId"))
    key_id = (secret or {}).get("KmsKeyId")
    unusable = key_id and not key_id.startswith("alias/aws/") and problem(key_id)
    return error_response_json(code, SECRET_FAILURES[code], 400) if unusable else None
