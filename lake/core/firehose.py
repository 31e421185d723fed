"""PutRecordBatch of Firehose: within the limits of a call, and again for the records that the stream refused."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

# Limits of one call.
RECORDS_PER_CALL = 500
BYTES_PER_CALL = 4 * 1024 * 1024
# One record that is larger fails the whole call.
BYTES_PER_RECORD = 1000 * 1024
ATTEMPTS = 5
Message = TypeVar("Message")


def batches(messages: Sequence[Message], data: Callable[[Message], bytes]) -> Iterator[list[Message]]:
    """Yield the messages in batches that one call takes: at most 500 messages and 4 MiB.

    ``data`` returns the bytes of a message. A message above ``BYTES_PER_RECORD`` stands in a batch that Firehose will
    refuse.
    """
    batch: list[Message] = []
    size = 0
    for message in messages:
        length = len(data(message))
        if batch and (len(batch) == RECORDS_PER_CALL or size + length > BYTES_PER_CALL):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield batch


def put(client: Any, stream: str, batch: list[Message], data: Callable[[Message], bytes]) -> list[Message]:
    """Put one batch, up to ``ATTEMPTS`` times; returns the messages that the stream refused each time.

    ``client`` is a boto3 Firehose client, ``stream`` the stream's full name. ``data`` returns the bytes of a message.
    Waits up to a second between attempts. Raises ClientError when Firehose refuses the whole call.
    """
    waiting = batch
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(2**attempt * random.uniform(0.025, 0.05))  # noqa: S311 - spreads load, protects nothing
        records = [{"Data": data(message)} for message in waiting]
        answer = client.put_record_batch(DeliveryStreamName=stream, Records=records)
        results = zip(waiting, answer["RequestResponses"], strict=True)
        waiting = [message for message, result in results if result.get("ErrorCode")]
        if not waiting:
            break
    return waiting
