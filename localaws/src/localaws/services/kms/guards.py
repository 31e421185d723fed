"""Guard what an unusable KMS key makes unreadable: the environment of a function, the value of a secret.

AWS: a function cannot be started then, which is an error of the invocation and counts neither as one nor as an error of
the function, and an asynchronous event waits; a secret cannot be read or written. Who reads a secret needs kms:Decrypt
on its key, who writes one kms:GenerateDataKey, and who gives it a key both, for a value that is only a trial.
MiniStack: does not ask for the key. Added: all of it, the rights for secrets alone. Not done: on AWS a warm function
goes on for a while; whether a function's role may use the key of its environment is not asked.
"""

import json
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import kms, lambda_svc, secretsmanager

from localaws.core import settings
from localaws.core.patching import wrap
from localaws.services.kms import rights

CANNOT_DECRYPT = "Lambda was unable to decrypt the environment variables because {}."
HOW_TO_MEND = " Please check the function's KMS key settings."
# What the encryption context names as the version when Secrets Manager only tries a key that it is given.
TRIAL = "RequestToValidateKeyAccess"
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
    wrap(secretsmanager, "_create_secret", _create_if_usable)
    wrap(secretsmanager, "_update_secret", _write_with_another_key_if_usable)


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
    return _secret_refusal(data, "DecryptionFailure", "Decrypt") or original(data)


def _write_if_usable(original: Any, data: dict[str, Any]) -> Any:
    return _secret_refusal(data, "EncryptionFailure", "GenerateDataKey") or original(data)


def _create_if_usable(original: Any, data: dict[str, Any]) -> Any:
    arn = f"arn:aws:secretsmanager:{settings.REGION}:{settings.ACCOUNT}:secret:{data.get('Name')}-000000"
    return _trial_refusal(data.get("KmsKeyId"), arn) or original(data)


def _write_with_another_key_if_usable(original: Any, data: dict[str, Any]) -> Any:
    _, secret = secretsmanager._resolve(data.get("SecretId"))
    changed = data.get("KmsKeyId") if secret and data.get("KmsKeyId") != secret.get("KmsKeyId") else None
    return _trial_refusal(changed, secret["ARN"] if secret else "") or original(data)


def _trial_refusal(key_id: str | None, arn: str) -> Any:
    operations = ("GenerateDataKey", "Decrypt")
    return next(filter(None, (_rights_refusal(key_id, one, arn, TRIAL) for one in operations)), None)


def _secret_refusal(data: dict[str, Any], code: str, operation: str) -> Any:
    _, secret = secretsmanager._resolve(data.get("SecretId"))
    key_id = str((secret or {}).get("KmsKeyId") or "")
    if not secret or not _is_own(key_id):
        return None
    if problem(key_id):
        return error_response_json(code, SECRET_FAILURES[code], 400)
    return _rights_refusal(key_id, operation, secret["ARN"], "a-version")


def _rights_refusal(key_id: str | None, operation: str, arn: str, version: str) -> Any:
    key = kms._resolve_key(key_id) if _is_own(key_id) else None
    context = {"SecretARN": arn, "SecretVersionId": version}
    if key is None or rights.may_use(operation, key, "secretsmanager", context):
        return None
    return error_response_json("AccessDeniedException", "Access to KMS is not allowed", 400)


def _is_own(key_id: str | None) -> bool:
    """Return True for a key of the account's, which has a policy; False for AWS's own, which everybody may use."""
    return bool(key_id) and not str(key_id).startswith("alias/aws/")
