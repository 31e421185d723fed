"""Messages that a delivery stream could not deliver, as Firehose stores them: one JSON line a message."""

import base64
import json


def message(line: bytes) -> bytes:
    """Return the message that was sent, from a line of an error object; raises ValueError when the line is no JSON."""
    return base64.b64decode(json.loads(line)["rawData"])


def partition(stream_name: str) -> str:
    """Return the ledger's partition key for a stream's messages that were sent again, of the kind ``redelivered``."""
    return f"stream#{stream_name}"
