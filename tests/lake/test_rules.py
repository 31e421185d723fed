"""Each rule names itself; null breaks only ``required``; a row that could not be read is not validated further."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lake.contract import model
from lake.core.errors import ContractError
from lake.records import rules

READINGS = model.load("curated_sensor_readings")
SCHEMA = (
    "reasons array<string>, sensor_id string, city string, timestamp timestamp, temperature_c double,"
    " humidity_pct double, aqi int, battery_level double, quality_score string, arrived_at timestamp"
)
ARRIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "reasons": [],
    "sensor_id": "sensor-a",
    "city": "Paris",
    "timestamp": datetime(2026, 11, 20, 11, tzinfo=UTC),
    "temperature_c": 12.5,
    "humidity_pct": 60.0,
    "aqi": 40,
    "battery_level": 80.0,
    "quality_score": "PASS",
    "arrived_at": ARRIVED,
}
CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"temperature_c": 999.0}, ["range:temperature_c"]),
    ({"temperature_c": -50.1}, ["range:temperature_c"]),
    ({"temperature_c": 60.0}, []),
    ({"temperature_c": -50.0}, []),
    ({"humidity_pct": -0.1}, ["range:humidity_pct"]),
    ({"aqi": 501}, ["range:aqi"]),
    ({"battery_level": 100.5}, ["range:battery_level"]),
    ({"humidity_pct": None, "aqi": None, "battery_level": None}, []),
    ({"temperature_c": None}, ["required:temperature_c"]),
    ({"sensor_id": None}, ["required:sensor_id"]),
    ({"sensor_id": ""}, ["length:sensor_id", "pattern:sensor_id"]),
    ({"sensor_id": " \t"}, ["pattern:sensor_id"]),
    ({"sensor_id": "\u00a0a"}, ["pattern:sensor_id"]),
    ({"sensor_id": "a\u200d"}, ["pattern:sensor_id"]),
    ({"sensor_id": "a\n"}, ["pattern:sensor_id"]),
    ({"city": ""}, ["length:city"]),
    ({"city": "Paris\u2028"}, ["pattern:city"]),
    ({"city": "São Paulo, 2nd"}, []),
    ({"city": "a " * 200_000 + "a"}, []),
    ({"city": "a " * 200_000}, ["pattern:city"]),
    ({"quality_score": "GOOD"}, ["enum:quality_score"]),
    ({"timestamp": datetime(2026, 11, 20, 13, 0, 1, tzinfo=UTC)}, ["timestamp_plausible"]),
    ({"timestamp": datetime(1970, 1, 20, tzinfo=UTC)}, ["timestamp_plausible"]),
    ({"temperature_c": 999.0, "aqi": -1}, ["range:temperature_c", "range:aqi"]),
    ({"reasons": ["type:temperature_c"], "temperature_c": None}, ["type:temperature_c"]),
]


def test_each_record_has_exactly_the_reasons_that_it_breaks(spark: SparkSession) -> None:
    rows = [tuple({**GOOD, **changes}.values()) for changes, _ in CASES]
    frame = spark.createDataFrame(rows, SCHEMA).coalesce(1)
    found = [row["reasons"] for row in rules.with_reasons(frame, READINGS).collect()]
    assert found == [expected for _, expected in CASES]


@pytest.mark.parametrize("name", ["curated_weather", "curated_sensor_readings"])
@pytest.mark.usefixtures("spark")
def test_every_option_of_the_contracts_has_a_condition(name: str) -> None:
    loaded = model.load(name)
    present = [column.name for column in loaded.columns]
    reasons = [reason for reason, _ in rules.conditions(loaded, present)]
    options = sum(len(column.options or {}) + bool(column.valid_values) for column in loaded.columns)
    required = sum(column.required for column in loaded.columns)
    assert len(reasons) == options + required + len(loaded.rules)


OPTIONS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, "range:n", ["2"]),
    ({"minimum": 1, "maximum": 3}, "range:n", ["1", "2", "3"]),
    ({"minLength": 2, "maxLength": 3}, "length:text", ["aa", "aaa", "a\n", "a$"]),
    ({"pattern": "^a+$"}, "pattern:text", ["a", "aa", "aaa", "aaaa"]),
    ({"pattern": r"^a\$"}, "pattern:text", ["a$"]),
    ({"pattern": "a"}, "pattern:text", ["a", "aa", "aaa", "aaaa", "a\n", "a$"]),
]


@pytest.mark.parametrize(("options", "reason", "good"), OPTIONS)
def test_an_option_holds_for_these_values_only(
    spark: SparkSession, options: dict[str, Any], reason: str, good: list[str]
) -> None:
    name = reason.partition(":")[2]
    values = ["0", "1", "2", "3", "4"] if name == "n" else ["", "a", "aa", "aaa", "aaaa", "a\n", "a$"]
    column = replace(READINGS.columns[0], name=name, required=False, options=options, valid_values=())
    checked = replace(READINGS, columns=(column,), rules=())
    frame = spark.createDataFrame([(value, []) for value in values], "text string, reasons array<string>")
    frame = frame.withColumn("n", F.col("text").cast("int")).coalesce(1)
    validated = rules.with_reasons(frame, checked).collect()
    assert {row["text"] for row in validated if row["reasons"] == []} == set(good)
    assert {reason for row in validated for reason in row["reasons"]} <= {reason}


def test_an_option_that_nobody_knows_is_an_error(spark: SparkSession) -> None:
    column = replace(READINGS.columns[0], options={"multipleOf": 2})
    with pytest.raises(ContractError, match=r"^no rule is known for the option 'multipleOf'$"):
        list(rules.conditions(replace(READINGS, columns=(column,)), [column.name]))
