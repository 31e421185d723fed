"""Columns of partition files are read as Spark reads them, and a check reads no others than it names."""

from datetime import datetime
from typing import Any

import pytest

from lake.tables.partition_files import merge, reading
from tests.place import TARGET, Place, line


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("SELECT count(*) FROM {rows}", {TARGET.stored[0].stored_name}),
        ("SELECT city AS timestamp FROM {rows} WHERE temperature_c > 1", {"city", "temperature_c"}),
        ("SELECT max(n) FROM (SELECT hour(timestamp) AS h, count(*) AS n FROM {rows} GROUP BY 1)", {"timestamp"}),
        ("SELECT city FROM {rows} WHERE 1 = (SELECT 1)", {column.stored_name for column in TARGET.stored}),
        ("SELECT * FROM {rows}", {column.stored_name for column in TARGET.stored}),
    ],
)
def test_the_columns_of_a_query_are_those_that_it_reads(place: Place, query: str, columns: set[str]) -> None:
    spark = place.lake.spark
    none = spark.createDataFrame([], TARGET.ddl)
    assert reading.read_by(spark.sql(query, rows=none), TARGET) == columns


def test_rows_are_those_that_spark_reads(place: Place) -> None:
    place.put("a.json", *(line(hour, float(hour), city) for hour in range(5) for city in ("Paris", "Tokyo")))
    place.put("b.json", line(3, 9.5, day=19))
    place.run()
    location = place.lake.locations[TARGET.name]
    keys = [entry.key for entry in place.lake.storage.list(location)]
    assert len(keys) == 2
    columns = {"timestamp", "city", "temperature_c", "humidity_pct"}
    expected = merge.read_files(place.lake.spark, TARGET, location, keys).select(*sorted(columns))
    found = reading.rows(place.lake.spark, TARGET, location.bucket, keys, columns)
    assert set(found.columns) == columns
    assert sorted(map(key, found.select(*sorted(columns)).collect())) == sorted(map(key, expected.collect()))
    assert found.count() == 11
    assert reading.rows(place.lake.spark, TARGET, location.bucket, [], columns).count() == 0


def key(row: Any) -> tuple[str, datetime, float, bool]:
    return row["city"], row["timestamp"], row["temperature_c"], row["humidity_pct"] is None
