"""List and redeliver the messages that a delivery stream could not deliver.

Firehose stores them below the stream's error prefix, one JSON line for each message. Redelivery is at least once: a
crash between sending and recording sends again, and the curated dataset counts the second copy as a duplicate.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lake.core import firehose
from lake.core.errors import LakeError
from lake.core.s3 import Location, Storage, StoredObject
from lake.environment.deployment import Platform
from lake.records import failed_deliveries, json_lines

# The stream's check has looked at the message and refused it; every other code says that the check itself failed.
FAILED_VALIDATION = "Lambda.ProcessingFailedStatus"

logger = logging.getLogger(__name__)


class NotAllSent(LakeError):
    """The stream did not accept all messages; accepted ones are recorded and not sent again."""


@dataclass(frozen=True)
class Stream:
    """A delivery stream and the location of its failed deliveries."""

    name: str
    errors: Location


@dataclass(frozen=True)
class Message:
    """One failed delivery: line ``line`` (from 1) of the error object ``stored``; ``code`` is the reason."""

    stored: StoredObject
    line: int
    arrived_at: datetime
    code: str
    data: bytes

    @property
    def failed_validation(self) -> bool:
        """Return True if the stream's check refused the message; it will do so again unless the check has changed."""
        return self.code == FAILED_VALIDATION


def stream(platform: Platform, pipeline: str | None = None, name: str | None = None) -> Stream:
    """Return a deployed delivery stream, the only one if pipeline or short name is not given; raises NotOne."""
    stream_name = platform.part("streams", name, pipeline)
    answer = platform.client("firehose").describe_delivery_stream(DeliveryStreamName=stream_name)
    destination = answer["DeliveryStreamDescription"]["Destinations"][0]["ExtendedS3DestinationDescription"]
    bucket = destination["BucketARN"].rpartition(":")[2]
    folder = destination["ErrorOutputPrefix"].partition("!{")[0].rpartition("/")[0]
    return Stream(stream_name, Location(bucket, f"{folder}/"))


def waiting(platform: Platform, source: Stream) -> list[Message]:
    """Return the messages that were not redelivered yet, oldest object first.

    What Firehose has not written stays where it is, and a warning says where.
    """
    storage, sent = Storage(platform.client("s3")), _Sent(platform, source)
    found = []
    for stored in storage.list(source.errors):
        done = sent.lines(stored)
        try:
            lines = list(_lines(storage.read(source.errors.bucket, stored.key)))
        except json_lines.Broken as error:
            logger.warning("%s cannot be read (%s); it stays where it is", stored.key, error)
            continue
        messages = [_message(stored, number, line) for number, line in lines]
        if others := [number for (number, _), message in zip(lines, messages, strict=True) if message is None]:
            logger.warning(
                "%s: %d lines are no failed deliveries, first line %d; they stay", stored.key, len(others), others[0]
            )
        found += [message for message in messages if message is not None and message.line not in done]
    return found


def send(platform: Platform, source: Stream, messages: Sequence[Message]) -> int:
    """Redeliver these messages to their stream; returns their number.

    Raises NotAllSent when the stream refuses some; those that it took are recorded and not sent again.
    """
    client, sent = platform.client("firehose"), _Sent(platform, source)
    for batch in firehose.batches(messages, _data):
        left = firehose.put(client, source.name, batch, _data)
        sent.add([message for message in batch if message not in left])
        if left:
            raise NotAllSent(
                f"{source.name} did not take {len(left)} of {len(batch)} messages; repeat the command later"
            )
    return len(messages)


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Number each line that is not empty, as an erased one is; raises Broken for a bad gzip."""
    text = json_lines.unpacked(body, ".gz" if body.startswith(b"\x1f\x8b") else "")
    return ((number, line) for number, line in enumerate(text.split(b"\n"), start=1) if line.strip())


def _message(stored: StoredObject, number: int, line: bytes) -> Message | None:
    """Return the message of a line; None when Firehose has not written the line."""
    try:
        said = failed_deliveries.entry(line)
        arrived = datetime.fromtimestamp(said["arrivalTimestamp"] / 1000, UTC)
        return Message(stored, number, arrived, str(said["errorCode"]), failed_deliveries.message(line))
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None


def _data(message: Message) -> bytes:
    return message.data


class _Sent:
    """The redelivered lines of error objects, one ledger item for each object."""

    def __init__(self, platform: Platform, source: Stream) -> None:
        self._client, self._table = platform.client("dynamodb"), platform.names["ledger"]
        self._stream = source.name

    def lines(self, stored: StoredObject) -> set[int]:
        """Return the lines of the object that have been redelivered."""
        item = self._client.get_item(TableName=self._table, Key=self._key(stored), ConsistentRead=True).get("Item", {})
        return {int(number) for number in item.get("lines", {"NS": []})["NS"]}

    def add(self, messages: Sequence[Message]) -> None:
        """Record that these messages have been redelivered."""
        for stored in {message.stored for message in messages}:
            numbers = [str(message.line) for message in messages if message.stored == stored]
            self._client.update_item(
                TableName=self._table,
                Key=self._key(stored),
                UpdateExpression="ADD #lines :lines",
                ExpressionAttributeNames={"#lines": "lines"},
                ExpressionAttributeValues={":lines": {"NS": numbers}},
            )

    def _key(self, stored: StoredObject) -> dict[str, dict[str, str]]:
        return {
            "pk": {"S": failed_deliveries.partition(self._stream)},
            "sk": {"S": f"redelivered#{stored.key}#{stored.etag}"},
        }
