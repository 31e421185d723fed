"""Audits: who did what with records of persons. An object each, which is created and never replaced.

Who is written about has the right to create audits at most: the bucket lets nobody put below the prefix without
``If-None-Match``, nor delete there. What a run changes is in the ledger besides.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lake.core.s3 import Storage

PREFIX = "ops/audits/"


def write(storage: Storage, bucket: str, dataset: str, action: str, at: datetime, record: Mapping[str, Any]) -> None:
    """Store what was done to ``dataset`` at a time (UTC), with all that ``record`` says, as JSON.

    ``action`` is one word, e.g. ``decrypted``. Raises ClientError when the caller may not.
    """
    key = f"{PREFIX}{dataset}/date={at:%Y-%m-%d}/{at:%H%M%S}-{action}-{uuid.uuid4().hex}.json"
    body = {"dataset": dataset, "action": action, "at": at.isoformat(), **record}
    # The name is new every time, so there is no object that could stay.
    storage.create(bucket, key, json.dumps(body).encode(), "application/json")
