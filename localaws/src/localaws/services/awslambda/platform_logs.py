"""The events that Lambda itself writes into a function's log.

AWS: a function whose log format is JSON has platform events in JSON as well: platform.start and platform.report, whose
status says success, error or timeout. MiniStack: writes START, END and REPORT in text, whatever the format.
Added: the events in JSON. Not done: those of extensions, and metrics of the initialisation.
Source: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html.
"""

import contextvars
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ministack.services import cloudwatch_logs, lambda_svc

from localaws.core.patching import wrap

_status: contextvars.ContextVar[str] = contextvars.ContextVar("status", default="")
_TIMED_OUT = "Task timed out after"
_START = re.compile(r"START RequestId: (\S+) Version: (\S+)")
_END = re.compile(r"END RequestId: \S+")
_REPORT = re.compile(
    r"REPORT RequestId: (\S+)\tDuration: (\d+) ms\tBilled Duration: (\d+) ms\tMemory Size: (\d+) MB\t"
    r"Max Memory Used: (\d+) MB"
)


def install() -> None:
    """Write platform events as the function's log format asks for."""
    wrap(lambda_svc, "_emit_lambda_logs", _remember_how_it_ended)
    wrap(cloudwatch_logs, "_append_log_events", _in_json)


def _remember_how_it_ended(
    original: Any, function: Any, request_id: str, text: str, error: bool, *more: Any, **named: Any
) -> Any:
    config = function.get("config") or function
    is_json = (config.get("LoggingConfig") or {}).get("LogFormat") == "JSON"
    status = "timeout" if _TIMED_OUT in text else "error" if error else "success"
    token = _status.set(status if is_json else "")
    try:
        return original(function, request_id, text, error, *more, **named)
    finally:
        _status.reset(token)


def _in_json(original: Any, stream: Any, events: list[dict[str, Any]]) -> Any:
    if not _status.get():
        return original(stream, events)
    return original(stream, [{**event, "message": text} for event in events for text in _texts(event)])


def _texts(event: dict[str, Any]) -> Iterator[str]:
    """The event's line as JSON when it is the platform's own, nothing for those that JSON logs do not have."""
    line = str(event["message"])
    if start := _START.fullmatch(line):
        yield _platform(event, "platform.start", requestId=start[1], version=start[2])
    elif report := _REPORT.fullmatch(line):
        names = ("durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB")
        metrics = dict(zip(names, map(int, report.groups()[1:]), strict=True))
        yield _platform(event, "platform.report", requestId=report[1], metrics=metrics, status=_status.get())
    elif not _END.fullmatch(line) and _TIMED_OUT not in line:
        yield line


def _platform(event: dict[str, Any], kind: str, **record: Any) -> str:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": at.replace("+00:00", "Z"), "type": kind, "record": record}, separators=(",", ":"))
