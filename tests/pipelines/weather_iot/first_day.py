"""The first day of a deployed lake: an ingestion that fails in part, messages, records by hand, a run of the job."""

import json
import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from drills.weather_iot import open_meteo
from drills.weather_iot.open_meteo import weather_record
from tests.local_aws import REPOSITORY
from tests.pipelines.deployment import Deployed, Invocation, Played

MOMENT = "2025-06-01T12:00:00+00:00"
BY_HAND = "raw/weather/date=2025-06-01/by_hand.json"
PLANTED = "raw/iot-sensors/year=2025/month=06/day=01/planted.json"
PARIS = "latitude=48.8566"


class FirstDay:
    """What happens on the first day of ``lake``. Each step happens when it is asked for first, after those it needs.

    ``happened`` has what is known of steps that have happened before a snapshot from which the lake was restored.
    """

    def __init__(self, lake: Deployed, happened: Mapping[str, Any] | None = None) -> None:
        self.lake = lake
        vars(self).update(happened or {})

    @cached_property
    def partly_ingested(self) -> Invocation:
        """The first ingestion of all: the API refuses Paris."""
        self.lake.break_simulator(open_meteo.SIMULATOR, {"status": 400, "body": "{}", "times": 0, "match": PARIS})
        try:
            return self.lake.invoke("batch_ingest", {})
        finally:
            self.lake.break_simulator(open_meteo.SIMULATOR)

    @cached_property
    def without_paris(self) -> set[str]:
        """The raw weather objects that the first ingestion has left."""
        assert self.partly_ingested.error
        return set(self.lake.objects("raw/weather/"))

    @cached_property
    def ingested(self) -> Invocation:
        """The next ingestion, in which the API answers for all."""
        assert self.without_paris
        return self.lake.invoke("batch_ingest", {})

    @cached_property
    def messages(self) -> list[str]:
        """The same event twice; the keys of the objects that were delivered, in order."""
        delivered: list[str] = []
        for _ in range(2):
            answer = self.lake.invoke("stream_generate", {"time": MOMENT})
            assert answer.payload == {"records_sent": 15, "environment": "dev", "time": MOMENT}
            self.lake.flush()
            delivered += sorted(set(self.lake.objects("raw/iot-sensors/")) - set(delivered))
        return delivered

    @cached_property
    def planted(self) -> str:
        """A sensor id that somebody wrote into raw by hand, in a good record and in broken ones."""
        assert self.messages
        sensor = f"planted-{secrets.token_hex(8)}"
        good: dict[str, Any] = {
            "sensor_id": sensor, "city": "Paris", "timestamp": "2025-06-01T13:00:00Z", "temperature_c": 20.5,
            "humidity_pct": 40, "aqi": 12, "battery_level": 80.0,
        }  # fmt: skip
        self.lake.put(
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

    @cached_property
    def by_hand(self) -> str:
        """Weather that somebody wrote by hand: one record is good, the other is 999 degrees hot. Its key."""
        assert not self.ingested.error
        self.lake.put(
            BY_HAND,
            weather_record("Reykjavík", "2025-06-01T12:00", 9.5),
            weather_record("Reykjavík", "2025-06-01T13:00", 999),
        )
        return BY_HAND

    @cached_property
    def run(self) -> dict[str, Any]:
        """The first run of the job, over all of this."""
        assert self.by_hand
        assert self.planted
        run = self.lake.run_job()
        assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
        return run


def _play(deployed: Deployed) -> dict[str, Any]:
    day = FirstDay(deployed.of("weather_iot"))
    return {"run": day.run, "messages": day.messages, "planted": day.planted}


PLAYED = Played(
    "weather_iot-first-day",
    (Path(__file__), REPOSITORY / "simulators", REPOSITORY / "drills/weather_iot/open_meteo.py"),
    _play,
)
