"""Rules of EventBridge on the default bus.

AWS: a rule delivers as events.amazonaws.com, if the target's own policy allows it, and counts. MiniStack: matches
events and builds what targets get, but delivers as nobody and counts nothing. Added: the policies, the metrics, the
dead letters; API calls that read only, for the rules that ask for them. An error answer: rules with a schedule
expression. Failed: targets other than Lambda, SQS and SNS.
"""

import json
import logging
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import eventbridge

from localaws.core import targets
from localaws.core.patching import replace, wrap
from localaws.services.cloudwatch import metrics

SERVICE = "events.amazonaws.com"
API_CALL = "AWS API Call via CloudTrail"
# A rule in this state gets the calls that read only as well.
WITH_READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

_logger = logging.getLogger("localaws.events")


def install() -> None:
    """Take over the dispatch of events; nothing fires by itself."""
    replace(eventbridge, "start_scheduler", lambda: None)
    replace(eventbridge, "_dispatch_event", _dispatch)
    wrap(eventbridge, "_put_rule", _only_event_patterns)


def emit(source: str, detail_type: str, detail: dict[str, Any]) -> None:
    """Put an event of an AWS service on the default bus."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": []}
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _only_event_patterns(original: Any, data: dict[str, Any]) -> Any:
    if data.get("ScheduleExpression"):
        message = "localaws runs no scheduled rules; use EventBridge Scheduler"
        return error_response_json("NotImplementedException", message, 501)
    return original(data)


def _dispatch(event: dict[str, Any], view: Any = None) -> None:
    """Deliver an event to the targets of every enabled rule whose pattern matches."""
    view = view or eventbridge._pattern_event_view(event)
    for key, rule in list(eventbridge._rules.items()):
        if rule.get("EventBusName", "default") != event.get("EventBusName", "default") or not _takes(rule, event):
            continue
        if rule.get("EventPattern") and eventbridge._matches_pattern_view(rule["EventPattern"], view, f"rule {key}"):
            _count(rule, "TriggeredRules")
            for target in eventbridge._targets.get(key, []):
                _deliver(target, event, rule, view)


def _takes(rule: dict[str, Any], event: dict[str, Any]) -> bool:
    detail = event.get("Detail") or "{}"
    reads = event.get("DetailType") == API_CALL and json.loads(detail).get("readOnly") is True
    return bool(rule["State"] == WITH_READS or (rule["State"] == "ENABLED" and not reads))


def _deliver(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any) -> None:
    _count(rule, "Invocations")
    reason = targets.why_not(target["Arn"], SERVICE, rule["Arn"])
    if reason is None:
        eventbridge._invoke_target(target, event, rule, view)
        return
    _logger.error("rule %s: %s", rule["Name"], reason)
    _count(rule, "FailedInvocations")
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue and targets.why_not(queue, SERVICE, rule["Arn"]) is None:
        eventbridge._dispatch_to_sqs(eventbridge.parse_arn(queue), json.dumps(view.event_with_detail()))
        _count(rule, "InvocationsSentToDlq")


def _count(rule: dict[str, Any], metric: str) -> None:
    metrics.put("AWS/Events", metric, {"RuleName": rule["Name"]}, 1)
