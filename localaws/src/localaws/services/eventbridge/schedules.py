"""Schedules of EventBridge Scheduler.

AWS: a schedule calls its target with its execution role, substitutes the scheduled time, retries, and sends what
fails for good to its dead-letter queue; all of it counts. MiniStack: fires on its own ticks as nobody, substitutes
nothing, ignores universal targets, failures and metrics. Added: all of that. An error answer: time zones other than
UTC.
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
from ministack.services import eventbridge, scheduler

from localaws.core import clock, targets
from localaws.core import identity as authentication
from localaws.core.patching import replace, wrap
from localaws.services.cloudwatch import metrics

SERVICE = "scheduler.amazonaws.com"
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
        """Return the target's input: the schedule's, with context attributes put in, in either spelling of `<`."""
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

    def client(self, service: str) -> Any:
        """A client of the schedule's role, which must trust the Scheduler."""
        role, arn = self.schedule["Target"]["RoleArn"], self.schedule["Arn"]
        return authentication.role_client(service, role, self.schedule["Name"], SERVICE, arn)

    def count(self, metric: str) -> None:
        """Add one to a metric of the schedule's group."""
        metrics.put("AWS/Scheduler", metric, {"ScheduleGroup": self.schedule["GroupName"]}, 1)


def install() -> None:
    """Take over the ticker."""
    replace(scheduler, "start_scheduler", lambda: None)
    wrap(scheduler, "_create_schedule", _only_utc)
    wrap(scheduler, "_update_schedule", _only_utc)
    clock.subscribe(_run_schedules)


def _only_utc(original: Any, name: str, body: dict[str, Any]) -> Any:
    if body.get("ScheduleExpressionTimezone", "UTC") != "UTC":
        return scheduler._error(501, "NotImplementedException", "localaws runs schedules in UTC only")
    return original(name, body)


def _run_schedules(now: datetime) -> None:
    for key, schedule in list(scheduler._schedules._data.items()):
        due_times = list(_due_times(key, schedule, now))
        # Schedules fire only while the clock is advanced explicitly, so that an idle laptop does not start Spark.
        if clock.advancing() and schedule["State"] == "ENABLED":
            _waiting.extend(Delivery(schedule, due, due) for due in due_times)
    for delivery in [d for d in _waiting if d.next_attempt <= now]:
        _attempt(delivery, now)


def _due_times(key: tuple[Any, ...], schedule: dict[str, Any], now: datetime) -> Iterator[datetime]:
    """The times up to now at which the schedule has become due since the last call."""
    expression = schedule["ScheduleExpression"]
    start = scheduler._to_epoch(schedule.get("StartDate"))
    end = scheduler._to_epoch(schedule.get("EndDate"))
    created = scheduler._to_epoch(schedule["CreationDate"])
    identity = (key, expression, start, created)
    begin = datetime.fromtimestamp(created if start is None else start, UTC)
    while (due := _next_due(expression, _last_due.get(identity), begin)) is not None and due <= now:
        _last_due[identity] = due
        if end is not None and due.timestamp() > end:
            return
        yield due


def _next_due(expression: str, last: datetime | None, begin: datetime) -> datetime | None:
    """AWS: a rate starts at once, or at its start date; cron and at() mean the times they name."""
    at = scheduler._at_time_epoch(expression)
    if at is not None:
        return datetime.fromtimestamp(at, UTC) if last is None else None
    seconds = eventbridge._parse_rate_seconds(expression)
    if seconds is not None:
        return begin if last is None else last + timedelta(seconds=seconds)
    fields = eventbridge._parse_cron_fields(expression)
    following: datetime | None = eventbridge._cron_next_fire(fields, last or begin) if fields else None
    return following


def _attempt(delivery: Delivery, now: datetime) -> None:
    delivery.attempts += 1
    delivery.count("InvocationAttemptCount")
    target_arn = delivery.schedule["Target"]["Arn"]
    try:
        if target_arn.startswith(UNIVERSAL_TARGET):
            service, action = target_arn.removeprefix(UNIVERSAL_TARGET).split(":")
            getattr(delivery.client(service), xform_name(action))(**json.loads(delivery.input))
        else:
            targets.send(delivery.client, target_arn, delivery.input)
    except (ClientError, BotoCoreError, PermissionError, ValueError) as error:
        delivery.count("TargetErrorCount")
        _retry_or_drop(delivery, now, error)
    else:
        _waiting.remove(delivery)


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
    delivery.count("InvocationDroppedCount")
    _to_dead_letters(delivery, code, str(error), condition)


def _to_dead_letters(delivery: Delivery, code: str, message: str, exhausted: str) -> None:
    target = delivery.schedule["Target"]
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue:
        return
    about = {
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message,
        "EXHAUSTED_RETRY_CONDITION": exhausted,
        "EXECUTION_ID": delivery.execution_id,
        "RETRY_ATTEMPTS": str(delivery.attempts - 1),
        "SCHEDULED_TIME": delivery.due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SCHEDULE_ARN": delivery.schedule["Arn"],
        "TARGET_ARN": target["Arn"],
    }
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in about.items() if value}
    try:
        targets.send(delivery.client, queue, delivery.input, attributes)
    except (ClientError, BotoCoreError, PermissionError) as error:
        _logger.error("schedule %s: dead letter not delivered: %s", delivery.schedule["Name"], error)
        delivery.count("InvocationsFailedToBeSentToDeadLetterCount")
    else:
        delivery.count("InvocationsSentToDeadLetterCount")
