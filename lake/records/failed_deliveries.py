"""Messages that a delivery stream could not deliver, as Firehose stores them: one JSON line a message."""

import base64
from collections.abc import Mapping
from typing import Any

from lake.core import strict_json


def entry(line: bytes) -> Mapping[str, Any]:
    """Return what Firehose has written of a message; raises ValueError for a line that Firehose has not written."""
    found = strict_json.loads(line)
    if not isinstance(found, dict) or not isinstance(found.get("rawData"), str):
        raise ValueError("a failed delivery is a JSON object with rawData")
    return found


def message(line: bytes) -> bytes:
    """Return the message that was sent, from a line of an error object; raises ValueError as ``entry``."""
    return base64.b64decode(entry(line)["rawData"])


def partition(stream_name: str) -> str:
    """Return the ledger's partition key for a stream's messages that were sent again, of the kind ``redelivered``."""
    return f"stream#{stream_name}"
