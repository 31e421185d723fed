"""Sources to raw: which objects arrive, with which bytes, and what a repetition and a failure do."""

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

from simulators.weather_iot.open_meteo import replay
from tests.pipelines.deployment import Deployed, Invocation
from tests.pipelines.weather_iot.first_day import MOMENT

RECORDED = {
    "Adelaide": "adelaide_hourly_2026-07-16_ms_units",
    "Brasília": "brasilia_hourly_2023-08-05",
    "Kathmandu": "kathmandu_hourly_2026-08-12",
    "Melbourne": "melbourne_current_hourly_daily_2025-05-09",
    "Paris": "paris_hourly_2023-08-05_cest",
}
DAYS = 7


def recorded(city: str) -> dict[str, float]:
    """Hour (UTC, as raw writes it) to temperature of a city, from the provider's answer itself."""
    text = (replay.RECORDINGS / f"{RECORDED[city]}.json").read_text(encoding="utf-8")
    answer = json.loads(text)
    offset = timedelta(seconds=answer["utc_offset_seconds"])
    hours = [datetime.fromisoformat(hour) - offset for hour in answer["hourly"]["time"][: 24 * DAYS]]
    return dict(zip((f"{hour:%Y-%m-%dT%H:%M}" for hour in hours), answer["hourly"]["temperature_2m"], strict=False))


def test_one_city_that_fails_does_not_keep_the_others_from_raw(
    partly_ingested: Invocation, without_paris: set[str]
) -> None:
    assert partly_ingested.error == "Unhandled"
    assert partly_ingested.payload["errorType"] == "IngestFailed"
    summary = json.loads(partly_ingested.payload["errorMessage"])
    assert (summary["cities_processed"], summary["cities_failed"]) == (4, 1)
    cities = {key.rsplit("/", 1)[1].split("_")[0] for key in without_paris}
    assert cities == {"adelaide", "brasilia", "kathmandu", "melbourne"}


def test_the_summary_has_the_six_promised_fields(deployed: Deployed, ingested: Invocation) -> None:
    assert ingested.error == ""
    summary = dict(ingested.payload)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", summary.pop("ingestion_id"))
    assert timedelta(0) <= deployed.now.date() - datetime.fromisoformat(summary.pop("date")).date() <= timedelta(1)
    assert summary == {"cities_processed": 5, "cities_failed": 0, "total_records": 744, "environment": "dev"}


def test_raw_holds_every_recorded_hour_in_an_object_of_its_city_and_day(
    deployed: Deployed, ingested: Invocation
) -> None:
    temperatures: dict[str, dict[str, float]] = {}
    for key in deployed.objects("raw/weather/"):
        named = re.fullmatch(r"raw/weather/date=(\d{4}-\d\d-\d\d)/([a-z]+)_0001_[0-9a-f]{16}\.json", key)
        if named is None:  # written by hand
            continue
        records = deployed.records(key)
        (city,) = {record["city"] for record in records}
        assert {record["timestamp"][:10] for record in records} == {named[1]}
        assert named[2] == city.lower().replace("í", "i")
        hours = temperatures.setdefault(city, {})
        hours |= {record["timestamp"]: record["temperature_c"] for record in records}
    assert temperatures == {city: recorded(city) for city in RECORDED}
    assert sum(map(len, temperatures.values())) == 744


def test_an_ingestion_that_brings_nothing_new_stores_nothing(deployed: Deployed, ingested: Invocation) -> None:
    before = deployed.etags("raw/weather/")
    again = deployed.invoke("batch_ingest", {})
    assert (again.error, again.payload["total_records"]) == ("", 744)
    assert deployed.etags("raw/weather/") == before


def test_a_delivery_is_one_gzip_object_in_the_folder_of_its_day(deployed: Deployed, messages: list[str]) -> None:
    first = messages[0]
    head = deployed.client("s3").get_object(Bucket=deployed.bucket, Key=first)
    assert head["Body"].read(2) == b"\x1f\x8b"
    assert head["ServerSideEncryption"] == "aws:kms"
    delivered = head["LastModified"].astimezone(UTC)
    assert first.startswith(f"raw/iot-sensors/{delivered:year=%Y/month=%m/day=%d}/")
    records = deployed.records(first)
    assert len(records) == 15
    assert Counter(record["city"] for record in records) == dict.fromkeys(RECORDED, 3)
    assert {record["timestamp"] for record in records} == {MOMENT}
    assert len({record["sensor_id"] for record in records}) == 15


def test_an_event_that_is_repeated_sends_the_same_bytes_again(deployed: Deployed, messages: list[str]) -> None:
    first, second = messages
    assert deployed.read(first) == deployed.read(second)
