"""The output of a Firehose stream: objects in its bucket, lines in its log, metrics.

AWS: one object per buffer, with the stream's role, compressed and encrypted as the destination says; failures go to the
stream's log. MiniStack: an object per record, as nobody. Added: all of it; nothing waits here (see firehose_lanes.py).
"""

import gzip
import json
import logging
import time
import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError
from ministack.services import firehose

from localaws.core import identity
from localaws.services.cloudwatch import metrics
from localaws.services.firehose.buffers import Hints, Lane, Record, size_of

SERVICE = "firehose.amazonaws.com"
EXTENSIONS = {"GZIP": ".gz", "UNCOMPRESSED": ""}

_logger = logging.getLogger("localaws.firehose")


def deliver(stream: dict[str, Any], lane: Lane, hints: Hints, now: float, error_type: str = "") -> None:
    """Write what is due in the lane, one object a batch; with `error_type` below the error prefix instead."""
    while batch := lane.due(now, hints):
        try:
            _write(stream, batch, error_type)
        except (ClientError, BotoCoreError, PermissionError) as error:
            lane.failed(batch, now)
            _logger.warning("stream %s, delivery attempt %s: %s", stream["name"], lane.failures, error)
            measure(stream, "DeliveryToS3.Success", 0)
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            log(stream, f"S3.{code}", str(error), {"destination": destination(stream)["BucketARN"]})
            return
        lane.succeeded(batch)
        measure(stream, "DeliveryToS3.Success", 1)
        if not error_type:
            measure(stream, "DeliveryToS3.Records", len(batch))
            measure(stream, "DeliveryToS3.Bytes", size_of(batch), "Bytes")
            measure(stream, "DeliveryToS3.DataFreshness", max(now - batch[0].arrival, 0.0), "Seconds")


def destination(stream: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the stream's one destination."""
    return dict(stream["destinations"][0]["config"])


def client(stream: dict[str, Any], service: str, role_arn: str = "") -> Any:
    """A client that acts as the stream's role, or as another that Firehose may assume."""
    role = role_arn or destination(stream)["RoleARN"]
    return identity.role_client(service, role, stream["name"], SERVICE, stream["arn"])


def measure(stream: dict[str, Any], metric: str, value: float, unit: str = "Count") -> None:
    """Store a value of one of the stream's metrics."""
    metrics.put("AWS/Firehose", metric, {"DeliveryStreamName": stream["name"]}, value, unit)


def log(stream: dict[str, Any], code: str, message: str, about: dict[str, str]) -> None:
    """Say what went wrong in the stream's log, with the stream's role, if it has one and may."""
    options = destination(stream).get("CloudWatchLoggingOptions") or {}
    if not options.get("Enabled"):
        return
    text = {"deliveryStreamARN": stream["arn"], **about, "errorCode": code, "message": message}
    event = {"timestamp": int(time.time() * 1000), "message": json.dumps(text)}
    place = {"logGroupName": options["LogGroupName"], "logStreamName": options["LogStreamName"]}
    try:
        client(stream, "logs").put_log_events(**place, logEvents=[event])
    except (ClientError, BotoCoreError, PermissionError) as failure:
        _logger.warning("stream %s: log not written: %s", stream["name"], failure)


def _write(stream: dict[str, Any], batch: list[Record], error_type: str) -> None:
    config = destination(stream)
    body = b"".join(record.data for record in batch)
    client(stream, "s3").put_object(
        Bucket=config["BucketARN"].removeprefix("arn:aws:s3:::"),
        Key=_key(stream, config, batch[0].arrival, error_type),
        Body=gzip.compress(body, mtime=0) if config.get("CompressionFormat") == "GZIP" else body,
        **_encryption(config),
    )


def _key(stream: dict[str, Any], config: dict[str, Any], arrival: float, error_type: str) -> str:
    """Prefix and name of an object whose oldest record arrived then."""
    moment = datetime.fromtimestamp(arrival, UTC).astimezone(ZoneInfo(config.get("CustomTimeZone") or "UTC"))
    template = (config.get("ErrorOutputPrefix") or f"{error_type}/") if error_type else config.get("Prefix", "")
    prefix = firehose._evaluate_prefix(template, moment.timetuple(), error_type=error_type)
    extension = config.get("FileExtension") or EXTENSIONS[config.get("CompressionFormat", "UNCOMPRESSED")]
    return f"{prefix}{stream['name']}-{stream['version']}-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{extension}"


def _encryption(config: dict[str, Any]) -> dict[str, str]:
    key = ((config.get("EncryptionConfiguration") or {}).get("KMSEncryptionConfig") or {}).get("AWSKMSKeyARN")
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
