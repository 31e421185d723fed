"""The data that goes through the deployed lake step by step."""

import json
import secrets
from typing import Any

import pytest

from drills.weather_iot import open_meteo
from drills.weather_iot.open_meteo import weather_record
from tests.pipelines.deployment import Deployed, Invocation

MOMENT = "2025-06-01T12:00:00+00:00"
BY_HAND = "raw/weather/date=2025-06-01/by_hand.json"
PLANTED = "raw/iot-sensors/year=2025/month=06/day=01/planted.json"
PARIS = "latitude=48.8566"


@pytest.fixture(scope="module")
def canary(deployed: Deployed) -> str:
    """A second version of the pseudonym key, for events of long ago: none has it, and rotations may follow."""
    client, name = deployed.client("secretsmanager"), deployed.names["pseudonym_key"]
    value = json.loads(deployed.pseudonym_key())
    key = f"canary{secrets.token_hex(29)}"
    value["versions"].append({"version": 2, "valid_from": "1950-01-01T00:00:00Z", "key": key})
    client.put_secret_value(SecretId=name, SecretString=json.dumps(value))
    return key


@pytest.fixture(scope="module")
def partly_ingested(deployed: Deployed) -> Invocation:
    """The first ingestion of all: the API refuses Paris."""
    deployed.break_simulator(open_meteo.SIMULATOR, {"status": 400, "body": "{}", "times": 0, "match": PARIS})
    try:
        return deployed.invoke("batch_ingest", {})
    finally:
        deployed.break_simulator(open_meteo.SIMULATOR)


@pytest.fixture(scope="module")
def without_paris(deployed: Deployed, partly_ingested: Invocation) -> set[str]:
    """The raw weather objects that the first ingestion left."""
    return set(deployed.objects("raw/weather/"))


@pytest.fixture(scope="module")
def ingested(deployed: Deployed, without_paris: set[str]) -> Invocation:
    """The next ingestion, in which the API answers for all."""
    return deployed.invoke("batch_ingest", {})


@pytest.fixture(scope="module")
def messages(deployed: Deployed) -> list[str]:
    """The same event twice; the keys of the objects that were delivered, in order."""
    delivered: list[str] = []
    for _ in range(2):
        answer = deployed.invoke("stream_generate", {"time": MOMENT})
        assert answer.payload == {"records_sent": 15, "environment": "dev", "time": MOMENT}
        deployed.flush()
        delivered += sorted(set(deployed.objects("raw/iot-sensors/")) - set(delivered))
    return delivered


@pytest.fixture(scope="module")
def planted(deployed: Deployed, messages: list[str]) -> str:
    """A sensor id that somebody wrote into raw by hand, in a good record and in broken ones."""
    sensor = f"planted-{secrets.token_hex(8)}"
    good: dict[str, Any] = {
        "sensor_id": sensor, "city": "Paris", "timestamp": "2025-06-01T13:00:00Z", "temperature_c": 20.5,
        "humidity_pct": 40, "aqi": 12, "battery_level": 80.0,
    }  # fmt: skip
    deployed.put(
        PLANTED,
        good,
        {**good, "temperature_c": 61},
        {**good, "aqi": f"reported by {sensor}"},
        {**good, "sensor_id": f"{sensor} with a space"},
        {**good, "timestamp": f"when {sensor} woke up"},
        json.dumps(good)[:-20],
        f"{sensor} is no JSON",
        f'["{sensor}"]',
    )
    return sensor


@pytest.fixture(scope="module")
def by_hand(deployed: Deployed, ingested: Invocation) -> None:
    """Weather that somebody wrote by hand: one record is good, the other is 999 degrees hot."""
    deployed.put(
        BY_HAND,
        weather_record("Reykjavík", "2025-06-01T12:00", 9.5),
        weather_record("Reykjavík", "2025-06-01T13:00", 999),
    )


@pytest.fixture(scope="module")
def transformed(deployed: Deployed, by_hand: None, planted: str) -> dict[str, Any]:
    """The first run of the job, over all of this."""
    run = deployed.run_job()
    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    return run
