"""Merging: the latest version of a key wins, whatever the order, and every incoming record is counted once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lake.contract import model
from lake.tables.partition_files import merge

WEATHER = model.load("curated_weather")
HOUR = datetime(2026, 11, 20, 13, tzinfo=UTC)


def record(
    temperature: float, arrived: int, city: str = "Paris", source: str = "raw/a", line: int = 1
) -> dict[str, Any]:
    """One row of curated_weather that arrived so many minutes after the hour."""
    return {
        "city": city, "latitude": 48.8, "longitude": 2.3, "timestamp": HOUR, "temperature_c": float(temperature),
        "temperature_f": 0.0, "humidity_pct": None, "windspeed_kmh": None, "precipitation_mm": None,
        "ingestion_id": "i",
        "arrived_at": HOUR + timedelta(minutes=arrived), "source_object": source, "source_line": line, "run_id": "r",
    }  # fmt: skip


def rows(spark: SparkSession, records: list[dict[str, Any]]) -> DataFrame:
    frame = spark.createDataFrame([tuple(entry.values()) for entry in records], WEATHER.ddl)
    return merge.stored_rows(frame, WEATHER)


@pytest.mark.parametrize(
    ("existing", "incoming", "temperature", "counts"),
    [
        ([], [record(1, 1)], 1, (True, 1, 0, 0)),
        ([], [record(1, 1), record(1, 1, line=2), record(2, 1, line=3)], 2, (True, 1, 0, 2)),
        ([record(1, 1)], [record(2, 2)], 2, (True, 0, 1, 0)),
        ([record(1, 1)], [record(1, 2, source="raw/b")], 1, (True, 0, 0, 1)),
        ([record(1, 2)], [record(2, 1)], 1, (False, 0, 0, 1)),
        ([record(1, 1)], [record(1, 1)], 1, (False, 0, 0, 1)),
        ([record(1, 1)], [record(2, 2), record(3, 3), record(1, 0)], 3, (True, 0, 1, 2)),
        ([record(1, 1, source="raw/a", line=9)], [record(2, 1, source="raw/b")], 2, (True, 0, 1, 0)),
    ],
    ids=[
        "a first record is new",
        "of several first records the last line is new and the others are duplicates",
        "a later version replaces",
        "the same content delivered later is a duplicate",
        "an older version that comes late is a duplicate",
        "the very same record again changes nothing",
        "of several later versions the latest replaces once",
        "at the same moment the object's key decides",
    ],
)
def test_the_latest_version_wins_and_counts_add_up(
    spark: SparkSession,
    existing: list[dict[str, Any]],
    incoming: list[dict[str, Any]],
    temperature: float,
    counts: tuple[bool, int, int, int],
) -> None:
    for order in (incoming, incoming[::-1]):
        merged = merge.merged(rows(spark, existing), rows(spark, order), WEATHER).collect()
        assert [row["temperature_c"] for row in merged] == [temperature]
        assert [(row["changed"], row["new"], row["replaced"], row["duplicate"]) for row in merged] == [counts]
        assert sum(counts[1:]) == len(incoming)


def test_keys_do_not_touch_each_other(spark: SparkSession) -> None:
    merged = merge.merged(rows(spark, [record(1, 1)]), rows(spark, [record(2, 2, city="Tokyo")]), WEATHER)
    assert {(row["city"], row["changed"]) for row in merged.collect()} == {("Paris", False), ("Tokyo", True)}


def test_the_partition_file_is_that_of_the_hour_or_the_day_of_the_event(spark: SparkSession) -> None:
    assert [row["partition_file"] for row in rows(spark, [record(1, 90)]).collect()] == ["2026-11-20_day"]
    quarantine = model.load("curated_sensor_readings").quarantine()
    frame = spark.createDataFrame([("raw/a", 1, HOUR, ["x"], "1.0.0", "encrypted", 1, "r")], quarantine.ddl)
    assert [row["partition_file"] for row in merge.stored_rows(frame, quarantine).collect()] == ["2026-11-20_h13"]
