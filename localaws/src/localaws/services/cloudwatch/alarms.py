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
from datetime import datetime
from typing import Any

from ministack.services import cloudwatch, sns

from localaws.core import clock, targets
from localaws.core.patching import replace, wrap
from localaws.services.cloudwatch import alarm_history, metrics
from localaws.services.cloudwatch.alarm_history import ACTIONS, Evaluated
from localaws.services.cloudwatch.alarm_states import Point, next_state

SERVICE = "cloudwatch.amazonaws.com"

# CloudWatch looks at some periods more than it needs, so as to have real data points instead of missing ones.
EXTRA_PERIODS = 2

# A period of which less than this was asked for is unknown: what puts its metric may not have run.
OBSERVED = 0.9

COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
NOT_EVALUATED = {"Metrics", "ThresholdMetricId", "EvaluateLowSampleCountPercentile"}

_logger = logging.getLogger("localaws.alarms")
_evaluated_until: dict[str, float] = {}


def install() -> None:
    """Take evaluation and actions away from MiniStack, and refuse what is not evaluated here."""
    replace(cloudwatch, "_evaluate_alarm", lambda _alarm: None)
    replace(cloudwatch, "_evaluate_all_alarms", lambda: None)
    replace(cloudwatch, "_dispatch_alarm_actions", _act)
    replace(cloudwatch, "_record_history", alarm_history.record_by_name)
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
            _evaluate(alarm, now.timestamp())


def _evaluate(alarm: dict[str, Any], now: float) -> None:
    periods, old = alarm["EvaluationPeriods"], alarm["StateValue"]
    evaluated = _evaluated(alarm, now)
    points = [_point(alarm, start, value) for start, value in zip(evaluated.starts, evaluated.values, strict=True)]
    new = next_state(points, periods, alarm.get("DatapointsToAlarm") or periods, alarm["TreatMissingData"], old)
    if new == old:
        return
    reason, data = alarm_history.reason(alarm, evaluated, new)
    before = {"stateValue": old, "stateReason": alarm.get("StateReason", "")}
    alarm |= {"StateValue": new, "StateReason": reason, "StateReasonData": json.dumps(data)}
    alarm["StateUpdatedTimestamp"] = int(time.time())
    alarm_history.record_change(alarm, before, data)
    _act(alarm, old, new, reason)


def _evaluated(alarm: dict[str, Any], now: float) -> Evaluated:
    """The alarm's statistic per period of the clock, as far back as the alarm looks. The period that is not over counts
    once it has data: an alarm must not wait for its end, and a quiet beginning says nothing."""
    needed, period = alarm["EvaluationPeriods"], alarm["Period"]
    newest = now // period * period
    found: list[tuple[float, float | None]] = []
    for back in range(alarm["EvaluationPeriods"] + EXTRA_PERIODS + 1):
        start = newest - back * period
        value = metrics.statistic(alarm, start, start + period)
        if back == 0 and value is None:
            continue
        found.append((start, value))
        needed -= value is not None
        if not needed or len(found) == alarm["EvaluationPeriods"] + EXTRA_PERIODS:
            break
    starts, values = zip(*reversed(found), strict=True)
    return Evaluated(list(starts), list(values))


def _point(alarm: dict[str, Any], start: float, value: float | None) -> Point:
    if value is not None:
        is_breaching = COMPARISONS[alarm["ComparisonOperator"]](value, alarm["Threshold"])
        return Point.BREACHING if is_breaching else Point.GOOD
    observed = clock.asked_for(start, start + alarm["Period"])
    return Point.MISSING if observed >= OBSERVED * alarm["Period"] else Point.UNKNOWN


def _act(alarm: dict[str, Any], old_state: str, new_state: str, reason: str) -> None:
    """Publish the change to the topics named for the new state, as far as their policies and keys let CloudWatch."""
    topics = alarm.get(ACTIONS[new_state]) or []
    for topic_arn in topics if alarm.get("ActionsEnabled", True) else []:
        failure = targets.why_not(topic_arn, SERVICE, alarm["AlarmArn"])
        alarm_history.record_action(alarm, topic_arn, failure)
        if failure:
            _logger.error("alarm %s: %s", alarm["AlarmName"], failure)
            continue
        subject = f'{new_state}: "{alarm["AlarmName"]}" in US East (N. Virginia)'[:100]
        message = json.dumps(alarm_history.message(alarm, old_state, new_state, reason))
        sns.publish_internal(topic_arn, message, subject)
