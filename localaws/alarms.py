"""CloudWatch alarms.

AWS: evaluates each alarm every period on exactly its metric, M of the last N periods, treats missing data as told,
and on a change of state runs the actions for the new state. MiniStack: looks only when somebody puts a metric,
mixes all dimensions, and knows neither missing data nor M of N. Added: the evaluation by our clock, and the check
that CloudWatch may publish to the topic. An error answer: metric math, anomaly detection, composite alarms, actions
other than SNS.
"""

import json
import logging
import operator
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ministack.services import cloudwatch, sns

from localaws import clock, metrics, settings, targets
from localaws.patching import replace, wrap

SERVICE = "cloudwatch.amazonaws.com"

# CloudWatch looks at some periods more than it needs, so as to have real data points instead of missing ones.
EXTRA_PERIODS = 2

COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
NOT_EVALUATED = {"Metrics", "ThresholdMetricId", "EvaluateLowSampleCountPercentile"}
ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}

# What the message says of the metric.
TRIGGER = """
    MetricName Namespace Statistic Period EvaluationPeriods DatapointsToAlarm ComparisonOperator Threshold
    TreatMissingData
""".split()  # noqa: SIM905 - nine short words

_logger = logging.getLogger("localaws.alarms")
_evaluated_until: dict[str, float] = {}


def next_state(breaching: Sequence[bool | None], periods: int, to_alarm: int, missing: str, state: str) -> str:
    """The state an alarm goes to: AWS's rules for "to_alarm out of periods" with missing data.

    `breaching` is the evaluation range, oldest first: True, False, or None where there is no data point (the
    range may be longer than `periods`). `missing` is TreatMissingData, `state` the present state, kept for "ignore".
    """
    real = [point for point in breaching if point is not None]
    if len(real) >= periods:
        return "ALARM" if sum(real[-periods:]) >= to_alarm else "OK"
    if not real:
        return {"breaching": "ALARM", "notBreaching": "OK", "ignore": state, "missing": "INSUFFICIENT_DATA"}[missing]
    if missing in ("breaching", "notBreaching"):
        filled = (periods - len(real)) * (missing == "breaching")
        return "ALARM" if sum(real) + filled >= to_alarm else "OK"
    if sum(real) >= to_alarm:
        return "ALARM"
    if not all(real):
        return "OK"
    return "ALARM" if missing == "missing" else state


def install() -> None:
    """Take evaluation and actions away from MiniStack, and refuse what is not evaluated here."""
    replace(cloudwatch, "_evaluate_alarm", lambda _alarm: None)
    replace(cloudwatch, "_evaluate_all_alarms", lambda: None)
    replace(cloudwatch, "_dispatch_alarm_actions", _act)
    wrap(cloudwatch, "_put_metric_alarm", _refuse_unsupported)
    clock.subscribe(_evaluate_due)


def _refuse_unsupported(original: Any, params: Any, asked: Any, is_cbor: bool, is_json: bool = False) -> Any:
    actions = [action for field in ACTIONS.values() for action in asked.get(field) or []]
    reason = None
    if asked.keys() & NOT_EVALUATED or asked.get("ComparisonOperator") not in COMPARISONS:
        reason = "localaws evaluates alarms on one metric against a fixed threshold only"
    elif not all(action.startswith("arn:aws:sns:") for action in actions):
        reason = "localaws runs SNS actions of alarms only"
    if reason:
        return cloudwatch._error("NotImplemented", reason, 501, use_json=is_json, use_cbor=is_cbor)
    return original(params, asked, is_cbor, is_json)


def _evaluate_due(now: datetime) -> None:
    for alarm in list(cloudwatch._alarms.values()):
        # AWS looks once a minute at alarms of a minute or more; the period that is still running counts.
        if now.timestamp() - _evaluated_until.get(alarm["AlarmArn"], 0) >= min(alarm["Period"], 60):
            _evaluated_until[alarm["AlarmArn"]] = now.timestamp()
            _evaluate(alarm, now)


def _evaluate(alarm: dict[str, Any], now: datetime) -> None:
    periods, old = alarm["EvaluationPeriods"], alarm["StateValue"]
    values = _values(alarm, now.timestamp())
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    breaching = [None if value is None else breaches(value, alarm["Threshold"]) for value in values]
    new = next_state(breaching, periods, alarm.get("DatapointsToAlarm") or periods, alarm["TreatMissingData"], old)
    if new == old:
        return
    reason = _reason(alarm, values, new, now.timestamp() - alarm["Period"])
    alarm |= {"StateValue": new, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
    cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
    _act(alarm, old, new, reason)


def _values(alarm: dict[str, Any], now: float) -> list[float | None]:
    """The alarm's statistic per whole period of the clock, oldest first. The period that is not over counts once it has
    data: an alarm must not wait for its end, and a quiet beginning says nothing."""
    count, period = alarm["EvaluationPeriods"] + EXTRA_PERIODS, alarm["Period"]
    starts = [now // period * period - period * back for back in range(count, -1, -1)]
    values = [metrics.statistic(alarm, start, start + period) for start in starts]
    return values[1:] if values[-1] is not None else values[:-1]


def _reason(alarm: dict[str, Any], values: list[float | None], state: str, start: float) -> str:
    points = [value for value in values if value is not None][-alarm["EvaluationPeriods"] :]
    missing = alarm["EvaluationPeriods"] - len(points)
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {missing} datapoints were unknown."
    stamp = datetime.fromtimestamp(start, UTC).strftime("%d/%m/%y %H:%M:%S")
    shown = f"[{', '.join(map(str, points))} ({stamp})]" if points else "no datapoints"
    treated = f", {missing} missing treated as {alarm['TreatMissingData']}" if missing > 0 else ""
    verb = "" if state == "ALARM" else "not "
    return f"Threshold Crossed: {shown} {verb}{alarm['ComparisonOperator']} ({alarm['Threshold']}){treated}."


def _act(alarm: dict[str, Any], old_state: str, new_state: str, reason: str) -> None:
    """Publish the change to the topics named for the new state, as far as their policies and keys let CloudWatch."""
    topics = alarm.get(ACTIONS[new_state]) or []
    for topic_arn in topics if alarm.get("ActionsEnabled", True) else []:
        failure = targets.why_not(topic_arn, SERVICE, alarm["AlarmArn"])
        entry = {
            "AlarmName": alarm["AlarmName"],
            "AlarmType": "MetricAlarm",
            "Timestamp": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "HistoryItemType": "Action",
            "HistorySummary": f"Successfully executed action {topic_arn}",
            "HistoryData": "{}",
        }
        if failure:
            entry["HistorySummary"] = f"Failed to execute action {topic_arn}: {failure}"
            _logger.error("alarm %s: %s", alarm["AlarmName"], failure)
        else:
            subject = f'{new_state}: "{alarm["AlarmName"]}" in US East (N. Virginia)'[:100]
            sns.publish_internal(topic_arn, json.dumps(_message(alarm, old_state, new_state, reason)), subject)
        cloudwatch._history_entries().append(entry)


def _message(alarm: dict[str, Any], old_state: str, new_state: str, reason: str) -> dict[str, Any]:
    dimensions = [{"name": d["Name"], "value": d["Value"]} for d in alarm.get("Dimensions") or []]
    return {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription") or None,
        "AWSAccountId": settings.ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": alarm.get("AlarmConfigurationUpdatedTimestamp"),
        "NewStateValue": new_state,
        "NewStateReason": reason,
        "StateChangeTime": clock.now().strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "Region": "US East (N. Virginia)",
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": old_state,
        **{field: alarm.get(field) or [] for field in ACTIONS.values()},
        "Trigger": {**{name: alarm[name] for name in TRIGGER if name in alarm}, "Dimensions": dimensions},
    }
