"""KMS on S3 objects.

AWS: to write an object under a KMS key the caller needs kms:GenerateDataKey on it, to read it kms:Decrypt, by key
policy, own policies or a grant, and the key must be enabled. MiniStack: stores the key's name and asks nobody.
Added: both questions, for the caller of the S3 request, with the encryption context that S3 uses (the bucket, with
a bucket key; else the object). Not checked: keys of SQS queues and of what a user publishes to an encrypted SNS
topic.
"""

import contextvars
from typing import Any

from localaws import authentication, settings
from localaws.patching import replace

KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"

_caller: contextvars.ContextVar[Any] = contextvars.ContextVar("s3_caller", default=None)
_resources: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("s3_resources", default=None)
_reading: contextvars.ContextVar[str | None] = contextvars.ContextVar("s3_reading", default=None)


def install() -> None:
    """Learn who calls S3, and ask KMS on his behalf at every write, read, copy and part."""
    from ministack.core import iam_evaluator
    from ministack.services import s3

    replace(iam_evaluator, "enforce", _remember_caller)
    replace(s3, "_resolve_sse_write_headers", _check_write)
    replace(s3, "_get_object", _remember_object)
    replace(s3, "_check_sse_read_headers", _check_read)
    replace(s3, "_check_sse_c_copy_source", _check_copy_source)
    replace(s3, "_check_sse_c_part", _check_part)


def why_service_cannot_use_topic_key(topic_arn: str, service: str, source_arn: str) -> str | None:
    """Why a service cannot use the key of an encrypted SNS topic to publish to it; None when it can."""
    from ministack.services import kms, sns

    topic = sns._topic_by_arn_any_scope(topic_arn)
    key_id = ((topic or {}).get("attributes") or {}).get("KmsMasterKeyId")
    if not key_id:
        return None
    if key_id == "alias/aws/sns":
        return f"{service} cannot use alias/aws/sns, the key of {topic_arn}; the topic needs a key with a policy"
    key = kms._resolve_key(key_id)
    if key is None or kms._check_key_state(key):
        return f"the key {key_id} of {topic_arn} is not usable"
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        if not authentication.service_allowed(key["Policy"], service, action, key["Arn"], source_arn):
            return f"the policy of {key['Arn']}, the key of {topic_arn}, does not let {service} do {action}"
    return None


def _remember_caller(original: Any) -> Any:
    from ministack.core import iam_evaluator

    def enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: Any = None,
    ) -> Any:
        decision = original(access_key_id, iam_action, service, region, resource_arn, service_context)
        if service == "s3" and decision is None:
            principal = iam_evaluator.resolve_principal(access_key_id or "", settings.ACCOUNT)
            _caller.set(None if isinstance(principal, iam_evaluator.AuthError) else principal)
            _resources.set({**(_resources.get() or {}), iam_action: resource_arn})
        return decision

    return enforce


def _check_write(original: Any) -> Any:
    def resolve_sse_write_headers(headers: dict[str, str], bucket_name: str) -> Any:
        stored, error = original(headers, bucket_name)
        if error is None:
            object_arn = (_resources.get() or {}).get("s3:PutObject", f"arn:aws:s3:::{bucket_name}/")
            error = _refusal("GenerateDataKey", stored, object_arn)
        return (None, error) if error else (stored, None)

    return resolve_sse_write_headers


def _remember_object(original: Any) -> Any:
    def get_object(bucket_name: str, key: str, headers: Any, query_params: Any = None) -> Any:
        token = _reading.set(f"arn:aws:s3:::{bucket_name}/{key}")
        try:
            return original(bucket_name, key, headers, query_params)
        finally:
            _reading.reset(token)

    return get_object


def _check_read(original: Any) -> Any:
    def check_sse_read_headers(headers: Any, obj: Any) -> Any:
        object_arn = _reading.get()  # only a GET reads content; a HEAD comes here too and needs no key
        refusal = _refusal("Decrypt", obj.get("preserved_headers", {}), object_arn) if object_arn else None
        return original(headers, obj) or refusal

    return check_sse_read_headers


def _check_copy_source(original: Any) -> Any:
    def check_sse_c_copy_source(headers: Any, src_obj: Any) -> Any:
        object_arn = "arn:aws:s3:::" + headers.get("x-amz-copy-source", "").lstrip("/").partition("?")[0]
        return original(headers, src_obj) or _refusal("Decrypt", src_obj.get("preserved_headers", {}), object_arn)

    return check_sse_c_copy_source


def _check_part(original: Any) -> Any:
    def check_sse_c_part(headers: Any, upload: Any) -> Any:
        stored = upload.get("preserved_headers", {})
        object_arn = (_resources.get() or {}).get("s3:PutObject", "arn:aws:s3:::*")
        return (
            original(headers, upload)
            or _refusal("GenerateDataKey", stored, object_arn)
            or _refusal("Decrypt", stored, object_arn)
        )

    return check_sse_c_part


def _refusal(operation: str, stored_headers: dict[str, str], object_arn: str) -> Any:
    """The error answer when the caller may not use the object's key so; None when there is no key or he may."""
    from ministack.services import kms, s3

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
    caller = _caller.get()
    if caller is None or caller.policies is None or _may_use(caller, f"kms:{operation}", key, object_arn):
        return None
    message = f"User: {caller.arn} is not authorized to perform: kms:{operation} on resource: {key['Arn']}"
    return s3._error("AccessDenied", f"{message} because no key policy, identity policy or grant allows it", 403)


def _may_use(caller: Any, action: str, key: dict[str, Any], object_arn: str) -> bool:
    from ministack.core.iam_evaluator import EvalContext, combine_resource_policy, evaluate

    encryption_context = {"aws:s3:arn": _encrypted_for(object_arn)}
    context = EvalContext(
        principal_arn=caller.arn,
        principal_type=caller.type,
        principal_account=caller.account,
        action=action,
        resource_arn=key["Arn"],
        region=settings.REGION,
        principal_keys=caller.keys,
        service_context={
            "kms:viaservice": f"s3.{settings.REGION}.amazonaws.com",
            "kms:calleraccount": settings.ACCOUNT,
            "kms:encryptioncontext:aws:s3:arn": encryption_context["aws:s3:arn"],
            "kms:encryptioncontextkeys": ["aws:s3:arn"],
        },
    )
    own = evaluate(context, caller.policies, *caller.limits)
    policy = key.get("Policy") or ""
    decision = combine_resource_policy(own, context, policy, settings.ACCOUNT, required=True, limits=caller.limits)
    if decision.decision == "ImplicitDeny":
        return _granted(caller, action.removeprefix("kms:"), key, encryption_context)
    return bool(decision.decision == "Allow")


def _granted(caller: Any, operation: str, key: dict[str, Any], encryption_context: dict[str, str]) -> bool:
    from ministack.core.iam_evaluator import _principal_matches
    from ministack.services import kms

    for grant in kms._grants.values():
        limits = grant.get("Constraints") or {}
        equals, subset = limits.get("EncryptionContextEquals"), limits.get("EncryptionContextSubset") or {}
        if (
            grant["KeyId"] == key["Arn"]
            and operation in grant["Operations"]
            and _principal_matches({"AWS": grant["GranteePrincipal"]}, caller.arn)
            and (equals is None or equals == encryption_context)
            and subset.items() <= encryption_context.items()
        ):
            return True
    return False


def _encrypted_for(object_arn: str) -> str:
    """S3's encryption context: the bucket's ARN when it uses a bucket key, else the object's."""
    from ministack.services import s3

    bucket_arn = object_arn.partition("/")[0]
    settings_xml = s3._bucket_encryption.get(bucket_arn.removeprefix("arn:aws:s3:::")) or b""
    text = settings_xml.decode() if isinstance(settings_xml, bytes) else settings_xml
    return bucket_arn if "<BucketKeyEnabled>true</BucketKeyEnabled>" in text else object_arn
