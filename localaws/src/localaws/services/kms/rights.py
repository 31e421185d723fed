"""Rights to use a KMS key through another service.

AWS: a service that encrypts for a caller asks KMS in the caller's name, with an encryption context that says for what;
key policy, own policies or a grant decide. MiniStack: stores the key's name and asks nobody. Added: the question, for
the caller of the request that is being served, with `kms:ViaService`, the encryption context and
the tags of the key.
"""

import contextvars
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import kms
from ministack.services.tagging import resource_tags

from localaws.core import settings
from localaws.core.patching import wrap

ASKING = ("s3", "secretsmanager")

_caller: contextvars.ContextVar[Any] = contextvars.ContextVar("kms_caller", default=None)


def install() -> None:
    """Learn who calls the services that ask."""
    wrap(iam_evaluator, "enforce", _remember_caller)


def caller() -> Any:
    """Return who made the request that is being served; None for MiniStack itself."""
    return _caller.get()


def may_use(operation: str, key: dict[str, Any], service: str, encrypted_for: dict[str, str]) -> bool:
    """Return True if the caller may do ``operation`` with the key through ``service``, such as ``s3``."""
    who = _caller.get()
    if who is None or who.policies is None:
        return True
    context = iam_evaluator.EvalContext(
        principal_arn=who.arn,
        principal_type=who.type,
        principal_account=who.account,
        action=f"kms:{operation}",
        resource_arn=key["Arn"],
        region=settings.REGION,
        principal_keys=who.keys,
        service_context={
            "kms:viaservice": f"{service}.{settings.REGION}.amazonaws.com",
            "kms:calleraccount": settings.ACCOUNT,
            **{f"kms:encryptioncontext:{name}".lower(): value for name, value in encrypted_for.items()},
            "kms:encryptioncontextkeys": list(encrypted_for),
            **{f"aws:resourcetag/{name}".lower(): value for name, value in (resource_tags(key["Arn"]) or {}).items()},
        },
    )
    own = iam_evaluator.evaluate(context, who.policies, *who.limits)
    decision = iam_evaluator.combine_resource_policy(
        own, context, key.get("Policy") or "", settings.ACCOUNT, required=True, limits=who.limits
    ).decision
    if decision == "ImplicitDeny":
        return any(_grants(grant, who, operation, key, encrypted_for) for grant in kms._grants.values())
    return bool(decision == "Allow")


def _remember_caller(original: Any, access_key_id: str, iam_action: str, service: str, *rest: Any, **named: Any) -> Any:
    decision = original(access_key_id, iam_action, service, *rest, **named)
    if service in ASKING and decision is None:
        principal = iam_evaluator.resolve_principal(access_key_id or "", settings.ACCOUNT)
        _caller.set(None if isinstance(principal, iam_evaluator.AuthError) else principal)
    return decision


def _grants(grant: dict[str, Any], who: Any, operation: str, key: dict[str, Any], context: dict[str, str]) -> bool:
    limits = grant.get("Constraints") or {}
    return bool(
        grant["KeyId"] == key["Arn"]
        and operation in grant["Operations"]
        and iam_evaluator._principal_matches({"AWS": grant["GranteePrincipal"]}, who.arn)
        and limits.get("EncryptionContextEquals", context) == context
        and (limits.get("EncryptionContextSubset") or {}).items() <= context.items()
    )
