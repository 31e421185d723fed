"""KMS on S3 objects.

AWS: to write an object under a KMS key the caller needs kms:GenerateDataKey on it, to read it kms:Decrypt, by key
policy, own policies or a grant, and the key must be enabled. MiniStack: stores the key's name and asks nobody.
Added: both questions, for the caller of the S3 request, with the encryption context that S3 uses (the bucket, with
a bucket key; else the object). Not checked: keys of SQS queues and of what a user publishes to an encrypted topic.
"""

import contextvars
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import kms, s3

from localaws.core.patching import wrap
from localaws.services.kms import rights

KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"

_written: contextvars.ContextVar[str] = contextvars.ContextVar("s3_written", default="")
_read: contextvars.ContextVar[str] = contextvars.ContextVar("s3_read", default="")


def install() -> None:
    """Learn what is written, and ask KMS on the caller's behalf at every write, read, copy and part."""
    wrap(iam_evaluator, "enforce", _remember_written)
    wrap(s3, "_resolve_sse_write_headers", _check_write)
    wrap(s3, "_get_object", _remember_object)
    wrap(s3, "_check_sse_read_headers", _check_read)
    wrap(s3, "_check_sse_c_copy_source", _check_copy_source)
    wrap(s3, "_check_sse_c_part", _check_part)


def _remember_written(
    original: Any,
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: Any = None,
) -> Any:
    decision = original(access_key_id, iam_action, service, region, resource_arn, service_context)
    if decision is None and iam_action == "s3:PutObject":
        _written.set(resource_arn)
    return decision


def _check_write(original: Any, headers: dict[str, str], bucket_name: str) -> Any:
    stored, error = original(headers, bucket_name)
    if error is None:
        error = _refusal("GenerateDataKey", stored, _written.get() or f"arn:aws:s3:::{bucket_name}/")
    return (None, error) if error else (stored, None)


def _remember_object(original: Any, bucket_name: str, key: str, headers: Any, query_params: Any = None) -> Any:
    token = _read.set(f"arn:aws:s3:::{bucket_name}/{key}")
    try:
        return original(bucket_name, key, headers, query_params)
    finally:
        _read.reset(token)


def _check_read(original: Any, headers: Any, stored: Any) -> Any:
    object_arn = _read.get()  # only a GET reads content; a HEAD comes here too and needs no key
    refusal = _refusal("Decrypt", stored.get("preserved_headers", {}), object_arn) if object_arn else None
    return original(headers, stored) or refusal


def _check_copy_source(original: Any, headers: Any, source: Any) -> Any:
    object_arn = "arn:aws:s3:::" + headers.get("x-amz-copy-source", "").lstrip("/").partition("?")[0]
    return original(headers, source) or _refusal("Decrypt", source.get("preserved_headers", {}), object_arn)


def _check_part(original: Any, headers: Any, upload: Any) -> Any:
    stored, object_arn = upload.get("preserved_headers", {}), _written.get() or "arn:aws:s3:::*"
    refusals = (_refusal(operation, stored, object_arn) for operation in ("GenerateDataKey", "Decrypt"))
    return original(headers, upload) or next(filter(None, refusals), None)


def _refusal(operation: str, stored_headers: dict[str, str], object_arn: str) -> Any:
    """The error answer when the caller may not use the object's key so; None when there is no key or he may."""
    key_id = stored_headers.get(KEY_HEADER)
    if not key_id:
        return None
    key = kms._resolve_key(key_id)
    if key is None:
        return s3._error("KMS.NotFoundException", f"Key '{key_id}' does not exist", 400)
    if key["KeyState"] == "Disabled":
        return s3._error("KMS.DisabledException", f"{key['Arn']} is disabled.", 400)
    if kms._check_key_state(key):
        return s3._error("KMS.KMSInvalidStateException", f"{key['Arn']} is pending deletion.", 400)
    if rights.may_use(operation, key, "s3", {"aws:s3:arn": _encrypted_for(object_arn)}):
        return None
    message = f"User: {rights.caller().arn} is not authorized to perform: kms:{operation} on resource: {key['Arn']}"
    return s3._error("AccessDenied", f"{message} because no key policy, identity policy or grant allows it", 403)


def _encrypted_for(object_arn: str) -> str:
    """S3's encryption context: the bucket's ARN when it uses a bucket key, else the object's."""
    bucket_arn = object_arn.partition("/")[0]
    configuration = s3._bucket_encryption.get(bucket_arn.removeprefix("arn:aws:s3:::")) or b""
    text = configuration.decode() if isinstance(configuration, bytes) else configuration
    return bucket_arn if "<BucketKeyEnabled>true</BucketKeyEnabled>" in text else object_arn
