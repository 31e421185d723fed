"""Fetch the weather of each city and store it as raw records, one object a city and day."""

import hashlib
import json
import os
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple
from unicodedata import normalize

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from open_meteo import HOURS_PER_DAY, City, Hour, UpstreamError, fetch

from lake.core.s3 import Location, Storage

# What is left of the function's time for storing and for saying what failed.
RESERVE_SECONDS = 15.0
logger = Logger(service="batch_ingest")


# Keys as Terraform makes and checks them, and what stands behind one in the name of an object.
_KEY = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
_REVISION = re.compile(r"(?P<number>[0-9]{4,})_(?P<digest>[0-9a-f]{16})\.json")


class IngestFailed(Exception):
    """At least one city could not be fetched; the message is the invocation's summary as JSON."""


class Revision(NamedTuple):
    """One of the answers for a city and day, numbered from 1."""

    number: int
    digest: str


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
        """The settings in these variables.

        Raises KeyError with the name of a missing one, ValueError with the name of a city that cannot be asked for.
        """
        uri = json.loads(environment["WRITES"])["raw_weather"]
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        cities = _told_apart([City(**city) for city in json.loads(environment["CITIES"])])
        return Settings(environment["ENVIRONMENT"], cities, bucket, prefix, int(environment["FORECAST_DAYS"]))


def _told_apart(cities: Sequence[City]) -> tuple[City, ...]:
    """The cities, if each is a place and has a name and a key of its own; raises ValueError."""
    for city in cities:
        for what, value, most in (("latitude", city.latitude, 90), ("longitude", city.longitude, 180)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= most:
                raise ValueError(f"{city.name} has the {what} {value!r}, not a number of degrees up to {most}")
        if _KEY.fullmatch(city.key) is None:
            raise ValueError(f"{city.name} has the key {city.key!r}, not words of a-z and 0-9 joined by underscores")
    for what, words in (("name", [normalize("NFC", city.name) for city in cities]), ("key", [c.key for c in cities])):
        for word, times in Counter(words).items():
            if times > 1:
                raise ValueError(f"there is a city with the {what} {word!r} twice: {[city.name for city in cities]}")
    return tuple(cities)


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
        folder = f"{settings.prefix}date={day}/"
        digest = hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()[:16]
        newest = max(_revisions(client, settings.bucket, folder, city), default=Revision(0, ""))
        if newest.digest == digest:
            logger.info("already stored", extra={"object": _key(folder, city, newest)})
            continue
        # The number keeps a correction that is later taken back from looking like something known.
        key = _key(folder, city, Revision(newest.number + 1, digest))
        lines = "".join(json.dumps({**origin, **record}) + "\n" for record in records)
        # An object that is there is of the same event, delivered twice, and says the same.
        Storage(client).create(settings.bucket, key, lines.encode(), "application/x-ndjson")
        logger.info("stored", extra={"object": key})


def _key(folder: str, city: City, revision: Revision) -> str:
    return f"{folder}{city.key}_{revision.number:04d}_{revision.digest}.json"


def _revisions(client: Any, bucket: str, folder: str, city: City) -> Iterator[Revision]:
    """Yield what is stored of a city's day, and of no other city whose name only begins alike."""
    beginning = f"{city.key}_"
    for entry in Storage(client).list_named(Location(bucket, folder), beginning):
        if named := _REVISION.fullmatch(entry.key.removeprefix(f"{folder}{beginning}")):
            yield Revision(int(named["number"]), named["digest"])
