"""Fetch the weather of each city and store it as raw records, one object a city and day."""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from open_meteo import City, Hour, UpstreamError, fetch

from lake.core.s3 import Storage

# What is left of the function's time for storing and for saying what failed.
RESERVE_SECONDS = 15.0
HOURS_PER_DAY = 24
logger = Logger(service="batch_ingest")


class IngestFailed(Exception):
    """At least one city could not be fetched; the message is the invocation's summary as JSON."""


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    environment: str
    cities: tuple[City, ...]
    bucket: str
    prefix: str
    forecast_days: int

    @staticmethod
    def load(environment: Mapping[str, str]) -> "Settings":
        """The settings in these variables; raises KeyError with the name of a missing one."""
        uri = json.loads(environment["WRITES"])["raw_weather"]
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        cities = tuple(City(**city) for city in json.loads(environment["CITIES"]))
        return Settings(environment["ENVIRONMENT"], cities, bucket, prefix, int(environment["FORECAST_DAYS"]))


@logger.inject_lambda_context
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One invocation. Every city that answers is stored; raises IngestFailed at the end when one did not."""
    settings = Settings.load(os.environ)
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    summary = ingest(settings, client(), deadline, datetime.now(UTC))
    if summary["cities_failed"]:
        raise IngestFailed(json.dumps(summary))
    return summary


@cache
def client() -> Any:
    """The client that a warm process keeps: making one takes longer than a request."""
    return boto3.client("s3")


def ingest(settings: Settings, client: Any, deadline: float, now: datetime) -> dict[str, Any]:
    """Fetch and store every city; ``deadline`` is on the monotonic clock. Returns the summary."""
    ingestion_id, failed, records = str(uuid.uuid4()), 0, 0
    for number, city in enumerate(settings.cities):
        share = (deadline - time.monotonic()) / (len(settings.cities) - number)
        try:
            hours = fetch(city, settings.forecast_days, time.monotonic() + share)
        except UpstreamError as error:
            logger.error("city failed", extra={"city": city.name, "reason": str(error)})
            failed += 1
            continue
        if missing := settings.forecast_days * HOURS_PER_DAY - len(hours):
            logger.warning("hours missing", extra={"city": city.name, "hours": missing})
        store(settings, client, city, hours, {"ingestion_id": ingestion_id, "ingested_at": now.isoformat()})
        records += len(hours)
    return {
        "ingestion_id": ingestion_id,
        "date": now.date().isoformat(),
        "cities_processed": len(settings.cities) - failed,
        "cities_failed": failed,
        "total_records": records,
        "environment": settings.environment,
    }


def store(settings: Settings, client: Any, city: City, hours: list[Hour], origin: Mapping[str, str]) -> None:
    """Store the hours of one city, one object a day, unless the newest object of that day says the same."""
    for day, of_day in groupby(sorted(hours, key=lambda hour: hour.timestamp), key=lambda hour: hour.timestamp[:10]):
        records = [
            {"city": city.name, "latitude": city.latitude, "longitude": city.longitude, **asdict(hour)}
            for hour in of_day
        ]
        folder = f"{settings.prefix}date={day}/{city.slug}_"
        newest = _newest(client, settings.bucket, folder)
        digest = hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()[:16]
        if newest is not None and newest.endswith(f"_{digest}.json"):
            logger.info("already stored", extra={"object": newest})
            continue
        # The number keeps a correction that is later taken back from looking like something known.
        number = 1 if newest is None else int(newest.removeprefix(folder).partition("_")[0]) + 1
        lines = "".join(json.dumps({**origin, **record}) + "\n" for record in records)
        key = f"{folder}{number:04d}_{digest}.json"
        # An object that is there is of the same event, delivered twice, and says the same.
        Storage(client).create(settings.bucket, key, lines.encode(), "application/x-ndjson")
        logger.info("stored", extra={"object": key})


def _newest(client: Any, bucket: str, folder: str) -> str | None:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return max(keys, default=None)
