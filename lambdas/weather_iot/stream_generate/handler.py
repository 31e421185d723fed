"""Send one reading of every sensor to the delivery stream: stands where a fleet of devices would be.

Temperature and humidity are real measurements (readings.json); air quality and battery are drawn. All follow from
sensor and scheduled time alone, so that an event that is delivered twice sends the same readings twice.
"""

import hashlib
import json
import os
import random
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from lake.core import firehose
from lake.core.s3 import Storage

_SLOTS_PER_DAY = 288
logger = Logger(service="stream_generate")


class DeliveryFailed(Exception):
    """The stream did not take some records after several attempts."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """One invocation; ``event["time"]`` is the scheduled time (ISO 8601), else now. Raises DeliveryFailed."""
    cities = [city["name"] for city in json.loads(os.environ["CITIES"])]
    moment = datetime.fromisoformat(event["time"]) if event.get("time") else datetime.now(UTC)
    sent = [reading(city, number, moment) for city in cities for number in range(int(os.environ["SENSORS_PER_CITY"]))]
    records = [json.dumps(entry).encode() + b"\n" for entry in sent]
    large = [record for record in records if len(record) > firehose.BYTES_PER_RECORD]
    for record in large:
        store(client("s3"), json.loads(os.environ["WRITES"])["raw_iot_sensors"], record, moment)
    send(client("firehose"), os.environ["FIREHOSE_NAME"], [record for record in records if record not in large])
    logger.info("sent", extra={"records": len(sent), "stored": len(large)})
    return {"records_sent": len(sent), "environment": os.environ["ENVIRONMENT"], "time": moment.isoformat()}


@cache
def client(service: str) -> Any:
    """A client of the service. A warm process keeps it: making one takes longer than a request."""
    make: Any = boto3.client
    return make(service)


def reading(city: str, number: int, moment: datetime) -> dict[str, Any]:
    """The reading of one sensor at one moment."""
    sensor = sensor_id(city, number)
    draw = random.Random(f"{sensor} {moment.isoformat()}")  # noqa: S311 - a simulation, not a secret
    low, high = draw.choices([(0, 50), (51, 100), (101, 200)], weights=[70, 20, 10])[0]
    temperature, humidity = _measured(number, moment)
    return {
        "sensor_id": sensor,
        "city": city,
        "timestamp": moment.isoformat(),
        "temperature_c": temperature,
        "humidity_pct": humidity,
        "aqi": draw.randint(low, high),
        "battery_level": round(draw.uniform(15, 100), 1),
    }


def sensor_id(city: str, number: int) -> str:
    """``sensor-`` and 12 hexadecimal digits, the same for ever for the number-th sensor of a city."""
    return f"sensor-{hashlib.sha256(f'{city}_{number:03d}'.encode()).hexdigest()[:12]}"


def send(client: Any, stream: str, records: list[bytes]) -> None:
    """Put all records; only those that the stream refused are sent again. Raises DeliveryFailed when some remain."""
    batches = firehose.batches(records, bytes)
    refused = [record for batch in batches for record in firehose.put(client, stream, batch, bytes)]
    if refused:
        raise DeliveryFailed(
            f"{len(refused)} of {len(records)} records were refused by {stream} {firehose.ATTEMPTS} times"
        )


def store(client: Any, uri: str, record: bytes, moment: datetime) -> None:
    """Put a record that the stream would not take into raw; the same event again finds it there."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    digest = hashlib.sha256(record).hexdigest()[:16]
    key = f"{prefix}year={moment:%Y}/month={moment:%m}/day={moment:%d}/large_{digest}.json"
    Storage(client).create(bucket, key, record, "application/x-ndjson")
    logger.warning("too large for the stream", extra={"object": key, "bytes": len(record)})


def _measured(number: int, moment: datetime) -> tuple[float, float]:
    """Temperature (°C) and humidity (%) that a real device measured at this time of day."""
    devices = json.loads((Path(__file__).parent / "readings.json").read_text(encoding="utf-8"))["devices"]
    slot = (moment.hour * 60 + moment.minute) // 5 % _SLOTS_PER_DAY
    temperature, humidity = devices[number % len(devices)][slot]
    return temperature, humidity
