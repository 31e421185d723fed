"""Firehose into S3.

AWS: collects records until the buffer's size or time is reached, writes one object with the stream's role, and
keeps trying for 24 hours when it may not. MiniStack: one object per record, no GZIP, as nobody; a missing bucket
loses the record. Added: the buffer by our clock, GZIP, the role, the retries, the metrics, the limits of the API.
An error answer: other sources and destinations, Lambda processing, format conversion, dynamic partitioning. Nothing
is therefore ever written under the error prefix.
"""

import base64
import gzip
import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import error_response_json, json_response
from ministack.services import firehose, kms

from localaws import authentication, clock, metrics
from localaws.patching import replace, wrap

SERVICE = "firehose.amazonaws.com"

RECORD_BYTES = 1000 * 1024
BATCH_BYTES = 4 * 1024 * 1024
BATCH_RECORDS = 500
KEPT_SECONDS = 24 * 3600
LONGEST_WAIT_SECONDS = 120
EXTENSIONS = {"GZIP": ".gz", "UNCOMPRESSED": ""}
NOT_DONE = ("ProcessingConfiguration", "DataFormatConversionConfiguration", "DynamicPartitioningConfiguration")

_logger = logging.getLogger("localaws.firehose")
_buffers: dict[str, "Buffer"] = {}
_flushing = threading.Event()


@dataclass
class Buffer:
    """What a stream has accepted and not delivered: (arrival in epoch seconds, data), oldest first."""

    records: list[tuple[float, bytes]] = field(default_factory=list)
    failures: int = 0
    not_before: float = 0.0
    reported: float = 0.0


def install() -> None:
    """Take the puts away from MiniStack; streams are still created, described and deleted there."""
    wrap(firehose, "_create_delivery_stream", _refuse_unsupported)
    wrap(firehose, "_update_destination", _refuse_unsupported)
    wrap(firehose, "_delete_delivery_stream", _forget)
    replace(firehose, "_put_record", _put_record)
    replace(firehose, "_put_record_batch", lambda data: _accept(data, data.get("Records") or []))
    clock.subscribe(_deliver_due)


def undelivered() -> dict[str, int]:
    """How many records each stream holds back at the moment."""
    return {arn: len(buffer.records) for arn, buffer in _buffers.items() if buffer.records}


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
    buffer.records.extend((time.time(), record) for record in records)
    _measure(stream, "IncomingRecords", len(records))
    _measure(stream, "IncomingBytes", sum(map(len, records)), "Bytes")
    answers = [{"RecordId": firehose._record_id()} for _ in records]
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
        if buffer is None or not buffer.records:
            continue
        if lost := sum(now - arrival > KEPT_SECONDS for arrival, _ in list(buffer.records)):
            _logger.error("stream %s lost %s records after 24 h", stream["name"], lost)
            del buffer.records[:lost]
        _deliver_stream(stream, buffer, now)
        # The age of the oldest record that waits, once a minute: the metric that shows that delivery is stuck.
        if buffer.records and now - buffer.reported >= clock.STEP_SECONDS:
            buffer.reported = now
            _measure(stream, "DeliveryToS3.DataFreshness", now - buffer.records[0][0], "Seconds")


def _deliver_stream(stream: dict[str, Any], buffer: Buffer, now: float) -> None:
    config = stream["destinations"][0]["config"]
    hints = config.get("BufferingHints") or {}
    seconds, size = hints.get("IntervalInSeconds", 300), hints.get("SizeInMBs", 5) * 1024 * 1024
    while buffer.records and now >= buffer.not_before:
        count = _fitting(buffer.records, size)
        is_full = count < len(buffer.records) or sum(len(data) for _, data in buffer.records) >= size
        if not is_full and not _flushing.is_set() and now - buffer.records[0][0] < seconds:
            return
        _deliver(stream, config, buffer, count, now)


def _fitting(records: list[tuple[float, bytes]], size: int) -> int:
    total = 0
    for count, (_, data) in enumerate(records):
        total += len(data)
        if total > size and count > 0:
            return count
    return len(records)


def _deliver(stream: dict[str, Any], config: dict[str, Any], buffer: Buffer, count: int, now: float) -> None:
    arrival = buffer.records[0][0]
    body = b"".join(data for _, data in buffer.records[:count])
    content = gzip.compress(body, mtime=0) if config.get("CompressionFormat") == "GZIP" else body
    bucket = config["BucketARN"].removeprefix("arn:aws:s3:::")
    try:
        s3 = authentication.role_client("s3", config["RoleARN"], stream["name"], SERVICE, stream["arn"])
        s3.put_object(Bucket=bucket, Key=_key(stream, config, arrival), Body=content, **_encryption(config))
    except (ClientError, BotoCoreError, PermissionError) as error:
        buffer.failures += 1
        buffer.not_before = now + min(2**buffer.failures, LONGEST_WAIT_SECONDS)
        _logger.warning("stream %s, delivery attempt %s: %s", stream["name"], buffer.failures, error)
        _measure(stream, "DeliveryToS3.Success", 0)
        _log_failure(stream, config, error)
        return
    del buffer.records[:count]
    buffer.failures, buffer.not_before = 0, 0.0
    _measure(stream, "DeliveryToS3.Success", 1)
    _measure(stream, "DeliveryToS3.Records", count)
    _measure(stream, "DeliveryToS3.Bytes", len(body), "Bytes")
    _measure(stream, "DeliveryToS3.DataFreshness", now - arrival, "Seconds")


def _measure(stream: dict[str, Any], metric: str, value: float, unit: str = "Count") -> None:
    metrics.put("AWS/Firehose", metric, {"DeliveryStreamName": stream["name"]}, value, unit)


def _log_failure(stream: dict[str, Any], config: dict[str, Any], error: Exception) -> None:
    """Say why in the stream's log, with the stream's role, if it has one and may."""
    options = config.get("CloudWatchLoggingOptions") or {}
    if not options.get("Enabled"):
        return
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    about = {"deliveryStreamARN": stream["arn"], "destination": config["BucketARN"], "errorCode": f"S3.{code}"}
    event = {"timestamp": int(time.time() * 1000), "message": json.dumps({**about, "message": str(error)})}
    place = {"logGroupName": options["LogGroupName"], "logStreamName": options["LogStreamName"]}
    try:
        logs = authentication.role_client("logs", config["RoleARN"], stream["name"], SERVICE, stream["arn"])
        logs.put_log_events(**place, logEvents=[event])
    except (ClientError, BotoCoreError, PermissionError) as failure:
        _logger.warning("stream %s: log not written: %s", stream["name"], failure)


def _key(stream: dict[str, Any], config: dict[str, Any], arrival: float) -> str:
    """Prefix and name of an object whose oldest record arrived then."""
    moment = datetime.fromtimestamp(arrival, UTC).astimezone(ZoneInfo(config.get("CustomTimeZone") or "UTC"))
    prefix = firehose._evaluate_prefix(config.get("Prefix", ""), moment.timetuple())
    extension = config.get("FileExtension") or EXTENSIONS[config.get("CompressionFormat", "UNCOMPRESSED")]
    return f"{prefix}{stream['name']}-{stream['version']}-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{extension}"


def _encryption(config: dict[str, Any]) -> dict[str, str]:
    key = ((config.get("EncryptionConfiguration") or {}).get("KMSEncryptionConfig") or {}).get("AWSKMSKeyARN")
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
