"""The demo of weather_iot: recorded weather, an hour of sensor messages, a broken file, and an analyst's queries."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.demo.pipeline import Pipeline, Step

# One hour of sensor messages, always the same, so that a second demo brings nothing new.
FIRST_MESSAGE = datetime(2026, 11, 20, 12, tzinfo=UTC)
MESSAGES = 12
BROKEN = "raw/weather/date=2026-11-20/hand_written.json"


def ingest(pipeline: Pipeline) -> dict[str, Any]:
    """Fetch the weather of every city, as the daily schedule does. Returns the function's summary."""
    return pipeline.invoke("batch_ingest", {})


def generate(pipeline: Pipeline) -> int:
    """Send an hour of sensor messages, as the five-minute schedule does. Returns the number of messages."""
    moments = [FIRST_MESSAGE + number * timedelta(minutes=5) for number in range(MESSAGES)]
    answers = [pipeline.invoke("stream_generate", {"time": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}) for moment in moments]
    return sum(answer["records_sent"] for answer in answers)


def put_broken_record(pipeline: Pipeline) -> None:
    """Write a file as somebody does by hand: a temperature of 999 degrees, and a line that is no JSON."""
    record = {
        "ingestion_id": "by hand", "city": "Paris", "latitude": 48.8566, "longitude": 2.3522, "temperature_c": 999.0,
        "timestamp": "2026-11-20T12:00", "ingested_at": "2026-11-20T12:00:00+00:00",
    }  # fmt: skip
    pipeline.put_once(BROKEN, f"{json.dumps(record)}\nnot JSON at all\n")


STEPS = (
    Step("Ingest weather (recorded Open-Meteo answers)", ingest),
    Step("Send an hour of sensor messages", generate),
    Step("Write a broken file by hand", put_broken_record),
    Step("Deliver what the stream has buffered", Pipeline.deliver),
    Step("Transform (PySpark)", lambda pipeline: pipeline.run_job("transform")),
)

HOURLY_TEMPERATURE = """
SELECT city, hour("timestamp") AS hour, round(avg(temperature_c), 1) AS mean_c, count(*) AS days
FROM curated_weather
GROUP BY city, hour("timestamp")
ORDER BY city, hour
"""

LATEST_READINGS = """
SELECT sensor_id_hash, city, "timestamp", temperature_c, humidity_pct, aqi, quality_score
FROM (
  SELECT *, row_number() OVER (PARTITION BY sensor_id_hash ORDER BY "timestamp" DESC) AS newest
  FROM curated_sensor_readings
)
WHERE newest = 1
ORDER BY city, sensor_id_hash
"""

AIR_QUALITY = """
SELECT city,
  count_if(aqi <= 50) AS good,
  count_if(aqi BETWEEN 51 AND 100) AS moderate,
  count_if(aqi > 100) AS unhealthy,
  round(avg(aqi), 1) AS mean_aqi
FROM curated_sensor_readings
GROUP BY city
ORDER BY city
"""

WEATHER_AND_SENSORS = """
SELECT city,
  count(*) AS hours,
  sum(sensor_readings) AS readings,
  round(avg(sensor_temperature_mean_c), 1) AS sensors_c,
  round(avg(weather_temperature_c), 1) AS weather_c
FROM curated_city_hours
GROUP BY city
ORDER BY city
"""

QUESTIONS = {
    "Hourly mean temperature by city": HOURLY_TEMPERATURE,
    "Latest reading of each sensor": LATEST_READINGS,
    "Air quality by city": AIR_QUALITY,
    "Weather and sensors by city": WEATHER_AND_SENSORS,
}
