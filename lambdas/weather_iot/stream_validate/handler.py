"""Firehose transformation that lets only complete JSON records into raw.

A message that is one JSON object passes as one line; any other goes to the stream's error prefix unchanged. The
contract validates the content later. Logs and metrics hold numbers only, because messages name sensors.
"""

import base64
import json
import os
from typing import Any, NoReturn

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import (
    KinesisFirehoseDataTransformationRecord,
    KinesisFirehoseDataTransformationResponse,
    KinesisFirehoseEvent,
)
from aws_lambda_powertools.utilities.data_classes.kinesis_firehose_event import KinesisFirehoseRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="stream_validate")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Transform one batch of the stream; the result marks each record as Ok or ProcessingFailed."""
    batch = KinesisFirehoseEvent(event)
    answers = [answer(record) for record in batch.records]
    refused = sum(entry.result == "ProcessingFailed" for entry in answers)
    logger.info("validated", extra={"records": len(answers), "refused": refused})
    count_refused(batch.delivery_stream_arn.rpartition("/")[2], refused)
    return KinesisFirehoseDataTransformationResponse(answers).asdict()


def answer(record: KinesisFirehoseRecord) -> KinesisFirehoseDataTransformationRecord:
    """Return the result for one record. A refused one keeps its data, so that nothing is lost."""
    try:
        line = validated(record.data_as_bytes)
    except (ValueError, RecursionError):
        return record.build_data_transformation_response("ProcessingFailed", record.data)
    return record.build_data_transformation_response("Ok", base64.b64encode(line).decode())


def validated(data: bytes) -> bytes:
    """Return the message as one line; raises ValueError when it is not exactly one JSON object."""
    text = data.decode("utf-8").strip()
    if not isinstance(json.loads(text, parse_constant=_refuse), dict):
        raise ValueError("not an object")
    # Inside a string a line end is always escaped, so these stand between words only.
    return text.replace("\r", " ").replace("\n", " ").encode() + b"\n"


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def count_refused(stream: str, refused: int) -> None:
    """Log the number of refused records, zero included, as a metric; CloudWatch takes it from the log."""
    dimensions = {"Environment": os.environ["ENVIRONMENT"], "DeliveryStreamName": stream}
    namespace = os.environ["METRICS_NAMESPACE"]
    with single_metric("RecordsRefused", MetricUnit.Count, refused, namespace=namespace, default_dimensions=dimensions):
        pass
