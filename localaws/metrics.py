"""CloudWatch metrics that the services emit about themselves.

AWS: each service emits its documented metrics. MiniStack: AWS/Lambda for synchronous API calls only, nothing else.
Added: one place where our planes put theirs, and from which alarms read exactly the metric they name, dimensions
included.
"""

import time
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from localaws.patching import replace


def install() -> None:
    """MiniStack's own Lambda metrics would be counted twice: functions.py emits them on every path."""
    replace(lambda_svc, "_emit_lambda_metrics", lambda *_arguments, **_named: None)


def put(namespace: str, name: str, dimensions: dict[str, str], value: float, unit: str = "Count") -> None:
    """Store one value now (on localaws' clock), as PutMetricData would."""
    point = {"Timestamp": time.time(), "Value": float(value), "Unit": unit, "Dimensions": dict(dimensions)}
    cloudwatch._metric_bucket((namespace, name, cloudwatch._dims_key(dimensions))).append(point)


def statistic(alarm: dict[str, Any], start: float, end: float) -> float | None:
    """The alarm's statistic of its own metric in [start, end) (epoch seconds); None when there is no data."""
    dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []}
    points = cloudwatch._metrics.get((alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))) or []
    unit = alarm.get("Unit")
    found = [p for p in points if start <= p["Timestamp"] < end and (not unit or p["Unit"] == unit)]
    if not found:
        return None
    name = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    value = cloudwatch._stat_value(cloudwatch._calc_stats(found), name, found)
    return None if value is None else float(value)
