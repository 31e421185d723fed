"""CopyObject on a condition of its destination.

AWS: ``If-None-Match: *`` wants nothing under the destination's key, ``If-Match`` the ETag of what is there; the answers
are 412 PreconditionFailed, 404 NoSuchKey where ``If-Match`` meets no object, and 409 ConditionalRequestConflict to one
of two writes at once. MiniStack: copies, whatever the condition. Here requests are served one after the other, so that
a 409 comes only as an ordered fault. Superfluous when MiniStack's CopyObject evaluates If-Match and If-None-Match.
"""

import contextvars
from typing import Any

from ministack.services import s3

from localaws.core.patching import wrap

_destination: contextvars.ContextVar[tuple[str, str] | None] = contextvars.ContextVar("copied_to", default=None)


def install() -> None:
    """Evaluate the conditions of a copy's destination where MiniStack evaluates those of its source."""
    wrap(s3, "_copy_object", _remember_destination)
    wrap(s3, "_check_copy_source_preconditions", _check_destination_too)


def _remember_destination(original: Any, bucket_name: str, key: str, headers: dict[str, str]) -> Any:
    token = _destination.set((bucket_name, key))
    try:
        return original(bucket_name, key, headers)
    finally:
        _destination.reset(token)


def _check_destination_too(original: Any, headers: dict[str, str], source: Any) -> Any:
    refusal, destination = original(headers, source), _destination.get()
    if refusal or destination is None:
        return refusal
    bucket_name, key = destination
    return s3._check_put_preconditions(headers, s3._ensure_bucket(bucket_name)["objects"].get(key))
