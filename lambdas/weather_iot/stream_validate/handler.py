"""Firehose transformation that lets only complete JSON records into raw.

A message that is one JSON object passes as one line; any other goes to the stream's error prefix unchanged. The
contract validates the content later. Logs and metrics hold numbers only, because messages name sensors.
"""

import base64
import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

logger = Logger(service="stream_validate")


def handler(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """Transform one batch of the stream; the result marks each record as Ok or ProcessingFailed."""
    answers = [answer(record) for record in event["records"]]
    refused = sum(entry["result"] == "ProcessingFailed" for entry in answers)
    logger.info("validated", extra={"records": len(answers), "refused": refused})
    put_refused(client(), event["deliveryStreamArn"].rpartition("/")[2], refused)
    return {"records": answers}


@cache
def client() -> Any:
    """The client that a warm process keeps: making one takes longer than a request."""
    return boto3.client("cloudwatch")


def answer(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result for one record. A refused one keeps its data, so that nothing is lost."""
    try:
        line = validated(base64.b64decode(record["data"]))
    except (ValueError, RecursionError):
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]}
    return {"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(line).decode()}


def validated(data: bytes) -> bytes:
    """Return the message as one line; raises ValueError when it is not exactly one JSON object."""
    text = data.decode("utf-8").strip()
    if not isinstance(json.loads(text, parse_constant=_refuse), dict):
        raise ValueError("not an object")
    # Inside a string a line end is always escaped, so these stand between words only.
    return text.replace("\r", " ").replace("\n", " ").encode() + b"\n"


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def put_refused(client: Any, stream: str, refused: int) -> None:
    """Put the number of refused records, zero included. Best effort: a failure of CloudWatch never stops delivery."""
    named = {"Environment": os.environ["ENVIRONMENT"], "DeliveryStreamName": stream}
    dimensions = [{"Name": name, "Value": value} for name, value in named.items()]
    datum = {"MetricName": "RecordsRefused", "Value": refused, "Unit": "Count", "Dimensions": dimensions}
    try:
        client.put_metric_data(Namespace=os.environ["METRICS_NAMESPACE"], MetricData=[datum])
    except (BotoCoreError, ClientError):
        logger.exception("the number of refused records could not be put")
