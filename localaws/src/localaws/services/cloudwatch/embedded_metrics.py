"""Metrics in log events: CloudWatch's embedded metric format.

AWS: takes the metrics out of any log event that is a JSON object with a valid ``_aws`` member, whoever wrote it; the
right to write logs is enough. MiniStack: keeps the event. Added: the metrics. Not done: the metrics EMFParsingErrors
and EMFValidationErrors of AWS/Logs; an event that breaks the format gives no metric and is a warning in localaws' log.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ministack.services import cloudwatch_logs

from localaws.core.patching import wrap
from localaws.services.cloudwatch import metrics

_MARK = '"_aws"'
_DIMENSIONS = 30
_METRICS = 100
_VALUES = 100
_logger = logging.getLogger("localaws.metrics")


@dataclass(frozen=True)
class Value:
    """One value of one metric; ``at`` in epoch seconds."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    value: float
    unit: str
    at: float


def install() -> None:
    """Take metrics out of everything that comes into a log."""
    wrap(cloudwatch_logs, "_append_log_events", _append_and_extract)


def _append_and_extract(original: Any, stream: Any, events: list[dict[str, Any]]) -> None:
    original(stream, events)
    for message in (str(event["message"]) for event in events if _MARK in str(event["message"])):
        try:
            found = extracted(message)
        except (KeyError, TypeError, ValueError) as error:
            _logger.warning("no metric in %.300s: %r", message, error)
            continue
        for each in found:
            metrics.put(each.namespace, each.name, each.dimensions, each.value, each.unit, each.at)


def extracted(message: str) -> list[Value]:
    """The values of a log event's metrics; raises KeyError, TypeError or ValueError when it breaks the format."""
    document = json.loads(message)
    if not isinstance(document, dict) or "_aws" not in document:
        return []
    about = document["_aws"]
    at = int(about["Timestamp"]) / 1000
    return [value for directive in about["CloudWatchMetrics"] for value in _of_directive(document, directive, at)]


def _of_directive(document: dict[str, Any], directive: dict[str, Any], at: float) -> Iterator[Value]:
    namespace, definitions = directive["Namespace"], directive["Metrics"]
    if not isinstance(namespace, str) or not namespace or len(definitions) > _METRICS:
        raise ValueError(f"a namespace and at most {_METRICS} metrics are needed")
    for names in directive["Dimensions"]:
        dimensions = _dimensions(document, names)
        for definition in definitions:
            name, unit = definition["Name"], definition.get("Unit", "None")
            for value in _values(document[name]):
                yield Value(namespace, name, dimensions, value, unit, at)


def _dimensions(document: dict[str, Any], names: list[str]) -> dict[str, str]:
    dimensions = {name: document[name] for name in names}
    if len(dimensions) > _DIMENSIONS or not all(isinstance(value, str) and value for value in dimensions.values()):
        raise ValueError(f"a dimension set has at most {_DIMENSIONS} members, each of them a text")
    return dimensions


def _values(given: Any) -> list[float]:
    values = given if isinstance(given, list) else [given]
    if len(values) > _VALUES or any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        raise ValueError(f"a metric is a number or at most {_VALUES} numbers")
    return [float(value) for value in values]
