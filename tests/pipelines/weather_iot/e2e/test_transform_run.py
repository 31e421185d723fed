"""Raw to curated: every record is counted, bad ones are put aside with reasons, repetitions change nothing."""

# ruff: noqa: S608 - what stands in the statements are constants of the tests

import json
from typing import Any

import pytest

from lake.pseudonyms import keys
from tests.pipelines.deployment import Deployed
from tests.pipelines.weather_iot.first_day import BY_HAND, PLANTED


def test_every_hour_is_a_row_and_the_good_record_by_hand_too(deployed: Deployed, transformed: dict[str, Any]) -> None:
    rows = deployed.query("SELECT city, count(*) FROM curated_weather GROUP BY city ORDER BY city")
    assert rows == [
        ("Adelaide", "72"), ("Brasília", "168"), ("Kathmandu", "168"), ("Melbourne", "168"), ("Paris", "168"),
        ("Reykjavík", "1"),
    ]  # fmt: skip
    by_hand = f"SELECT city, temperature_c, temperature_f, date FROM curated_weather WHERE source_object = '{BY_HAND}'"
    assert deployed.query(by_hand) == [("Reykjavík", "9.5", "49.1", "2025-06-01")]
    wrong = "SELECT count(*) FROM curated_weather WHERE abs(temperature_c * 1.8 + 32 - temperature_f) > 0.0051"
    assert deployed.query(wrong) == [("0",)]


def test_what_raw_has_twice_is_one_row(deployed: Deployed, transformed: dict[str, Any]) -> None:
    # Without the folder of the planted file: Athena refuses to read a text as a number.
    sent = "SELECT count(*), count(DISTINCT sensor_id) FROM raw_iot_sensors WHERE year <> '2025'"
    assert deployed.query(sent) == [("30", "15")]
    moment = "TIMESTAMP '2025-06-01 12:00:00'"
    kept = f'SELECT count(*), count(DISTINCT sensor_id_hash) FROM curated_sensor_readings WHERE "timestamp" = {moment}'
    assert deployed.query(kept) == [("15", "15")]


def test_a_record_of_999_degrees_is_in_quarantine_with_its_reason(
    deployed: Deployed, transformed: dict[str, Any]
) -> None:
    columns = "source_object, source_line, array_join(reasons, ' ')"
    rows = deployed.query(f"SELECT {columns} FROM quarantine_curated_weather")
    assert rows == [(BY_HAND, "2", "range:temperature_c")]
    assert deployed.query("SELECT count(*) FROM curated_weather WHERE temperature_c > 60") == [("0",)]


def test_every_broken_message_is_in_quarantine_with_its_reasons(
    deployed: Deployed, transformed: dict[str, Any]
) -> None:
    columns = "source_object, source_line, array_join(reasons, ' ')"
    rows = deployed.query(f"SELECT {columns} FROM quarantine_curated_sensor_readings ORDER BY source_line")
    reasons = [
        "range:temperature_c", "type:aqi", "pattern:sensor_id", "type:timestamp", "malformed:line", "malformed:line",
        "not_an_object:line",
    ]  # fmt: skip
    assert rows == [(PLANTED, str(line), reason) for line, reason in enumerate(reasons, start=2)]


@pytest.mark.smoke
def test_the_counts_of_each_dataset_add_up(deployed: Deployed, transformed: dict[str, Any]) -> None:
    assert deployed.runs("curated_weather") == [
        {"status": "COMMITTED", "received": 746, "new": 745, "replaced": 0, "duplicate": 0, "quarantined": 1}
    ]
    assert deployed.runs("curated_sensor_readings") == [
        {"status": "COMMITTED", "received": 38, "new": 16, "replaced": 0, "duplicate": 15, "quarantined": 7}
    ]
    for dataset in ("curated_weather", "curated_sensor_readings"):
        (rows,) = deployed.query(f"SELECT count(*) FROM {dataset}")
        assert rows[0] == str(deployed.runs(dataset)[0]["new"])


def test_a_sensor_is_its_token_under_the_key_of_the_secret(
    deployed: Deployed, planted: str, transformed: dict[str, Any]
) -> None:
    (first,) = (version for version in keys.key_versions(deployed.pseudonym_key()) if version.version == 1)
    token = keys.token(first, "curated_sensor_readings", "sensor_id", planted)
    found = f"SELECT sensor_id_hash, temperature_c FROM curated_sensor_readings WHERE source_object = '{PLANTED}'"
    assert deployed.query(found) == [(token, "20.5")]
    assert token.startswith("v1:")


def test_the_job_logs_its_counts_under_its_run(deployed: Deployed, transformed: dict[str, Any]) -> None:
    log = deployed.job_log(transformed["Id"])
    assert "committed Counts(received=746, new=745" in log
    assert "committed Counts(received=38, new=16" in log


def test_city_hours_are_what_athena_makes_of_their_inputs(deployed: Deployed, transformed: dict[str, Any]) -> None:
    rows = deployed.query(
        "SELECT city, timestamp, max(temperature), sum(readings) FROM ("
        "SELECT city, timestamp, temperature_c AS temperature, 0 AS readings FROM curated_weather UNION ALL "
        "SELECT city, date_trunc('hour', timestamp), NULL, 1 FROM curated_sensor_readings) "
        "GROUP BY city, timestamp ORDER BY city, timestamp"
    )
    assert len(rows) > 700
    derived = "SELECT city, timestamp, weather_temperature_c, sensor_readings FROM curated_city_hours"
    assert deployed.query(f"{derived} ORDER BY city, timestamp") == rows
    (run,) = deployed.runs("curated_city_hours")
    assert (run["status"], run["received"], run["new"]) == ("COMMITTED", len(rows), len(rows))


def test_three_runs_are_as_one(deployed: Deployed, transformed: dict[str, Any]) -> None:
    before = {prefix: deployed.etags(prefix) for prefix in ("curated/", "quarantine/", "ops/")}
    assert len([key for key in before["curated/"] if not key.startswith("curated/city-hours/")]) == 31
    for _ in range(2):
        run = deployed.run_job()
        assert (run["JobRunState"], "no new object of raw_weather" in deployed.job_log(run["Id"])) == (
            "SUCCEEDED",
            True,
        )
    assert {prefix: deployed.etags(prefix) for prefix in before} == before
    by_hand = f"SELECT count(*) FROM curated_weather WHERE source_object = '{BY_HAND}'"
    assert deployed.query(by_hand) == [("1",)]


def test_what_is_published_says_which_run_wrote_it_and_is_encrypted(
    deployed: Deployed, transformed: dict[str, Any]
) -> None:
    s3, key = deployed.client("s3"), "curated/weather/date=2025-06-01/day.parquet"
    head = s3.head_object(Bucket=deployed.bucket, Key=key)
    alias = deployed.client("kms").describe_key(KeyId=deployed.names["key_alias"])["KeyMetadata"]["Arn"]
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", alias)
    ((run_id,),) = deployed.query(f"SELECT run_id FROM curated_weather WHERE source_object = '{BY_HAND}'")
    assert head["Metadata"]["run-id"] == run_id
    manifest = json.loads(deployed.read(f"ops/manifests/curated_weather/{run_id}.json"))
    assert key in {change["key"] for change in manifest["partition_files"]}
