"""EventBridge: schedules of the Scheduler, and rules on the default bus.

AWS: a schedule calls its target with its execution role, substitutes the scheduled time, retries, and sends what
fails for good to its dead-letter queue; a rule delivers as events.amazonaws.com, if the target's own policy allows
it; both count. MiniStack: fires on its own ticks as nobody, substitutes nothing, ignores universal targets,
failures and metrics. Added: all of that. An error answer: time zones other than UTC, rules with a schedule
expression, rule targets other than Lambda, SQS and SNS.
"""

import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from localaws import authentication, clock, encryption, functions, metrics, settings
from localaws.patching import replace

SCHEDULER = "scheduler.amazonaws.com"
EVENTS = "events.amazonaws.com"
UNIVERSAL_TARGET = "arn:aws:scheduler:::aws-sdk:"
RETRYABLE = ("Throttl", "TooManyRequests", "ServiceUnavailable", "InternalFailure", "InternalError", "ServiceException")

_logger = logging.getLogger("localaws.schedules")
_last_due: dict[tuple[Any, ...], datetime] = {}
_waiting: list["Delivery"] = []


@dataclass
class Delivery:
    """One invocation of a schedule's target, from the first attempt to its end."""

    schedule: dict[str, Any]
    due: datetime
    next_attempt: datetime
    attempts: int = 0
    execution_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def input(self) -> str:
        """What the target gets: the schedule's input with its context attributes put in, in either spelling of `<`."""
        text = str(self.schedule["Target"].get("Input") or "{}")
        values = {
            "schedule-arn": self.schedule["Arn"],
            "scheduled-time": self.due.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "execution-id": self.execution_id,
            "attempt-number": str(self.attempts),
        }
        for name, value in values.items():
            text = text.replace(f"<aws.scheduler.{name}>", value).replace(f"\\u003caws.scheduler.{name}\\u003e", value)
        return text


def install() -> None:
    """Take over both tickers, the dispatch of events and the delivery to rule targets."""
    from ministack.services import eventbridge, scheduler

    replace(scheduler, "start_scheduler", lambda _original: lambda: None)
    replace(eventbridge, "start_scheduler", lambda _original: lambda: None)
    replace(scheduler, "_create_schedule", _only_utc)
    replace(scheduler, "_update_schedule", _only_utc)
    replace(eventbridge, "_put_rule", _only_event_patterns)
    replace(eventbridge, "_dispatch_event", lambda _original: _dispatch_event)
    clock.subscribe(_run_schedules)


def emit(source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """Put an event of an AWS service on the default bus."""
    from ministack.core.responses import request_scope
    from ministack.services import eventbridge

    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": resources}
    with request_scope(settings.ACCOUNT, settings.REGION):
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _only_utc(original: Any) -> Any:
    from ministack.services import scheduler

    def create_or_update(name: str, body: dict[str, Any]) -> Any:
        if body.get("ScheduleExpressionTimezone", "UTC") != "UTC":
            return scheduler._error(501, "NotImplementedException", "localaws runs schedules in UTC only")
        return original(name, body)

    return create_or_update


def _only_event_patterns(original: Any) -> Any:
    from ministack.core.responses import error_response_json

    def put_rule(data: dict[str, Any]) -> Any:
        if data.get("ScheduleExpression"):
            message = "localaws runs no scheduled rules; use EventBridge Scheduler"
            return error_response_json("NotImplementedException", message, 501)
        return original(data)

    return put_rule


def _run_schedules(now: datetime) -> None:
    from ministack.services import scheduler

    for key, schedule in list(scheduler._schedules._data.items()):
        due_times = list(_due_times(key, schedule, now))
        # Only in time that was asked for: nobody wants Spark to start every hour on a machine that idles.
        if clock.advancing() and schedule["State"] == "ENABLED":
            _waiting.extend(Delivery(schedule, due, due) for due in due_times)
    for delivery in [d for d in _waiting if d.next_attempt <= now]:
        _attempt(delivery, now)


def _due_times(key: tuple[Any, ...], schedule: dict[str, Any], now: datetime) -> Iterator[datetime]:
    """The times up to now at which the schedule has become due since the last call."""
    from ministack.services import scheduler

    expression = schedule["ScheduleExpression"]
    start = scheduler._to_epoch(schedule.get("StartDate"))
    end = scheduler._to_epoch(schedule.get("EndDate"))
    identity = (key, expression, start, schedule["CreationDate"])
    created = datetime.fromtimestamp(scheduler._to_epoch(schedule["CreationDate"]), UTC)
    begin = created if start is None else datetime.fromtimestamp(start, UTC)
    while (due := _next_due(expression, _last_due.get(identity), begin)) is not None and due <= now:
        _last_due[identity] = due
        if end is not None and due.timestamp() > end:
            return
        yield due


def _next_due(expression: str, last: datetime | None, begin: datetime) -> datetime | None:
    """AWS: a rate starts at once, or at its start date; cron and at() mean the times they name."""
    from ministack.services import eventbridge, scheduler

    at = scheduler._at_time_epoch(expression)
    if at is not None:
        return datetime.fromtimestamp(at, UTC) if last is None else None
    seconds = eventbridge._parse_rate_seconds(expression)
    if seconds is not None:
        return begin if last is None else last + timedelta(seconds=seconds)
    fields = eventbridge._parse_cron_fields(expression)
    if fields is None:
        return None
    following: datetime | None = eventbridge._cron_next_fire(fields, last or begin)
    return following


def _attempt(delivery: Delivery, now: datetime) -> None:
    delivery.attempts += 1
    group = {"ScheduleGroup": delivery.schedule["GroupName"]}
    metrics.put("AWS/Scheduler", "InvocationAttemptCount", group, 1, "Count")
    try:
        _call_target(delivery)
    except (ClientError, BotoCoreError, PermissionError, ValueError) as error:
        metrics.put("AWS/Scheduler", "TargetErrorCount", group, 1, "Count")
        _retry_or_drop(delivery, now, error)
    else:
        _waiting.remove(delivery)


def _client(delivery: Delivery, service: str) -> Any:
    role = delivery.schedule["Target"]["RoleArn"]
    return authentication.role_client(service, role, delivery.execution_id, SCHEDULER, delivery.schedule["Arn"])


def _call_target(delivery: Delivery) -> None:
    target_arn = delivery.schedule["Target"]["Arn"]
    service = target_arn.split(":")[2]
    if target_arn.startswith(UNIVERSAL_TARGET):
        service, action = target_arn.removeprefix(UNIVERSAL_TARGET).split(":")
        getattr(_client(delivery, service), xform_name(action))(**json.loads(delivery.input))
    elif service == "lambda":
        _client(delivery, "lambda").invoke(FunctionName=target_arn, InvocationType="Event", Payload=delivery.input)
    elif service == "sqs":
        _client(delivery, "sqs").send_message(QueueUrl=functions.queue_url(target_arn), MessageBody=delivery.input)
    elif service == "sns":
        _client(delivery, "sns").publish(TopicArn=target_arn, Message=delivery.input)
    else:
        raise ValueError(f"localaws' Scheduler has no target {target_arn}")


def _retry_or_drop(delivery: Delivery, now: datetime, error: Exception) -> None:
    policy = delivery.schedule["Target"].get("RetryPolicy") or {}
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    again = now + timedelta(seconds=min(60 * 2 ** (delivery.attempts - 1), 3600))
    _logger.warning("schedule %s, attempt %s: %s", delivery.schedule["Name"], delivery.attempts, error)
    if not any(word in code for word in RETRYABLE):
        condition = ""
    elif delivery.attempts > int(policy.get("MaximumRetryAttempts", 185)):
        condition = "MaximumRetryAttempts"
    elif again > delivery.due + timedelta(seconds=int(policy.get("MaximumEventAgeInSeconds", 86400))):
        condition = "MaximumEventAgeInSeconds"
    else:
        delivery.next_attempt = again
        return
    _waiting.remove(delivery)
    metrics.put(
        "AWS/Scheduler", "InvocationDroppedCount", {"ScheduleGroup": delivery.schedule["GroupName"]}, 1, "Count"
    )
    _to_dead_letters(
        delivery, {"ERROR_CODE": code, "ERROR_MESSAGE": str(error), "EXHAUSTED_RETRY_CONDITION": condition}
    )


def _to_dead_letters(delivery: Delivery, why: dict[str, str]) -> None:
    target = delivery.schedule["Target"]
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue:
        return
    group = {"ScheduleGroup": delivery.schedule["GroupName"]}
    about = why | {
        "EXECUTION_ID": delivery.execution_id,
        "RETRY_ATTEMPTS": str(delivery.attempts - 1),
        "SCHEDULED_TIME": delivery.due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SCHEDULE_ARN": delivery.schedule["Arn"],
        "TARGET_ARN": target["Arn"],
    }
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in about.items() if value}
    try:
        _client(delivery, "sqs").send_message(
            QueueUrl=functions.queue_url(queue), MessageBody=delivery.input, MessageAttributes=attributes
        )
    except (ClientError, BotoCoreError, PermissionError) as error:
        _logger.error("schedule %s: dead letter not delivered: %s", delivery.schedule["Name"], error)
        metrics.put("AWS/Scheduler", "InvocationsFailedToBeSentToDeadLetterCount", group, 1, "Count")
    else:
        metrics.put("AWS/Scheduler", "InvocationsSentToDeadLetterCount", group, 1, "Count")


def _dispatch_event(event: dict[str, Any], view: Any = None) -> None:
    """Deliver an event to the targets of every enabled rule whose pattern matches."""
    from ministack.services import eventbridge

    view = view or eventbridge._pattern_event_view(event)
    for key, rule in list(eventbridge._rules.items()):
        if rule.get("EventBusName", "default") != event.get("EventBusName", "default") or rule["State"] != "ENABLED":
            continue
        if rule.get("EventPattern") and eventbridge._matches_pattern_view(rule["EventPattern"], view, f"rule {key}"):
            metrics.put("AWS/Events", "TriggeredRules", {"RuleName": rule["Name"]}, 1, "Count")
            for target in eventbridge._targets.get(key, []):
                _deliver(target, event, rule, view)


def _deliver(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any) -> None:
    from ministack.services import eventbridge, sqs

    name = {"RuleName": rule["Name"]}
    metrics.put("AWS/Events", "Invocations", name, 1, "Count")
    reason = _why_not(target["Arn"], rule["Arn"])
    if reason is None:
        eventbridge._invoke_target(target, event, rule, view)
        return
    _logger.error("rule %s: %s", rule["Name"], reason)
    metrics.put("AWS/Events", "FailedInvocations", name, 1, "Count")
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue and sqs.queue_policy_allows(queue, EVENTS, rule["Arn"], settings.ACCOUNT):
        eventbridge._dispatch_to_sqs(eventbridge.parse_arn(queue), json.dumps(view.event_with_detail()))
        metrics.put("AWS/Events", "InvocationsSentToDlq", name, 1, "Count")


def _why_not(target_arn: str, rule_arn: str) -> str | None:
    """Why EventBridge cannot deliver to a target, by the target's own policy; None when it can."""
    from ministack.services import lambda_svc, sns, sqs

    service = target_arn.split(":")[2]
    if service == "sns":
        if not sns.topic_policy_allows(target_arn, EVENTS, rule_arn, settings.ACCOUNT):
            return f"the policy of {target_arn} does not let {EVENTS} publish"
        return encryption.why_service_cannot_use_topic_key(target_arn, EVENTS, rule_arn)
    if service == "sqs":
        allowed = sqs.queue_policy_allows(target_arn, EVENTS, rule_arn, settings.ACCOUNT)
        return None if allowed else f"the policy of {target_arn} does not let {EVENTS} send"
    if service == "lambda":
        policy, _ = lambda_svc.function_policy_for_arn(target_arn) or ({}, "")
        allowed = authentication.service_allowed(policy, EVENTS, "lambda:InvokeFunction", target_arn, rule_arn)
        return None if allowed else f"{target_arn} has no permission for {EVENTS} to invoke it"
    return f"localaws delivers rules to Lambda, SQS and SNS, not to {target_arn}"
