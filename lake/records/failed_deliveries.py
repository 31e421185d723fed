"""Messages that a delivery stream could not deliver, as Firehose stores them: one JSON line a message."""

import base64
import json


def message(line: bytes) -> bytes:
    """What was sent, of a line of an error object."""
    return base64.b64decode(json.loads(line)["rawData"])


def partition(stream_name: str) -> str:
    """Under what the ledger keeps which messages of a stream were sent again; ``refused`` is the kind of its items."""
    return f"stream#{stream_name}"
