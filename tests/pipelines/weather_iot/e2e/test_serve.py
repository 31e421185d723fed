"""What analysts get from Athena: right answers, repaired partitions, enforced limits, encrypted results."""

# ruff: noqa: S608 - what stands in the statements are constants of the tests

import bisect
import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demos.weather_iot import AIR_QUALITY, HOURLY_TEMPERATURE, LATEST_READINGS
from lake.contract import model
from tests.pipelines.deployment import DEADLINE_SECONDS, Deployed
from tests.pipelines.weather_iot.e2e.test_land import recorded

pytestmark = [pytest.mark.after_first_day, pytest.mark.usefixtures("transformed")]
# The lowest cut-off that Athena accepts.
LOWEST_CUTOFF = 10_000_000


def execution(deployed: Deployed, sql: str, **more: Any) -> dict[str, Any]:
    """Start a query and wait for its end."""
    athena = deployed.client("athena")
    given = {"WorkGroup": deployed.names["workgroup"], **more}
    context = {"Database": deployed.names["database"]}
    started = athena.start_query_execution(QueryString=sql, QueryExecutionContext=context, **given)["QueryExecutionId"]
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]
        if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return found
    raise AssertionError(f"the query did not end: {sql}")


def test_the_hourly_mean_by_city_is_the_mean_of_the_recorded_hours(deployed: Deployed) -> None:
    answer = {(city, int(hour or 0)): float(mean or 0) for city, hour, mean, _ in deployed.query(HOURLY_TEMPERATURE)}
    for city in ("Melbourne", "Paris"):
        for hour in range(24):
            values = [value for moment, value in recorded(city).items() if moment[11:13] == f"{hour:02d}"]
            assert answer[city, hour] == pytest.approx(sum(values) / len(values), abs=0.051), (city, hour)
    assert len(answer) == 5 * 24 + 1


def test_the_latest_reading_of_each_sensor_is_one_row_a_sensor(deployed: Deployed) -> None:
    rows = deployed.query(LATEST_READINGS)
    assert [row[1] for row in rows] == [city for city in sorted({row[1] or "" for row in rows}) for _ in range(3)] + [
        "Paris"
    ]
    assert len({row[0] for row in rows}) == 16
    assert [row[2] for row in rows].count("2025-06-01 12:00:00.000") == 15


def test_the_classes_of_air_quality_are_those_of_the_messages(deployed: Deployed, messages: list[str]) -> None:
    planted = {"city": "Paris", "aqi": 12}
    classes: dict[str | None, list[int]] = {}
    for record in [*deployed.records(messages[0]), planted]:
        number = bisect.bisect_left([50, 100], record["aqi"])
        classes.setdefault(record["city"], [0, 0, 0])[number] += 1
    rows = deployed.query(AIR_QUALITY)
    assert {city: [int(number or 0) for number in numbers] for city, *numbers, _ in rows} == classes
    assert sum(map(sum, classes.values())) == 16


def test_a_condition_on_a_moment_finds_the_rows_of_that_time(deployed: Deployed) -> None:
    later = """SELECT city FROM curated_sensor_readings WHERE "timestamp" > TIMESTAMP '2025-06-01 12:30:00'"""
    assert deployed.query(later) == [("Paris",)]
    between = "BETWEEN TIMESTAMP '2025-05-09 00:00:00' AND TIMESTAMP '2025-05-09 11:00:00'"
    hours = f'SELECT count(*), min("timestamp"), max("timestamp") FROM curated_weather WHERE "timestamp" {between}'
    assert deployed.query(hours) == [("12", "2025-05-09 00:00:00.000", "2025-05-09 11:00:00.000")]


def test_msck_repair_brings_back_the_rows_of_dropped_partitions(deployed: Deployed) -> None:
    glue, database = deployed.client("glue"), deployed.names["database"]
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName="curated_weather")
    values = [partition["Values"] for page in pages for partition in page["Partitions"]]
    dropped = [value for value in values if value != ["2025-06-01"]]
    assert len(dropped) == 28
    for value in dropped:
        glue.delete_partition(DatabaseName=database, TableName="curated_weather", PartitionValues=value)
    assert deployed.query("SELECT count(*) FROM curated_weather") == [("1",)]
    repaired = deployed.query("MSCK REPAIR TABLE curated_weather")
    assert sum("Repair: Added partition" in (row[0] or "") for row in repaired) == 28
    assert deployed.query("SELECT count(*) FROM curated_weather") == [("745",)]


def test_a_query_in_primary_without_a_place_for_its_result_is_refused(deployed: Deployed) -> None:
    with pytest.raises(ClientError, match="No output location provided"):
        execution(deployed, "SELECT 1", WorkGroup="primary")


def test_the_result_is_an_encrypted_file_where_the_workgroup_says(deployed: Deployed) -> None:
    asked = {"OutputLocation": f"s3://{deployed.bucket}/staging/elsewhere/"}
    sql = "SELECT city, temperature_c FROM curated_weather WHERE date = DATE '2025-06-01'"
    found = execution(deployed, sql, ResultConfiguration=asked)
    bucket, _, key = found["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
    assert (bucket, key) == (deployed.names["results_bucket"], f"query-results/{found['QueryExecutionId']}.csv")
    stored = deployed.client("s3").get_object(Bucket=bucket, Key=key)
    alias = deployed.client("kms").describe_key(KeyId=deployed.names["key_alias"])["KeyMetadata"]["Arn"]
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", alias)
    text = stored["Body"].read().decode()
    assert list(csv.reader(io.StringIO(text))) == [["city", "temperature_c"], ["Reykjavík", "9.5"]]
    assert deployed.objects("staging/elsewhere/") == {}


@pytest.fixture
def low_cutoff(deployed: Deployed) -> Iterator[str]:
    """The analysts' workgroup with the lowest cut-off, and a table that is larger; the table's name."""
    athena, workgroup = deployed.client("athena"), deployed.names["workgroup"]
    configuration = athena.get_work_group(WorkGroup=workgroup)["WorkGroup"]["Configuration"]
    assert configuration["BytesScannedCutoffPerQuery"] == 10 * 1024**3
    glue, database = deployed.client("glue"), deployed.names["database"]
    raw = glue.get_table(DatabaseName=database, Name="pipeline_runs")["Table"]["StorageDescriptor"]
    place = {**raw, "Location": f"s3://{deployed.bucket}/staging/large/", "Columns": [{"Name": "a", "Type": "string"}]}
    given = {"Name": "large", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": place}
    glue.create_table(DatabaseName=database, TableInput=given)
    deployed.put("staging/large/one.json", *[{"a": "x" * 1000}] * 11_000)
    change = {"BytesScannedCutoffPerQuery": LOWEST_CUTOFF}
    athena.update_work_group(WorkGroup=workgroup, ConfigurationUpdates=change)
    yield "large"
    back = {"BytesScannedCutoffPerQuery": configuration["BytesScannedCutoffPerQuery"]}
    athena.update_work_group(WorkGroup=workgroup, ConfigurationUpdates=back)
    deployed.client("s3").delete_object(Bucket=deployed.bucket, Key="staging/large/one.json")
    glue.delete_table(DatabaseName=database, Name="large")


def test_a_query_that_scans_more_than_the_cut_off_is_cancelled(deployed: Deployed, low_cutoff: str) -> None:
    found = execution(deployed, f"SELECT count(*) FROM {low_cutoff}")
    assert found["Status"]["State"] == "CANCELLED"
    assert "Bytes scanned limit was exceeded" in found["Status"]["StateChangeReason"]
    assert deployed.query("SELECT count(*) FROM curated_weather") == [("745",)]


@pytest.mark.parametrize("path", model.files(), ids=lambda path: path.stem)
def test_the_example_on_the_page_of_a_dataset_answers_something(deployed: Deployed, path: Path) -> None:
    assert deployed.query(model.read(path).example)
