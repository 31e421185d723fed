"""The function that a Firehose stream runs its records through.

AWS: calls it with a batch, as the stream's role; what the function says of a record (Ok, Dropped, ProcessingFailed)
decides where that goes; a call that fails is repeated, then the batch is given up. MiniStack: delivers a record as it
was when anything goes wrong. Added: all of it, retries by our clock. An error answer: processors but one Lambda.

The codes and the shape of a failed record are what AWS wrote, as shown in https://github.com/floci-io/floci/pull/3393
and https://github.com/CloudSnorkel/CloudWatch2S3/issues/3; its documentation spells lambdaARN otherwise.
"""

import base64
import binascii
import json
import logging
import time
import uuid
from collections import Counter
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core import settings
from localaws.services.firehose import delivery
from localaws.services.firehose.buffers import Hints, Lane, Record, size_of

ERROR_TYPE = "processing-failed"
PARAMETERS = {"LambdaArn", "NumberOfRetries", "RoleArn", "BufferSizeInMBs", "BufferIntervalInSeconds"}

FAILURES = {
    "Lambda.FunctionError": "The Lambda function was successfully invoked but it returned an error result.",
    "Lambda.InvokeAccessDenied": "Access was denied. Ensure that the access policy allows access to the function.",
    "Lambda.AssumeRoleAccessDenied": "Access was denied. Ensure that the role's trust policy allows Firehose.",
    "Lambda.InvokeLimitExceeded": "The Lambda concurrent execution limit is exceeded.",
    "Lambda.ResourceNotFound": "The specified Lambda function does not exist.",
    "Lambda.InvalidReturnFormat": "The data field cannot be null when the processing result is Ok.",
    "Lambda.MissingRecordId": "One or more record Ids were not returned. "
    "Ensure that the Lambda function returns all received record Ids.",
    "Lambda.DuplicatedRecordId": "Multiple records were returned with the same record Id.",
    "Lambda.ProcessingFailedStatus": "ProcessingFailed status set for record",
}
INVOCATION_ERRORS = {
    "AccessDenied": "Lambda.InvokeAccessDenied",
    "AccessDeniedException": "Lambda.InvokeAccessDenied",
    "TooManyRequestsException": "Lambda.InvokeLimitExceeded",
    "ResourceNotFoundException": "Lambda.ResourceNotFound",
}

_logger = logging.getLogger("localaws.firehose")


class InvocationFailed(Exception):
    """A call of the function that gave no answer: AWS's error code, and what was said."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(f"{code}: {said}")
        self.code = code


def unsupported(config: dict[str, Any]) -> str | None:
    """Return the part of a destination's ProcessingConfiguration that is not supported, None if all is."""
    processing = config.get("ProcessingConfiguration") or {}
    if not processing.get("Enabled"):
        return None
    processors = processing.get("Processors") or []
    if [processor.get("Type") for processor in processors] != ["Lambda"]:
        return "ProcessingConfiguration but with one processor, Lambda"
    unknown = parameters(config).keys() - PARAMETERS
    if unknown or not parameters(config).get("LambdaArn"):
        return f"processor with {', '.join(sorted(unknown)) or 'no LambdaArn'}"
    return None


def parameters(config: dict[str, Any]) -> dict[str, str]:
    """The parameters of a destination's processor; empty when it has none."""
    processing = config.get("ProcessingConfiguration") or {}
    processors = processing.get("Processors") or [] if processing.get("Enabled") else []
    given = [parameter for processor in processors for parameter in processor.get("Parameters") or []]
    return {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in given}


def hints(given: dict[str, str]) -> Hints:
    """When a batch goes to the function of these parameters."""
    size, seconds = float(given.get("BufferSizeInMBs", 1)), float(given.get("BufferIntervalInSeconds", 60))
    return Hints(size * 1024 * 1024, seconds)


def process(stream: dict[str, Any], incoming: Lane, when: Hints, now: float) -> tuple[list[Record], list[Record]]:
    """Run what is due through the function: the records to deliver, and the lines for the error prefix."""
    given = parameters(delivery.destination(stream))
    good: list[Record] = []
    bad: list[Record] = []
    while batch := incoming.due(now, when):
        attempts = incoming.failures + 1
        try:
            verdicts = _verdicts(batch, _invoke(stream, given, batch))
        except InvocationFailed as failure:
            _report(stream, given["LambdaArn"], failure, attempts)
            if attempts <= int(given.get("NumberOfRetries", 3)):
                incoming.failed(batch, now)
                break
            verdicts = dict.fromkeys((record.id for record in batch), failure.code)
        incoming.succeeded(batch)
        ended = (attempts, now, given["LambdaArn"])
        good += [_replaced(record, data, now) for record in batch if isinstance(data := verdicts[record.id], bytes)]
        bad += [_failed(record, code, *ended) for record in batch if isinstance(code := verdicts[record.id], str)]
        done = [record for record in batch if not isinstance(verdicts[record.id], str)]
        delivery.measure(stream, "SucceedProcessing.Records", len(done))
        delivery.measure(stream, "SucceedProcessing.Bytes", size_of(done), "Bytes")
    return good, bad


def _invoke(stream: dict[str, Any], given: dict[str, str], batch: list[Record]) -> bytes:
    """The function's answer, whatever it is; raises InvocationFailed."""
    started, is_answered = time.time(), False
    try:
        function = delivery.client(stream, "lambda", given.get("RoleArn", ""))
        answer = function.invoke(FunctionName=given["LambdaArn"], Payload=json.dumps(_event(stream, batch)).encode())
        said: bytes = answer["Payload"].read()
        is_answered = "FunctionError" not in answer
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise InvocationFailed(INVOCATION_ERRORS.get(code, f"Lambda.{code}"), str(error)) from error
    except PermissionError as error:
        raise InvocationFailed("Lambda.AssumeRoleAccessDenied", str(error)) from error
    except BotoCoreError as error:
        raise InvocationFailed("Lambda.FunctionTimedOut", str(error)) from error
    finally:
        milliseconds = (time.time() - started) * 1000
        delivery.measure(stream, "ExecuteProcessing.Duration", milliseconds, "Milliseconds")
        delivery.measure(stream, "ExecuteProcessing.Success", float(is_answered))
    if not is_answered:
        raise InvocationFailed("Lambda.FunctionError", said.decode(errors="replace"))
    return said


def _event(stream: dict[str, Any], batch: list[Record]) -> dict[str, Any]:
    records = [
        {
            "recordId": record.id,
            "approximateArrivalTimestamp": int(record.arrival * 1000),
            "data": base64.b64encode(record.data).decode(),
        }
        for record in batch
    ]
    about = {"invocationId": str(uuid.uuid4()), "deliveryStreamArn": stream["arn"], "region": settings.REGION}
    return {**about, "records": records}


def _verdicts(batch: list[Record], answer: bytes) -> dict[str, bytes | str | None]:
    """Return the outcome of each record by its id: the data to deliver, the code of its failure, None to drop it."""
    said = json.loads(answer or b"null")
    records = said.get("records") if isinstance(said, dict) else None
    entries = [entry for entry in records or [] if isinstance(entry, dict)] if isinstance(records, list) else []
    times = Counter(entry.get("recordId") for entry in entries)
    returned = {entry.get("recordId"): entry for entry in entries}
    return {record.id: _verdict(returned.get(record.id), times[record.id]) for record in batch}


def _verdict(entry: dict[str, Any] | None, times: int) -> bytes | str | None:
    if entry is None:
        return "Lambda.MissingRecordId"
    if times > 1:
        return "Lambda.DuplicatedRecordId"
    match entry.get("result"):
        case "Dropped":
            return None
        case "ProcessingFailed":
            return "Lambda.ProcessingFailedStatus"
        case "Ok" if entry.get("data") is None:
            return "Lambda.InvalidReturnFormat"
        case "Ok":
            try:
                return base64.b64decode(entry["data"], validate=True)
            except (TypeError, binascii.Error):
                return "Lambda.FunctionError"
    return "Lambda.FunctionError"


def _replaced(record: Record, data: bytes, now: float) -> Record:
    return Record(record.id, data, record.arrival, now)


def _failed(record: Record, code: str, attempts: int, now: float, function_arn: str) -> Record:
    line = {
        "rawData": base64.b64encode(record.data).decode(),
        "errorCode": code,
        "errorMessage": FAILURES.get(code, code),
        "attemptsMade": attempts,
        "arrivalTimestamp": int(record.arrival * 1000),
        "attemptEndingTimestamp": int(now * 1000),
        "lambdaARN": function_arn,
    }
    return Record(record.id, json.dumps(line).encode() + b"\n", record.arrival, now)


def _report(stream: dict[str, Any], function_arn: str, failure: InvocationFailed, attempts: int) -> None:
    _logger.warning("stream %s, attempt %s of %s: %s", stream["name"], attempts, function_arn, failure)
    text = FAILURES.get(failure.code, str(failure))
    delivery.log(stream, failure.code, text, {"processor": function_arn})
