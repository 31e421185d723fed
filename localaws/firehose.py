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

from localaws import authentication, clock, metrics, settings
from localaws.patching import replace

SERVICE = "firehose.amazonaws.com"

RECORD_BYTES = 1000 * 1024
BATCH_BYTES = 4 * 1024 * 1024
BATCH_RECORDS = 500
KEPT_SECONDS = 24 * 3600
LONGEST_WAIT_SECONDS = 120
EXTENSIONS = {"GZIP": ".gz", "UNCOMPRESSED": ""}

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
    from ministack.services import firehose

    replace(firehose, "_create_delivery_stream", _refuse_unsupported)
    replace(firehose, "_update_destination", _refuse_unsupported)
    replace(firehose, "_delete_delivery_stream", _forget)
    replace(firehose, "_put_record", lambda _original: _put_record)
    replace(firehose, "_put_record_batch", lambda _original: _put_record_batch)
    clock.subscribe(_deliver_due)


def undelivered() -> dict[str, int]:
    """How many records each stream holds back at the moment."""
    return {arn: len(buffer.records) for arn, buffer in _buffers.items() if buffer.records}


def _refuse_unsupported(original: Any) -> Any:
    from ministack.core.responses import error_response_json

    def create_or_update(data: dict[str, Any]) -> Any:
        reason = _unsupported(data)
        if reason:
            return error_response_json("NotImplementedException", f"localaws' Firehose has no {reason}", 501)
        return original(data)

    return create_or_update


def _unsupported(data: dict[str, Any]) -> str | None:
    if data.get("DeliveryStreamType", "DirectPut") != "DirectPut":
        return f"source {data['DeliveryStreamType']}"
    config = data.get("ExtendedS3DestinationConfiguration") or data.get("ExtendedS3DestinationUpdate")
    if config is None:
        return "destination but extended S3"
    if config.get("CompressionFormat", "UNCOMPRESSED") not in EXTENSIONS:
        return f"compression {config['CompressionFormat']}"
    for name in ("ProcessingConfiguration", "DataFormatConversionConfiguration", "DynamicPartitioningConfiguration"):
        if (config.get(name) or {}).get("Enabled"):
            return name
    return None


def _forget(original: Any) -> Any:
    from ministack.services import firehose

    def delete_delivery_stream(data: dict[str, Any]) -> Any:
        stream = firehose._streams.get(data.get("DeliveryStreamName", ""))
        if stream is not None:
            _buffers.pop(stream["arn"], None)
        return original(data)

    return delete_delivery_stream


def _put_record(data: dict[str, Any]) -> Any:
    answer = _accept(data, [data.get("Record") or {}])
    if answer[0] != 200:
        return answer
    entry = json.loads(answer[2])["RequestResponses"][0]
    from ministack.core.responses import json_response

    return json_response({"RecordId": entry["RecordId"], "Encrypted": False})


def _put_record_batch(data: dict[str, Any]) -> Any:
    return _accept(data, data.get("Records") or [])


def flush() -> int:
    """Deliver now what waits for its buffer, without letting time pass; returns the records that could not be."""
    _flushing.set()
    try:
        clock.tick()
    finally:
        _flushing.clear()
    return sum(undelivered().values())


def _accept(data: dict[str, Any], entries: list[dict[str, Any]]) -> Any:
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import firehose

    stream = firehose._streams.get(data.get("DeliveryStreamName", ""))
    if stream is None:
        return firehose._not_found(data.get("DeliveryStreamName", ""))
    records = [base64.b64decode(entry.get("Data", "")) for entry in entries]
    problem = _broken_limit(records) or _unusable_key(stream)
    if problem:
        return error_response_json(*problem, 400)
    buffer = _buffers.setdefault(stream["arn"], Buffer())
    buffer.records.extend((time.time(), record) for record in records)
    name = {"DeliveryStreamName": stream["name"]}
    metrics.put("AWS/Firehose", "IncomingRecords", name, len(records), "Count")
    metrics.put("AWS/Firehose", "IncomingBytes", name, sum(map(len, records)), "Bytes")
    answers = [{"RecordId": firehose._record_id()} for _ in records]
    return json_response({"FailedPutCount": 0, "Encrypted": False, "RequestResponses": answers})


def _broken_limit(records: list[bytes]) -> tuple[str, str] | None:
    if not 1 <= len(records) <= BATCH_RECORDS:
        what = f"length less than or equal to {BATCH_RECORDS} and greater than or equal to 1"
        return "ValidationException", f"1 validation error detected: Value at 'records' must have {what}"
    if any(len(record) > RECORD_BYTES for record in records):
        what = f"length less than or equal to {RECORD_BYTES}"
        return "ValidationException", f"1 validation error detected: Value at 'record.data' must have {what}"
    if sum(map(len, records)) > BATCH_BYTES:
        return "InvalidArgumentException", "Records size exceeds 4 MB limit"
    return None


def _unusable_key(stream: dict[str, Any]) -> tuple[str, str] | None:
    from ministack.services import kms

    key_arn = (stream["encryption"] or {}).get("KeyARN")
    if stream["encryption"] is None or stream["encryption"].get("Status") != "ENABLED" or not key_arn:
        return None
    key = kms._resolve_key(key_arn)
    if key is not None and kms._check_key_state(key) is None:
        return None
    return "InvalidKMSResourceException", f"Firehose is unable to use the key {key_arn} of stream {stream['name']}"


def _deliver_due(now: datetime) -> None:
    from ministack.core.responses import request_scope
    from ministack.services import firehose

    with request_scope(settings.ACCOUNT, settings.REGION):
        for stream in list(firehose._streams.values()):
            buffer = _buffers.get(stream["arn"])
            if buffer is not None and buffer.records:
                _drop_too_old(stream, buffer, now.timestamp())
                _deliver_stream(stream, buffer, now.timestamp())
                _report_age(stream, buffer, now.timestamp())


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
    batch = buffer.records[:count]
    body = b"".join(data for _, data in batch)
    compression = config.get("CompressionFormat", "UNCOMPRESSED")
    name = {"DeliveryStreamName": stream["name"]}
    bucket = config["BucketARN"].removeprefix("arn:aws:s3:::")
    try:
        role = config["RoleARN"]
        client = authentication.role_client("s3", role, stream["name"], SERVICE, stream["arn"])
        content = gzip.compress(body, mtime=0) if compression == "GZIP" else body
        client.put_object(Bucket=bucket, Key=_key(stream, config, batch[0][0]), Body=content, **_encryption(config))
    except (ClientError, BotoCoreError, PermissionError) as error:
        buffer.failures += 1
        buffer.not_before = now + min(2**buffer.failures, LONGEST_WAIT_SECONDS)
        _logger.warning("stream %s, delivery attempt %s: %s", stream["name"], buffer.failures, error)
        metrics.put("AWS/Firehose", "DeliveryToS3.Success", name, 0, "Count")
        _log_failure(stream, config, error)
        return
    del buffer.records[:count]
    buffer.failures, buffer.not_before = 0, 0.0
    metrics.put("AWS/Firehose", "DeliveryToS3.Success", name, 1, "Count")
    metrics.put("AWS/Firehose", "DeliveryToS3.Records", name, count, "Count")
    metrics.put("AWS/Firehose", "DeliveryToS3.Bytes", name, len(body), "Bytes")
    metrics.put("AWS/Firehose", "DeliveryToS3.DataFreshness", name, now - batch[0][0], "Seconds")


def _log_failure(stream: dict[str, Any], config: dict[str, Any], error: Exception) -> None:
    """Say why in the stream's log, with the stream's role, if it has one and may."""
    options = config.get("CloudWatchLoggingOptions") or {}
    if not options.get("Enabled"):
        return
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    about = {"deliveryStreamARN": stream["arn"], "destination": config["BucketARN"], "errorCode": f"S3.{code}"}
    event = {"timestamp": int(time.time() * 1000), "message": json.dumps({**about, "message": str(error)})}
    group, log_stream = options["LogGroupName"], options["LogStreamName"]
    try:
        client = authentication.role_client("logs", config["RoleARN"], stream["name"], SERVICE, stream["arn"])
        client.put_log_events(logGroupName=group, logStreamName=log_stream, logEvents=[event])
    except (ClientError, BotoCoreError, PermissionError) as failure:
        _logger.warning("stream %s: log not written: %s", stream["name"], failure)


def _key(stream: dict[str, Any], config: dict[str, Any], arrival: float) -> str:
    """Prefix and name of an object whose oldest record arrived then."""
    from ministack.services import firehose

    moment = datetime.fromtimestamp(arrival, UTC).astimezone(ZoneInfo(config.get("CustomTimeZone") or "UTC"))
    prefix = firehose._evaluate_prefix(config.get("Prefix", ""), moment.timetuple())
    extension = config.get("FileExtension") or EXTENSIONS[config.get("CompressionFormat", "UNCOMPRESSED")]
    return f"{prefix}{stream['name']}-{stream['version']}-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{extension}"


def _encryption(config: dict[str, Any]) -> dict[str, str]:
    key = ((config.get("EncryptionConfiguration") or {}).get("KMSEncryptionConfig") or {}).get("AWSKMSKeyARN")
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}


def _drop_too_old(stream: dict[str, Any], buffer: Buffer, now: float) -> None:
    lost = sum(1 for arrival, _ in list(buffer.records) if now - arrival > KEPT_SECONDS)
    if lost:
        _logger.error("stream %s lost %s records after 24 h", stream["name"], lost)
        del buffer.records[:lost]


def _report_age(stream: dict[str, Any], buffer: Buffer, now: float) -> None:
    """The age of the oldest record that waits, once a minute: the metric that shows that delivery is stuck."""
    if buffer.records and now - buffer.reported >= clock.STEP_SECONDS:
        buffer.reported = now
        name = {"DeliveryStreamName": stream["name"]}
        metrics.put("AWS/Firehose", "DeliveryToS3.DataFreshness", name, now - buffer.records[0][0], "Seconds")
