"""Staging: records of raw objects become files where nobody reads yet, and what came of each object is counted."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_jobs.weather_iot import transform
from lake.core.counts import Counts
from lake.core.errors import ContractError, CountsNotReconciled, RawObjectUnreadable
from lake.core.s3 import Location, Storage, StoredObject
from lake.pseudonyms import keys
from lake.pseudonyms import spark as privacy
from lake.records import typed, validation
from lake.tables.base import TableChange
from lake.tables.partition_files import file_names, merge, owner, staging
from tests.lake.operating import message
from tests.local_aws import LocalAws
from tests.place import MESSAGES, READINGS, SECRET

KEYS = keys.key_versions(SECRET)
NOON, LATER = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 13, tzinfo=UTC)
FIRST = StoredObject("raw/first", "1", 1, NOON)
SECOND = StoredObject("raw/second", "2", 1, LATER)
BODIES = {
    FIRST.key: "\n".join(
        [message("a", 20, 9), message("a", 20, 9, 999.0), "not json", "", message("b", 19, 23, 7.0)]
    ).encode(),
    SECOND.key: "\n".join([message("a", 20, 9, 6.0), message("a", 20, 10).replace("aqi", "AQI")]).encode(),
}


def raw(spark: SparkSession, *objects: StoredObject) -> DataFrame:
    bodies = dict(BODIES)
    return typed.of_records(spark, MESSAGES, READINGS, list(objects), lambda stored: bodies[stored.key])


def validated(spark: SparkSession, *objects: StoredObject) -> DataFrame:
    return validation.validated(raw(spark, *objects), READINGS, transform.sensor_readings, KEYS)


def test_a_record_of_before_the_first_key_has_no_token_and_is_quarantined(spark: SparkSession) -> None:
    late = tuple(replace(version, valid_from=datetime(2026, 11, 20, 9, 30, tzinfo=UTC)) for version in KEYS)
    rows = validation.validated(raw(spark, SECOND), READINGS, transform.sensor_readings, late).collect()
    assert [row["reasons"] for row in sorted(rows, key=lambda row: row["source_line"])] == [["key:none"], []]


def test_a_record_that_breaks_a_rule_is_quarantined_for_that_and_not_for_its_key(spark: SparkSession) -> None:
    rows = validation.validated(raw(spark, FIRST), READINGS, transform.sensor_readings, ()).collect()
    assert [row["reasons"] for row in sorted(rows, key=lambda row: row["source_line"])] == [
        ["key:none"],
        ["range:temperature_c"],
        ["malformed:line"],
        ["key:none"],
    ]


def stored(spark: SparkSession, *objects: StoredObject) -> DataFrame:
    return validation.accepted(validated(spark, *objects), READINGS, KEYS, "r")


@pytest.fixture
def area(aws: LocalAws, spark: SparkSession) -> staging.StagingArea:
    """An empty lake of a bucket alone, with versions."""
    client, bucket = aws.client("s3"), f"test-staging-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    locations = {READINGS.name: Location(bucket, "curated/")}
    return staging.StagingArea(spark, Storage(client), Location(bucket, "staging/"), locations, "r")


def test_a_record_keeps_where_it_came_from_and_what_the_reader_said(spark: SparkSession) -> None:
    found = raw(spark, FIRST, SECOND)
    rows = {(row["source_object"], row["source_line"]): row for row in found.collect()}
    assert sorted(rows) == [("raw/first", line) for line in (1, 2, 3, 5)] + [("raw/second", 1), ("raw/second", 2)]
    good, broken, other = rows["raw/first", 5], rows["raw/first", 3], rows["raw/second", 2]
    assert (bytes(good["payload"]), good["reasons"], good["drift"]) == (message("b", 19, 23, 7.0).encode(), [], [])
    assert (good["sensor_id"], good["temperature_c"], good["aqi"]) == ("b", 7.0, 12)
    assert (bytes(broken["payload"]), broken["reasons"], broken["sensor_id"]) == (b"not json", ["malformed:line"], None)
    assert (sorted(other["drift"]), other["aqi"]) == (["added:AQI", "missing:aqi"], None)
    assert [
        row["at"] for row in found.select(F.unix_seconds("arrived_at").alias("at")).distinct().sort("at").collect()
    ] == [
        int(NOON.timestamp()),
        int(LATER.timestamp()),
    ]
    # An object is read by one task, and no task is without an object.
    assert found.rdd.getNumPartitions() == 2
    assert raw(spark).rdd.getNumPartitions() == 1
    many = [replace(FIRST, key=f"raw/{number}") for number in range(100)]
    assert raw(spark, *many).rdd.getNumPartitions() == spark.sparkContext.defaultParallelism * 2


def test_an_object_of_s3_is_read_by_its_version(aws: LocalAws, spark: SparkSession, area: staging.StagingArea) -> None:
    client, bucket = aws.client("s3"), area.location.bucket
    versions = [
        client.put_object(Bucket=bucket, Key="raw/x", Body=message("a", 20, 9, degrees).encode())["VersionId"]
        for degrees in (1.0, 2.0)
    ]
    entry = StoredObject("raw/x", "e", 1, NOON, versions[0])
    for asked, degrees in ((entry, 1.0), (replace(entry, version=None), 2.0)):
        (row,) = typed.read_raw(spark, MESSAGES, READINGS, bucket, [asked]).collect()
        assert (row["source_object"], row["temperature_c"]) == ("raw/x", degrees)
    with pytest.raises(Exception, match=rf"RawObjectUnreadable: s3://{bucket}/raw/none: .*NoSuchKey"):
        typed.read_raw(spark, MESSAGES, READINGS, bucket, [replace(entry, key="raw/none", version=None)]).collect()


def test_every_object_is_counted_with_its_reasons_and_the_drift_of_all(spark: SparkSession) -> None:
    by_object, drift = validation.counted(raw(spark, FIRST, SECOND), validated(spark, FIRST, SECOND))
    assert by_object == {
        FIRST.key: Counts(4, 0, 0, 0, 2, {"malformed:line": 1, "range:temperature_c": 1}),
        SECOND.key: Counts(2, 0, 0, 0, 0, {}),
    }
    assert drift == {"renamed:aqi->AQI": 1}
    repeated = raw(spark, FIRST, FIRST)
    assert validation.counted(repeated, validated(spark, FIRST, FIRST))[0] == {
        FIRST.key: Counts(8, 0, 0, 0, 4, {"malformed:line": 2, "range:temperature_c": 2})
    }


def test_good_rows_are_stored_under_tokens_and_bad_ones_encrypted(spark: SparkSession) -> None:
    rows = {row["source_line"]: row for row in stored(spark, FIRST).collect()}
    assert {line: (row["sensor_id_hash"], row["partition_file"], row["run_id"]) for line, row in rows.items()} == {
        1: (keys.token(KEYS[0], READINGS.name, "sensor_id", "a"), "2026-11-20_h09", "r"),
        5: (keys.token(KEYS[0], READINGS.name, "sensor_id", "b"), "2026-11-19_h23", "r"),
    }
    bad = {
        row["source_line"]: row for row in validation.rejected(validated(spark, FIRST), READINGS, KEYS, "r").collect()
    }
    assert {line: (row["reasons"], row["partition_file"], row["run_id"]) for line, row in bad.items()} == {
        2: (["range:temperature_c"], "2026-11-20_h12", "r"),
        3: (["malformed:line"], "2026-11-20_h12", "r"),
    }
    assert bad[3]["contract_version"] == READINGS.version
    assert privacy.decrypted(spark, READINGS, KEYS, bad[3]["key_version"], bad[3]["encrypted_payload"]) == b"not json"


def test_partition_files_are_staged_beside_what_is_published_and_merged_with_it(
    aws: LocalAws, spark: SparkSession, area: staging.StagingArea
) -> None:
    first = staging.staged(area, READINGS, stored(spark, FIRST))
    assert first == staging.Staged(
        (
            change("2026-11-19_h23", None, 1),
            change("2026-11-20_h09", None, 1),
        ),
        {FIRST.key: 2},
        {FIRST.key: 2},
        {},
    )
    for entry in first.changes:
        aws.client("s3").copy_object(
            Bucket=area.location.bucket, Key=entry.key, CopySource={"Bucket": area.location.bucket, "Key": entry.staged}
        )
    second = staging.staged(area, READINGS, stored(spark, FIRST, SECOND))
    before = area.storage.etag(area.location.bucket, "curated/date=2026-11-20/h09.parquet")
    assert second.changes == (change("2026-11-20_h09", before, 1), change("2026-11-20_h10", None, 1))
    assert second.incoming == {FIRST.key: 2, SECOND.key: 2}
    assert (second.new, second.replaced) == ({SECOND.key: 1}, {SECOND.key: 1})
    (row,) = (
        spark.read.schema(READINGS.ddl).parquet(f"s3://{area.location.bucket}/{second.changes[0].staged}").collect()
    )
    assert (row["temperature_c"], row["source_object"]) == (6.0, SECOND.key)
    assert staging.staged(area, READINGS, stored(spark)).changes == ()


def change(file: str, before: str | None, rows: int) -> TableChange:
    return TableChange(
        READINGS.name,
        file_names.object_key("curated/", file),
        file_names.partition(file),
        before,
        f"staging/{READINGS.name}/r/{file}.parquet",
        rows,
    )


def test_rows_of_a_file_lie_in_the_order_of_the_key(
    aws: LocalAws, spark: SparkSession, area: staging.StagingArea
) -> None:
    lines = [message(f"{number:02d}", 20, 9).replace("09:00:00Z", f"09:{number:02d}:00Z") for number in range(20)]
    bodies = {FIRST.key: "\n".join(lines).encode()}
    many = typed.of_records(spark, MESSAGES, READINGS, [FIRST], lambda entry: bodies[entry.key])
    accepted = validation.accepted(
        validation.validated(many, READINGS, transform.sensor_readings, KEYS), READINGS, KEYS, "r"
    )
    (only,) = staging.staged(area, READINGS, accepted).changes
    rows = spark.read.schema(READINGS.ddl).parquet(f"s3://{area.location.bucket}/{only.staged}").coalesce(1).collect()
    key = [tuple(row[column.stored_name] for column in READINGS.key) for row in rows]
    assert (len(key), key) == (20, sorted(key))


def test_rows_that_get_lost_on_the_way_are_missed(spark: SparkSession, area: staging.StagingArea) -> None:
    merged = merge.merged(stored(spark), stored(spark, FIRST), READINGS)
    with pytest.raises(
        CountsNotReconciled, match=rf"^{READINGS.name}: staged \[\('2026-11-20_h09', 1\)\] instead of .*, 2\)\]$"
    ):
        staging.write(area, READINGS, merged, {"2026-11-20_h09": 2})


@pytest.mark.parametrize(
    ("factor", "times", "problem"),
    [(0, 1, "0 of 2 incoming rows were merged"), (1, 2, "rows of one partition file were in two tasks")],
)
def test_a_task_that_miscounts_or_shares_a_file_publishes_nothing(
    spark: SparkSession,
    area: staging.StagingArea,
    monkeypatch: pytest.MonkeyPatch,
    factor: int,
    times: int,
    problem: str,
) -> None:
    real = owner.merging

    def wrong(*given: Any) -> Any:
        merge = real(*given)
        return lambda batches: (part for each in merge(batches) for part in [miscounted(each, factor)] * times)

    def miscounted(batch: Any, factor: int) -> Any:
        place = batch.schema.get_field_index("merged")
        counts = pa.array([value * factor for value in batch.column(place).to_pylist()], pa.int64())
        return batch.set_column(place, "merged", counts)

    monkeypatch.setattr(owner, "merging", wrong)
    with pytest.raises(CountsNotReconciled, match=rf"^{READINGS.name}: {problem}$"):
        staging.staged(area, READINGS, stored(spark, FIRST))


def test_a_type_that_has_no_conversion_is_an_error(spark: SparkSession) -> None:
    columns = tuple(
        replace(column, physical_type="date") if column.name == "aqi" else column for column in READINGS.columns
    )
    with pytest.raises(ContractError, match=rf"^{READINGS.name}\.aqi: no conversion from int to date$"):
        typed.of_records(
            spark, MESSAGES, replace(READINGS, columns=columns), [FIRST], lambda stored: BODIES[stored.key]
        )


def test_a_body_that_cannot_be_read_says_which(aws: LocalAws, area: staging.StagingArea, monkeypatch: Any) -> None:
    monkeypatch.setattr(typed, "storage_of_process", lambda: area.storage)
    with pytest.raises(RawObjectUnreadable, match=rf"^s3://{area.location.bucket}/raw/none: An error occurred"):
        typed.body_of(area.location.bucket, replace(FIRST, key="raw/none"))
