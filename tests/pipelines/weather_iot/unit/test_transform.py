"""The transformations of the job; what a run does with them is in tests/lake/test_refresh.py."""

import pytest
from pyspark.sql import SparkSession

from glue_jobs.weather_iot import transform


@pytest.mark.parametrize(
    ("celsius", "fahrenheit"), [(0.0, 32.0), (100.0, 212.0), (-40.0, -40.0), (36.6, 97.88), (None, None)]
)
def test_temperature_f(spark: SparkSession, celsius: float | None, fahrenheit: float | None) -> None:
    frame = spark.createDataFrame([(celsius,)], "temperature_c double")
    assert transform.with_temperature_f(frame).collect()[0]["temperature_f"] == fahrenheit


SCORES = [
    (20.0, 50.0, 40, 50.0, "PASS"),
    (20.0, 50.0, 40, 49.9, "WARN"),
    (20.0, 50.0, 40, 20.0, "WARN"),
    (20.0, 50.0, 40, 19.9, "FAIL"),
    (20.0, None, 40, 90.0, "WARN"),
    (20.0, 50.0, None, 90.0, "WARN"),
    (None, 50.0, 40, 90.0, "WARN"),
    (20.0, 50.0, 40, None, "FAIL"),
]


def test_quality_score(spark: SparkSession) -> None:
    schema = "temperature_c double, humidity_pct double, aqi int, battery_level double, expected string"
    scored = transform.with_quality_score(spark.createDataFrame(SCORES, schema)).collect()
    assert [(*row[:4], row["quality_score"]) for row in scored] == [tuple(row) for row in SCORES]
