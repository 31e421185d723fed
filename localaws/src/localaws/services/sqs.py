"""SQS metrics.

AWS: says once a minute how many messages of a queue wait, how many are being worked on, and how old the oldest is.
MiniStack: says so when asked only. Added: the metrics, by our clock, for every queue.
"""

from datetime import datetime
from typing import Any

from ministack.services import sqs

from localaws.core import clock
from localaws.services.cloudwatch import metrics

GAUGES = {
    "ApproximateNumberOfMessagesVisible": "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
}

_measured_at = 0.0


def install() -> None:
    """Begin to measure."""
    clock.subscribe(_measure_due)


def _measure_due(now: datetime) -> None:
    global _measured_at
    if now.timestamp() - _measured_at < 60:
        return
    _measured_at = now.timestamp()
    for queue in list(sqs._queues.values()):
        _measure(queue, now.timestamp())


def _measure(queue: dict[str, Any], now: float) -> None:
    messages = list(queue["messages"])
    for message in messages:
        sqs._ensure_msg_fields(message)
    sqs._refresh_counts(queue)
    dimensions = {"QueueName": queue["name"]}
    for metric, attribute in GAUGES.items():
        metrics.put("AWS/SQS", metric, dimensions, float(queue["attributes"][attribute]))
    # A message that came from another queue keeps its first age, as on AWS.
    oldest = min((message["sent_at"] for message in messages), default=now)
    metrics.put("AWS/SQS", "ApproximateAgeOfOldestMessage", dimensions, max(now - oldest, 0.0), "Seconds")
