"""Firehose into S3.

AWS: collects records until the buffer's size or time is reached, runs them through a function if there is one, writes
one object with the stream's role, and keeps trying for 24 hours when it may not. MiniStack: one object per record, no
GZIP, as nobody; a missing bucket loses the record. Added: the buffers by our clock, GZIP, the role, the retries, the
metrics, the limits of the API. An error answer: other sources, destinations and processors, format conversion, dynamic
partitioning.
"""

import base64
import json
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import firehose, kms

from localaws.core import clock
from localaws.core.patching import replace, wrap
from localaws.services.firehose import processing as firehose_processing
from localaws.services.firehose.buffers import Hints, Lane, Record
from localaws.services.firehose.delivery import EXTENSIONS, deliver, destination, measure

RECORD_BYTES = 1000 * 1024
BATCH_BYTES = 4 * 1024 * 1024
BATCH_RECORDS = 500
NOT_DONE = ("DataFormatConversionConfiguration", "DynamicPartitioningConfiguration")

_logger = logging.getLogger("localaws.firehose")
_buffers: dict[str, "Buffer"] = {}
_flushing = threading.Event()


@dataclass
class Buffer:
    """Accepted records that are not delivered: for the function, for the bucket, for the error prefix."""

    incoming: Lane = field(default_factory=Lane)
    outgoing: Lane = field(default_factory=Lane)
    failed: Lane = field(default_factory=Lane)
    reported: float = 0.0

    @property
    def lanes(self) -> tuple[Lane, Lane, Lane]:
        """All three."""
        return self.incoming, self.outgoing, self.failed

    @property
    def oldest(self) -> float | None:
        """When the oldest record arrived that is still to be delivered as data; None when there is none."""
        return min((lane.records[0].arrival for lane in self.lanes[:2] if lane.records), default=None)


def install() -> None:
    """Take the puts away from MiniStack; streams are still created, described and deleted there."""
    wrap(firehose, "_create_delivery_stream", _refuse_unsupported)
    wrap(firehose, "_update_destination", _refuse_unsupported)
    wrap(firehose, "_delete_delivery_stream", _forget)
    replace(firehose, "_put_record", _put_record)
    replace(firehose, "_put_record_batch", lambda data: _accept(data, data.get("Records") or []))
    clock.subscribe(_deliver_due)


def undelivered() -> dict[str, int]:
    """Return the number of undelivered records of each stream."""
    counts = {arn: sum(len(lane.records) for lane in buffer.lanes) for arn, buffer in _buffers.items()}
    return {arn: count for arn, count in counts.items() if count}


def flush() -> int:
    """Deliver now what waits for its buffer, without letting time pass; returns the records that could not be."""
    _flushing.set()
    try:
        clock.tick()
    finally:
        _flushing.clear()
    return sum(undelivered().values())


def _refuse_unsupported(original: Any, data: dict[str, Any]) -> Any:
    config = data.get("ExtendedS3DestinationConfiguration") or data.get("ExtendedS3DestinationUpdate") or {}
    compression = config.get("CompressionFormat", "UNCOMPRESSED")
    unsupported = [name for name in NOT_DONE if (config.get(name) or {}).get("Enabled")]
    if processing := firehose_processing.unsupported(config):
        unsupported = [processing]
    if data.get("DeliveryStreamType", "DirectPut") != "DirectPut":
        unsupported = [f"source {data['DeliveryStreamType']}"]
    elif not config:
        unsupported = ["destination but extended S3"]
    elif compression not in EXTENSIONS:
        unsupported = [f"compression {compression}"]
    if unsupported:
        return error_response_json("NotImplementedException", f"localaws' Firehose has no {unsupported[0]}", 501)
    return original(data)


def _forget(original: Any, data: dict[str, Any]) -> Any:
    stream = firehose._streams.get(data.get("DeliveryStreamName", ""))
    if stream is not None:
        _buffers.pop(stream["arn"], None)
    return original(data)


def _put_record(data: dict[str, Any]) -> Any:
    answer = _accept(data, [data.get("Record") or {}])
    if answer[0] != 200:
        return answer
    return json_response({**json.loads(answer[2])["RequestResponses"][0], "Encrypted": False})


def _accept(data: dict[str, Any], entries: list[dict[str, Any]]) -> Any:
    stream = firehose._streams.get(data.get("DeliveryStreamName", ""))
    if stream is None:
        return firehose._not_found(data.get("DeliveryStreamName", ""))
    records = [base64.b64decode(entry.get("Data", "")) for entry in entries]
    problem = _broken_limit(records) or _unusable_key(stream)
    if problem:
        return error_response_json(*problem, 400)
    buffer = _buffers.setdefault(stream["arn"], Buffer())
    now, has_function = time.time(), bool(firehose_processing.parameters(destination(stream)))
    accepted = [Record(firehose._record_id(), record, now, now) for record in records]
    (buffer.incoming if has_function else buffer.outgoing).records.extend(accepted)
    measure(stream, "IncomingRecords", len(records))
    measure(stream, "IncomingBytes", sum(map(len, records)), "Bytes")
    answers = [{"RecordId": record.id} for record in accepted]
    return json_response({"FailedPutCount": 0, "Encrypted": False, "RequestResponses": answers})


def _broken_limit(records: list[bytes]) -> tuple[str, str] | None:
    invalid = "1 validation error detected: Value at '{}' must have length less than or equal to {}"
    if not 1 <= len(records) <= BATCH_RECORDS:
        return "ValidationException", invalid.format("records", f"{BATCH_RECORDS} and greater than or equal to 1")
    if any(len(record) > RECORD_BYTES for record in records):
        return "ValidationException", invalid.format("record.data", RECORD_BYTES)
    if sum(map(len, records)) > BATCH_BYTES:
        return "InvalidArgumentException", "Records size exceeds 4 MB limit"
    return None


def _unusable_key(stream: dict[str, Any]) -> tuple[str, str] | None:
    encryption = stream["encryption"] or {}
    if encryption.get("Status") != "ENABLED" or not encryption.get("KeyARN"):
        return None
    key = kms._resolve_key(encryption["KeyARN"])
    if key is not None and kms._check_key_state(key) is None:
        return None
    message = f"Firehose is unable to use the key {encryption['KeyARN']} of stream {stream['name']}"
    return "InvalidKMSResourceException", message


def _deliver_due(moment: datetime) -> None:
    now = moment.timestamp()
    for stream in list(firehose._streams.values()):
        buffer = _buffers.get(stream["arn"])
        if buffer is None:
            continue
        if lost := sum(lane.forget_expired(now) for lane in buffer.lanes):
            _logger.error("stream %s lost %s records after 24 h", stream["name"], lost)
        _process(stream, buffer, now)
        _deliver(stream, buffer, now)
        # The age of the oldest record that waits, once a minute: the metric that shows that delivery is stuck.
        if buffer.oldest is not None and now - buffer.reported >= clock.STEP_SECONDS:
            buffer.reported = now
            measure(stream, "DeliveryToS3.DataFreshness", max(now - buffer.oldest, 0.0), "Seconds")


def _process(stream: dict[str, Any], buffer: Buffer, now: float) -> None:
    if not buffer.incoming.records:
        return
    given = firehose_processing.parameters(destination(stream))
    if not given:  # the function was taken away while they waited for it
        waiting = list(buffer.incoming.records)
        buffer.outgoing.records.extend(waiting)
        buffer.incoming.succeeded(waiting)
        return
    good, bad = firehose_processing.process(
        stream, buffer.incoming, _now_if_asked(firehose_processing.hints(given)), now
    )
    buffer.outgoing.records.extend(good)
    buffer.failed.records.extend(bad)


def _deliver(stream: dict[str, Any], buffer: Buffer, now: float) -> None:
    given = destination(stream).get("BufferingHints") or {}
    hints = _now_if_asked(Hints(given.get("SizeInMBs", 5) * 1024 * 1024, given.get("IntervalInSeconds", 300)))
    deliver(stream, buffer.outgoing, hints, now)
    deliver(stream, buffer.failed, hints, now, firehose_processing.ERROR_TYPE)


def _now_if_asked(hints: Hints) -> Hints:
    return Hints(hints.size, 0) if _flushing.is_set() else hints
