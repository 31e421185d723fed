"""Measure what no AWS service reports: ages of data and locks, unusable keys, whether anybody receives alarms."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lake.core.s3 import Location, Storage

logger = Logger(service="watch")


class NotMeasured(Exception):
    """At least one measurement failed; the message names them. The other metrics are in CloudWatch."""


@dataclass(frozen=True)
class Settings:
    """The function's environment; below the path ``pipelines`` of SSM every pipeline registers its datasets."""

    environment: str
    namespace: str
    pipelines: str
    ledger: str
    topic: str
    keys: tuple[str, ...]

    @staticmethod
    def load(environment: Mapping[str, str]) -> "Settings":
        """The settings in these variables; raises KeyError with the name of a missing one."""
        watched = json.loads(environment["WATCHED"])
        return Settings(
            environment["ENVIRONMENT"],
            environment["METRICS_NAMESPACE"],
            watched["pipelines"],
            watched["ledger"],
            watched["topic"],
            tuple(watched["keys"]),
        )


@dataclass(frozen=True)
class Datasets:
    """Datasets with a freshness. ``raw`` maps datasets to s3://bucket/prefix/; ``curated`` names the locked ones."""

    raw: Mapping[str, str]
    curated: tuple[str, ...]


@dataclass(frozen=True)
class Metric:
    """A value for the environment or for one of its datasets; None where there is nothing to measure yet."""

    name: str
    value: float | None
    unit: MetricUnit
    dataset: str = ""


Measurement = Callable[[], Metric]


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Measure once. Raises NotMeasured after logging all metrics that could be measured."""
    settings = Settings.load(os.environ)
    metrics, failed = look(settings, client, datetime.now(UTC))
    known = [(metric, metric.value) for metric in metrics if metric.value is not None]
    for metric, value in known:
        put(settings, metric, value)
    if failed:
        raise NotMeasured(", ".join(failed))
    return {"metrics": len(known), "environment": settings.environment}


def look(settings: Settings, client: Any, now: datetime) -> tuple[list[Metric], list[str]]:
    """All metrics, and the names of what could not be measured; ``client`` makes a boto3 client."""
    try:
        datasets, missing = registered(client("ssm"), settings.pipelines)
    except Exception:  # keys and heartbeat are measured all the same; the handler raises it again
        logger.exception("not measured", extra={"measurement": "pipelines"})
        datasets, missing = Datasets({}, ()), ["pipelines"]
    metrics, failed = measured(measurements(settings, datasets, client, now))
    return metrics, missing + failed


def registered(client: Any, path: str) -> tuple[Datasets, list[str]]:
    """The datasets with a freshness that the pipelines have registered; raw ones are those below raw/.

    Also the names of the pipelines whose parameter cannot be read: the datasets of the others are measured.
    """
    pages = client.get_paginator("get_parameters_by_path").paginate(Path=path)
    raw: dict[str, str] = {}
    curated: set[str] = set()
    missing = []
    for entry in (entry for page in pages for entry in page["Parameters"]):
        try:
            pipeline = json.loads(entry["Value"])
            uris = {name: pipeline["datasets"][name] for name in pipeline["freshness"]}
            of_raw = {name: uri for name, uri in uris.items() if uri.split("/")[3] == "raw"}
        except Exception:  # whatever stands in it, the handler raises it again
            name = entry["Name"].rpartition("/")[2]
            logger.exception("not measured", extra={"measurement": name})
            missing.append(name)
            continue
        raw |= of_raw
        curated |= uris.keys() - of_raw.keys()
    return Datasets(raw, tuple(sorted(curated))), missing


@cache
def client(service: str) -> Any:
    """A client of the service. A warm process keeps it: making one takes longer than a request."""
    make: Any = boto3.client
    return make(service)


def measured(measurements: Mapping[str, Measurement]) -> tuple[list[Metric], list[str]]:
    """The heartbeat and each metric that could be measured, and the names of those that could not."""
    metrics, failed = [Metric("Heartbeat", 1, MetricUnit.Count)], []
    for name, measure in measurements.items():
        try:
            metrics.append(measure())
        except Exception:  # whatever it is, the handler raises it again when the others are through
            logger.exception("not measured", extra={"measurement": name})
            failed.append(name)
    return metrics, failed


def measurements(settings: Settings, datasets: Datasets, client: Any, now: datetime) -> dict[str, Measurement]:
    """Return the measurements by name, the name for reporting a failure; ``client`` makes a boto3 client."""
    locks = Locks(client("dynamodb"), settings.ledger)
    storage, keys, topics = client("s3"), client("kms"), client("sns")
    return {
        **{name: partial(raw_freshness, storage, name, uri, now) for name, uri in datasets.raw.items()},
        **{name: partial(curated_freshness, locks, name, now) for name in datasets.curated},
        "locks": partial(lock_age, locks, datasets.curated, now),
        "keys": partial(keys_unusable, keys, settings.keys),
        "subscriptions": partial(alert_subscriptions, topics, settings.topic),
    }


def raw_freshness(client: Any, dataset: str, uri: str, now: datetime) -> Metric:
    """Age of the newest object in the last folders."""
    newest = Storage(client).newest_of_last_folders(Location.parse(uri))
    return Metric("Freshness", (now - newest).total_seconds() if newest else None, MetricUnit.Seconds, dataset)


class Locks:
    """The lock items of the ledger; ``client`` is a boto3 DynamoDB client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def moment(self, dataset: str, name: str) -> datetime | None:
        """A moment that the dataset's lock item tells; None when it does not."""
        key = {"pk": {"S": f"dataset#{dataset}"}, "sk": {"S": "lock"}}
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
        return datetime.fromisoformat(item[name]["S"]) if name in item else None


def curated_freshness(locks: Locks, dataset: str, now: datetime) -> Metric:
    """Return the time since the last successful refresh, also one without new data."""
    completed = locks.moment(dataset, "completed_at")
    return Metric("Freshness", (now - completed).total_seconds() if completed else None, MetricUnit.Seconds, dataset)


def lock_age(locks: Locks, datasets: tuple[str, ...], now: datetime) -> Metric:
    """Return the age of the oldest held lock, 0 when no lock is held."""
    held = [moment for dataset in datasets if (moment := locks.moment(dataset, "locked_at"))]
    return Metric("LockAge", (now - min(held, default=now)).total_seconds(), MetricUnit.Seconds)


def keys_unusable(client: Any, keys: tuple[str, ...]) -> Metric:
    """Return the number of keys that are disabled, pending deletion, or otherwise not enabled."""
    states = [client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in keys]
    return Metric("KeysUnusable", sum(state != "Enabled" for state in states), MetricUnit.Count)


def alert_subscriptions(client: Any, topic: str) -> Metric:
    """Return how many addresses receive alarms: one that has not confirmed, or has left, is none."""
    attributes = client.get_topic_attributes(TopicArn=topic)["Attributes"]
    return Metric("AlertSubscriptions", int(attributes["SubscriptionsConfirmed"]), MetricUnit.Count)


def put(settings: Settings, metric: Metric, value: float) -> None:
    """Log the metric; CloudWatch takes it from the log."""
    dimensions = {"Environment": settings.environment, **({"Dataset": metric.dataset} if metric.dataset else {})}
    with single_metric(metric.name, metric.unit, value, namespace=settings.namespace, default_dimensions=dimensions):
        pass
