"""CloudWatch metrics: where our services put theirs, and how alarms read.

AWS: each service emits its documented metrics; a metric is its namespace, name and dimensions. MiniStack: AWS/Lambda
for synchronous API calls only, nothing else; every request copies all points there are. Added: the points of a metric
in the order of their times, so that a period is found without looking at the others; they are kept for ever.
"""

import bisect
import operator
import time
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from localaws.core.patching import replace

_timestamp = operator.itemgetter("Timestamp")


class Points(list[dict[str, Any]]):
    """The points of one metric, oldest first, in whatever order they are put."""

    def append(self, point: dict[str, Any]) -> None:
        """Put a point in its place."""
        bisect.insort(self, point, key=_timestamp)

    def between(self, start: float, end: float) -> list[dict[str, Any]]:
        """The points in [start, end), epoch seconds."""
        first = bisect.bisect_left(self, start, key=_timestamp)
        return self[first : bisect.bisect_left(self, end, lo=first, key=_timestamp)]


def install() -> None:
    """Keep points in order. MiniStack's own Lambda metrics would count twice: functions.py emits them on every path."""
    replace(cloudwatch, "_metric_bucket", _points)
    replace(cloudwatch, "_evict_old_metrics", lambda: None)
    replace(lambda_svc, "_emit_lambda_metrics", lambda *_arguments, **_named: None)


def put(
    namespace: str,
    name: str,
    dimensions: dict[str, str],
    value: float,
    unit: str = "Count",
    at: float | None = None,
) -> None:
    """Store one value as PutMetricData would; ``at`` in epoch seconds, None for now on localaws' clock."""
    point = {
        "Timestamp": time.time() if at is None else at,
        "Value": float(value),
        "Unit": unit,
        "Dimensions": dict(dimensions),
    }
    _points((namespace, name, cloudwatch._dims_key(dimensions))).append(point)


def statistic(alarm: dict[str, Any], start: float, end: float) -> float | None:
    """The alarm's statistic of its own metric in [start, end) (epoch seconds); None when there is no data."""
    dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []}
    points = cloudwatch._metrics.get((alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions)))
    unit = alarm.get("Unit")
    found = [p for p in points.between(start, end) if not unit or p["Unit"] == unit] if points else []
    if not found:
        return None
    name = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    value = cloudwatch._stat_value(cloudwatch._calc_stats(found), name, found)
    return None if value is None else float(value)


def _points(key: tuple[str, str, str]) -> Points:
    found: Points | None = cloudwatch._metrics.get(key)
    if found is None:
        found = cloudwatch._metrics[key] = Points()
    return found
