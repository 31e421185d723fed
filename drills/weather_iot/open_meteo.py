"""Open-Meteo as its replay plays it, and records as somebody writes them by hand."""

import json
from datetime import UTC, datetime
from typing import Any

from drills.lake import Lake

# The name by which localaws knows the replay.
SIMULATOR = "open_meteo"
PARIS = "latitude=48.8566"
_HOURLY = "temperature_2m,relative_humidity_2m,wind_speed_10m,precipitation"


def new_weather(lake: Lake) -> float:
    """Let the weather service answer something new for Paris from now on: the first temperature, changed."""
    lake.break_simulator(SIMULATOR)
    path = f"/v1/forecast?{PARIS}&longitude=2.3522&forecast_days=7&timezone=UTC&hourly={_HOURLY}"
    answer = lake.ask_simulator(SIMULATOR, path)
    temperatures = answer["hourly"]["temperature_2m"]
    # A step that no earlier drill has made: the clock never shows the same minute twice.
    temperatures[0] = round(int(lake.now.timestamp() / 60) % 5000 / 100 - 20, 2)
    lake.break_simulator(SIMULATOR, {"status": 200, "body": json.dumps(answer), "times": 0, "match": PARIS})
    return float(temperatures[0])


def weather_record(city: str, moment: str, temperature: float) -> dict[str, Any]:
    """A raw weather record that somebody wrote by hand; ``moment`` is ISO 8601, UTC."""
    return {
        "ingestion_id": "by hand", "city": city, "latitude": 64.1, "longitude": -21.9, "timestamp": moment,
        "temperature_c": temperature, "humidity_pct": 80, "ingested_at": datetime.now(UTC).isoformat(),
    }  # fmt: skip
