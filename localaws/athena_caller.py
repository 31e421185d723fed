"""Who asks: the credentials that signed a query's request. S3 and Glue are asked with them: their policies decide."""

import functools
from typing import Any

from localaws import authentication, settings
from localaws.patching import PatchTargetMissing


def check() -> None:
    """Raise PatchTargetMissing when MiniStack does not say any more whose signature it has checked."""
    from ministack.core import iam_evaluator

    if not hasattr(iam_evaluator, "_verified_key"):
        raise PatchTargetMissing("MiniStack has no iam_evaluator._verified_key, by which a query's caller is known")


def client(service: str, caller: dict[str, str]) -> Any:
    """A boto3 client of the caller. It is kept: to make one costs 100 ms, more than most queries here."""
    return _kept_client(service, tuple(caller.items()))


def credentials() -> dict[str, str]:
    """The environment of whoever signed the request that is served now."""
    from ministack.core import iam_evaluator

    key = iam_evaluator._verified_key.get()
    credential = iam_evaluator.resolve_credential(key, settings.ACCOUNT) if key else None
    if not isinstance(credential, iam_evaluator.ResolvedCredential):
        raise PermissionError("a query needs a caller that signs its request")
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": credential.secret_access_key,
        **({"AWS_SESSION_TOKEN": credential.session_token} if credential.session_token else {}),
        "AWS_ENDPOINT_URL": settings.endpoint(),
        "AWS_REGION": settings.REGION,
    }


@functools.lru_cache(maxsize=32)
def _kept_client(service: str, caller: tuple[tuple[str, str], ...]) -> Any:
    return authentication.client(service, dict(caller))
