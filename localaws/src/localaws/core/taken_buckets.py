"""Buckets of other accounts.

AWS: names of buckets are shared with the whole world; a bucket of somebody else answers 403 to everything, and
CreateBucket with its name 409 BucketAlreadyExists. MiniStack: has one account. Added: names that others have, as
patterns of `fnmatch` in `LOCALAWS_TAKEN_BUCKETS`, separated by spaces; none by default.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html.
"""

import fnmatch
import os
from typing import Any

from localaws.core import admission


def refusal(scope: Any, headers: dict[str, str], service: str) -> admission.Refusal | None:
    """The answer for a bucket that somebody else has; None for every other request."""
    bucket, _, key = scope["path"].lstrip("/").partition("/")
    if service != "s3" or not any(fnmatch.fnmatchcase(bucket, pattern) for pattern in _patterns()):
        return None
    if scope["method"] == "PUT" and not key and not scope["query_string"]:
        message = "The requested bucket name is not available."
        return admission.error("s3", headers, b"", 409, "BucketAlreadyExists", message)
    return admission.error("s3", headers, b"", 403, "AccessDenied", "Access Denied")


def _patterns() -> list[str]:
    return os.environ.get("LOCALAWS_TAKEN_BUCKETS", "").split()
