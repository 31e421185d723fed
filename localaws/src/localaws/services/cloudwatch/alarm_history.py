"""The texts of an alarm's state change: the reason, the history, the message.

AWS: the reason names the points that decided; the history keeps each change and each action for 30 days; the message is
what subscribers get. MiniStack: a history of old and new state. Added: the rest, with the time of our clock.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ministack.services import cloudwatch

from localaws.core import clock, settings

ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}

# What the message says of the metric.
TRIGGER = """
    MetricName Namespace Statistic Unit Period EvaluationPeriods DatapointsToAlarm ComparisonOperator Threshold
    TreatMissingData
""".split()  # noqa: SIM905 - ten short words


@dataclass(frozen=True)
class Evaluated:
    """The points that an alarm was evaluated on: epoch second of each period's start, and its value, oldest first."""

    starts: list[float]
    values: list[float | None]

    def real(self, count: int) -> list[tuple[float, float]]:
        """The newest `count` periods that have a value, oldest first."""
        pairs = zip(self.starts, self.values, strict=True)
        return [(start, value) for start, value in pairs if value is not None][-count:]


def reason(alarm: dict[str, Any], evaluated: Evaluated, state: str) -> tuple[str, dict[str, Any]]:
    """StateReason and StateReasonData of a new state."""
    real = evaluated.real(alarm["EvaluationPeriods"])
    missing = alarm["EvaluationPeriods"] - len(real)
    data = {
        "version": "1.0",
        "queryDate": _stamp(clock.now()),
        "startDate": _stamp(datetime.fromtimestamp((real[0][0] if real else evaluated.starts[0]), UTC)),
        "statistic": alarm.get("ExtendedStatistic") or alarm["Statistic"],
        "period": alarm["Period"],
        "recentDatapoints": [value for _, value in real],
        "threshold": alarm["Threshold"],
    }
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {missing} datapoints were unknown.", data
    points = ", ".join(f"{value} ({datetime.fromtimestamp(start, UTC):%d/%m/%y %H:%M:%S})" for start, value in real)
    shown = f"[{points}]" if real else "no datapoints"
    treated = f", {missing} missing treated as {alarm['TreatMissingData']}" if missing > 0 else ""
    verb = "" if state == "ALARM" else "not "
    return f"Threshold Crossed: {shown} {verb}{alarm['ComparisonOperator']} ({alarm['Threshold']}){treated}.", data


def record_change(alarm: dict[str, Any], old: dict[str, Any], data: dict[str, Any] | None) -> None:
    """Keep a change of state; `old` has the state and the reason before it."""
    new = {"stateValue": alarm["StateValue"], "stateReason": alarm["StateReason"]}
    states = {"version": "1.0", "oldState": old, "newState": {**new, **({"stateReasonData": data} if data else {})}}
    summary = f"Alarm updated from {old['stateValue']} to {alarm['StateValue']}"
    _record(alarm, "StateUpdate", summary, states)


def record_by_name(name: str, old: str, new: str, _reason: str, *_more: Any) -> None:
    """Keep what MiniStack itself does to an alarm: create it, which changes no state, or set its state."""
    alarm = cloudwatch._alarms[name]
    if old == new:
        _record(alarm, "ConfigurationUpdate", f'Alarm "{name}" created', {"version": "1.0", "type": "Create"})
    else:
        record_change(alarm, {"stateValue": old}, None)


def record_action(alarm: dict[str, Any], topic_arn: str, failure: str | None) -> None:
    """Keep that an action was run, or why it could not be."""
    outcome = {"actionState": "Failed", "error": failure} if failure else {"actionState": "Succeeded"}
    summary = f"Failed to execute action {topic_arn}: {failure}" if failure else ""
    summary = summary or f"Successfully executed action {topic_arn}"
    _record(alarm, "Action", summary, {**outcome, "notificationResource": topic_arn})


def message(alarm: dict[str, Any], old_state: str, new_state: str, state_reason: str) -> dict[str, Any]:
    """Return the message for subscribers of a topic."""
    dimensions = [{"name": d["Name"], "value": d["Value"]} for d in alarm.get("Dimensions") or []]
    return {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription") or None,
        "AWSAccountId": settings.ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": alarm.get("AlarmConfigurationUpdatedTimestamp"),
        "NewStateValue": new_state,
        "NewStateReason": state_reason,
        "StateChangeTime": _stamp(clock.now()),
        "Region": "US East (N. Virginia)",
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": old_state,
        **{field: alarm.get(field) or [] for field in ACTIONS.values()},
        "Trigger": {**{name: alarm[name] for name in TRIGGER if alarm.get(name)}, "Dimensions": dimensions},
    }


def _record(alarm: dict[str, Any], kind: str, summary: str, data: dict[str, Any]) -> None:
    cloudwatch._history_entries().append(
        {
            "AlarmName": alarm["AlarmName"],
            "AlarmType": "MetricAlarm",
            "Timestamp": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps(data),
        }
    )


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
