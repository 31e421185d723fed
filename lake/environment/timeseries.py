"""Read CloudWatch time series (GetMetricData)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_QUERIES_PER_CALL = 500


@dataclass(frozen=True)
class Metric:
    """One metric with all dimensions that it was put with, and the statistic to read, e.g. Sum or Maximum."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str


@dataclass(frozen=True)
class Point:
    """The value of one period; ``at`` is its start (UTC)."""

    at: datetime
    value: float


def read(
    client: Any, metrics: Sequence[Metric], start: datetime, end: datetime, period: int
) -> list[tuple[Point, ...]]:
    """Return the points of each metric, oldest first, in the order of ``metrics``; periods without data are left out.

    ``client`` is a boto3 CloudWatch client, ``start`` and ``end`` are UTC, ``period`` is in seconds.
    """
    found: list[tuple[Point, ...]] = []
    for first in range(0, len(metrics), _QUERIES_PER_CALL):
        found += _read(client, metrics[first : first + _QUERIES_PER_CALL], start, end, period)
    return found


def total(points: Sequence[Point]) -> float:
    """Return the sum of the points' values."""
    return sum(point.value for point in points)


def _read(
    client: Any, metrics: Sequence[Metric], start: datetime, end: datetime, period: int
) -> list[tuple[Point, ...]]:
    queries = [_query(f"m{number}", metric, period) for number, metric in enumerate(metrics)]
    points: dict[str, list[Point]] = {query["Id"]: [] for query in queries}
    pages = client.get_paginator("get_metric_data").paginate(MetricDataQueries=queries, StartTime=start, EndTime=end)
    for page in pages:
        for result in page["MetricDataResults"]:
            pairs = zip(result["Timestamps"], result["Values"], strict=True)
            points[result["Id"]] += [Point(moment.astimezone(UTC), value) for moment, value in pairs]
    return [tuple(sorted(points[query["Id"]], key=lambda point: point.at)) for query in queries]


def _query(name: str, metric: Metric, period: int) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in metric.dimensions.items()]
    asked = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": asked, "Period": period, "Stat": metric.statistic}}
