"""A derived dataset follows from all rows of its inputs, whatever has changed them."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue_jobs.weather_iot.transform import city_hours
from lake.contract.model import Contract
from lake.core.counts import Counts
from lake.core.errors import ToleranceExceeded
from lake.operations.backfill import LossRefused
from lake.operations.derivation.derive import DerivationRefused, Derive
from lake.operations.registry import DerivedJob, OperationUnknown, perform
from lake.runs.bounds import Bounds
from lake.runs.run import manifest_of, run
from tests.place import CITY_HOURS, MESSAGES, READINGS, TARGET, Place, line

Hours = dict[tuple[str, str], tuple[Any, ...]]
BY = "arn:aws:iam::123456789012:role/operator"


def message(sensor: str, hour: int, temperature: float, aqi: int | None = 40, day: int = 20) -> str:
    moment = f"2026-11-{day:02d}T{hour:02d}:30:00"
    said = {"sensor_id": sensor, "city": "Paris", "timestamp": moment, "temperature_c": temperature, "aqi": aqi}
    return json.dumps({**said, "humidity_pct": 50.0, "battery_level": 80.0})


def put_messages(place: Place, name: str, *lines: str) -> None:
    key = f"{MESSAGES.path}/year=2026/month=11/day=20/{name}"
    place.aws.client("s3").put_object(Bucket=place.bucket, Key=key, Body="\n".join(lines).encode())


def derive(place: Place, **changed: Any) -> Counts:
    return run(place.lake, Derive(CITY_HOURS, city_hours, **changed))


def hours(place: Place) -> Hours:
    """City and hour to weather, number of readings, number of sensors, mean, lowest, highest."""
    rows = place.rows(CITY_HOURS)
    assert len({(row["city"], row["timestamp"]) for row in rows}) == len(rows)
    names = ["weather_temperature_c", "sensor_readings", "sensors", "sensor_temperature_mean_c"]
    names += ["sensor_temperature_min_c", "sensor_temperature_max_c"]
    return {(row["city"], f"{row['timestamp']:%dT%H}"): tuple(row[name] for name in names) for row in rows}


def test_weather_and_readings_of_an_hour_stand_beside_each_other(place: Place) -> None:
    place.put("a.json", line(10, 5.0), line(11, 6.0))
    put_messages(place, "a.json", message("s1", 10, 5.5), message("s2", 10, 6.0), message("s1", 12, 7.0))
    place.run()
    place.run_readings()
    counts = derive(place)
    assert hours(place) == {
        ("Paris", "20T10"): (5.0, 2, 2, 5.75, 5.5, 6.0),
        ("Paris", "20T11"): (6.0, 0, 0, None, None, None),
        ("Paris", "20T12"): (None, 1, 1, 7.0, 7.0, 7.0),
    }
    assert (counts.received, counts.new) == (3, 3)
    assert derive(place) == replace(counts, received=0, new=0), "nothing has changed"


def test_late_data_changes_its_hour_and_no_other_row(place: Place) -> None:
    place.put("a.json", line(10, 5.0), line(11, 6.0))
    place.run()
    derive(place)
    (first,) = {row["run_id"] for row in place.rows(CITY_HOURS)}
    put_messages(place, "late.json", message("s1", 11, 7.0))
    place.run_readings()
    counts = derive(place)
    assert (counts.received, counts.new, counts.replaced, counts.duplicate) == (2, 0, 1, 1)
    assert {f"{row['timestamp']:%H}": row["run_id"] == first for row in place.rows(CITY_HOURS)} == {
        "10": True,
        "11": False,
    }


def test_a_change_of_one_day_makes_no_other_day_anew(place: Place) -> None:
    place.put("a.json", line(10, 5.0, day=20), line(10, 5.0, day=21))
    place.run()
    derive(place)
    place.put("b.json", line(11, 5.0, day=21))
    place.run()
    counts = derive(place)
    assert (counts.received, counts.new, counts.duplicate) == (2, 1, 1), "the rows of the 21st"


def test_an_undo_of_an_input_is_followed_and_so_is_the_undo_of_the_undo(place: Place) -> None:
    place.put("a.json", line(10, 5.0))
    place.run()
    derive(place)
    place.put("b.json", line(10, 9.0), line(11, 9.0))
    place.run()
    derive(place)
    assert set(hours(place)) == {("Paris", "20T10"), ("Paris", "20T11")}
    (bad,) = [each["run_id"] for each in place.lake.ledger.runs(TARGET.name)][1:]
    place.perform("undo", run=bad)
    counts = derive(place)
    assert hours(place) == {("Paris", "20T10"): (5.0, 0, 0, None, None, None)}
    assert (counts.received, counts.replaced) == (1, 1)
    details = place.lake.ledger.runs(CITY_HOURS.name)[-1]["details"]
    assert (details["missing"], details["first"]) == (1, "2026-11-20")
    place.perform("undo", run=place.lake.ledger.runs(TARGET.name)[-1]["run_id"])
    derive(place)
    assert hours(place)["Paris", "20T11"] == (9.0, 0, 0, None, None, None)


def test_a_day_whose_input_is_empty_becomes_empty(place: Place) -> None:
    place.put("a.json", line(10, 5.0))
    place.run()
    derive(place)
    place.perform("undo", run=place.lake.ledger.runs(TARGET.name)[0]["run_id"])
    derive(place)
    assert hours(place) == {}
    assert [entry.key for entry in place.lake.storage.list(place.lake.locations[CITY_HOURS.name])] == [
        "curated/city-hours/date=2026-11-20/day.parquet"
    ]


def test_a_backfill_makes_its_days_anew_and_the_next_refresh_still_follows(place: Place) -> None:
    place.put("a.json", line(10, 5.0, day=20), line(10, 5.0, day=21))
    place.run()
    (row,) = perform(
        place.lake, DerivedJob(CITY_HOURS, city_hours), "backfill",
        {"first": "2026-11-20", "last": "2026-11-20", "by": BY},
    )  # fmt: skip
    assert (row["kind"], row["new"]) == ("backfill", 1)
    assert set(hours(place)) == {("Paris", "20T10")}
    assert derive(place).received == 2
    assert set(hours(place)) == {("Paris", "20T10"), ("Paris", "21T10")}


def test_a_preview_changes_nothing_and_says_what_would(place: Place) -> None:
    place.put("a.json", line(10, 5.0))
    place.run()
    window = {"first": "2026-11-20", "last": "2026-11-20", "by": BY, "preview": True}
    (row,) = perform(place.lake, DerivedJob(CITY_HOURS, city_hours), "backfill", window)
    assert (row["new"], row["partition_files"], row["details"]["added"]) == (1, 1, 1)
    assert hours(place) == {}


def test_rows_that_a_backfill_would_lose_stop_it(place: Place) -> None:
    def fewer(curated_weather: DataFrame, curated_sensor_readings: DataFrame) -> DataFrame:
        return city_hours(curated_weather, curated_sensor_readings).filter("timestamp < '2026-11-20T11:00:00'")

    place.put("a.json", line(10, 5.0), line(11, 5.0))
    place.run()
    derive(place)
    window = {"first": "2026-11-20", "last": "2026-11-20", "by": BY}
    with pytest.raises(LossRefused, match="1 present rows are not what the inputs give today"):
        perform(place.lake, DerivedJob(CITY_HOURS, fewer), "backfill", window)
    assert len(hours(place)) == 2
    perform(place.lake, DerivedJob(CITY_HOURS, fewer), "backfill", {**window, "allow_loss": True})
    assert len(hours(place)) == 1


def test_a_derived_dataset_has_no_replay(place: Place) -> None:
    with pytest.raises(OperationUnknown, match="do it to curated_weather, curated_sensor_readings"):
        perform(place.lake, DerivedJob(CITY_HOURS, city_hours), "replay", {"by": BY})


def refused(place: Place, derivation: Any, target: Contract = CITY_HOURS) -> None:
    place.put("a.json", line(10, 5.0))
    place.run()
    run(place.lake, Derive(target, derivation))


def test_a_row_that_breaks_a_rule_stops_the_run(place: Place) -> None:
    def halved(curated_weather: DataFrame, curated_sensor_readings: DataFrame) -> DataFrame:
        rows = city_hours(curated_weather, curated_sensor_readings)
        return rows.withColumn("timestamp", F.expr("timestamp + INTERVAL 30 MINUTES"))

    with pytest.raises(ToleranceExceeded, match=r"1 of 1 computed rows break a rule \(whole_hour 1\)"):
        refused(place, halved)
    assert hours(place) == {}


def test_a_row_of_a_day_that_was_not_read_stops_the_run(place: Place) -> None:
    def shifted(curated_weather: DataFrame, curated_sensor_readings: DataFrame) -> DataFrame:
        rows = city_hours(curated_weather, curated_sensor_readings)
        return rows.withColumn("timestamp", F.expr("timestamp + INTERVAL 1 DAY"))

    with pytest.raises(ToleranceExceeded, match="outside:days 1"):
        refused(place, shifted)


def test_two_rows_of_one_key_stop_the_run(place: Place) -> None:
    def doubled(curated_weather: DataFrame, curated_sensor_readings: DataFrame) -> DataFrame:
        rows = city_hours(curated_weather, curated_sensor_readings)
        return rows.unionByName(rows)

    with pytest.raises(DerivationRefused, match=r"1 rows have the key of another row \(city, timestamp\)"):
        refused(place, doubled)


def test_a_column_that_is_missing_is_said(place: Place) -> None:
    def fewer(curated_weather: DataFrame, curated_sensor_readings: DataFrame) -> DataFrame:
        return city_hours(curated_weather, curated_sensor_readings).drop("sensors")

    with pytest.raises(DerivationRefused, match="its function gives no column sensors"):
        refused(place, fewer)


def test_a_column_of_another_type_is_said(place: Place) -> None:
    def text(curated_weather: DataFrame, curated_sensor_readings: DataFrame) -> DataFrame:
        return city_hours(curated_weather, curated_sensor_readings).withColumn("sensors", F.lit("2"))

    with pytest.raises(DerivationRefused, match="sensors: its function gives string, the contract says bigint"):
        refused(place, text)


def test_a_session_over_midnight_sees_the_days_around_it(place: Place) -> None:
    """The warmest hour of the 24 before: a change on the 20th tells on the 21st."""
    around = replace(CITY_HOURS, neighbouring_days=1)

    def warmest(curated_weather: DataFrame, curated_sensor_readings: DataFrame) -> DataFrame:
        rows = city_hours(curated_weather, curated_sensor_readings).withColumn("seconds", F.unix_timestamp("timestamp"))
        return rows.withColumn(
            "weather_temperature_c",
            F.expr(
                "max(weather_temperature_c) OVER (PARTITION BY city ORDER BY seconds "
                "RANGE BETWEEN 86400 PRECEDING AND CURRENT ROW)"
            ),
        )

    def found() -> dict[str, float]:
        run(place.lake, Derive(around, warmest))
        return {hour: row[0] for (_, hour), row in hours(place).items()}

    place.put("a.json", line(22, 5.0, day=19), line(22, 6.0, day=20), line(21, 4.0, day=21), line(21, 3.0, day=22))
    place.run()
    assert found() == {"19T22": 5.0, "20T22": 6.0, "21T21": 6.0, "22T21": 4.0}
    place.put("b.json", line(22, 9.0, day=20))
    place.clock.shift += timedelta(hours=1)
    place.run()
    assert found() == {"19T22": 5.0, "20T22": 9.0, "21T21": 9.0, "22T21": 4.0}


def test_it_is_no_newer_than_its_oldest_input(place: Place) -> None:
    def completed(dataset: str) -> str:
        return str(place.lake.ledger._get(dataset, "lock").get("completed_at"))

    place.put("a.json", line(10, 5.0))
    place.run()
    derive(place)
    assert completed(CITY_HOURS.name) == "None", "no reading has come yet"
    put_messages(place, "a.json", message("s1", 10, 5.5))
    place.run_readings()
    place.clock.shift += timedelta(hours=3)
    place.run()
    derive(place)
    assert completed(CITY_HOURS.name) == completed(READINGS.name) < completed(TARGET.name)


def test_a_run_that_died_before_its_commit_is_finished_with_what_it_is_made_of(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("a.json", line(10, 5.0))
    place.run()
    with monkeypatch.context() as patch:
        patch.setattr(place.lake.ledger, "commit", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            derive(place)
    assert place.lake.ledger.inputs(CITY_HOURS.name) == {}
    assert derive(place).received == 0, "the prepared run is finished, and nothing is left to do"
    assert list(place.lake.ledger.inputs(CITY_HOURS.name)) == ["curated/weather/date=2026-11-20/"]
    assert [each["status"] for each in place.lake.ledger.runs(CITY_HOURS.name)] == ["COMMITTED"]


def test_a_late_commit_does_not_hide_what_a_later_run_was_made_of(place: Place) -> None:
    place.put("a.json", line(10, 5.0))
    place.run()
    derive(place)
    place.put("b.json", line(11, 5.0))
    place.run()
    derive(place)
    ledger, (first, second) = place.lake.ledger, place.lake.ledger.runs(CITY_HOURS.name)
    made_of = ledger.inputs(CITY_HOURS.name)
    ledger.commit(manifest_of(place.lake, CITY_HOURS, first["run_id"]))
    assert ledger.inputs(CITY_HOURS.name) == made_of
    assert manifest_of(place.lake, CITY_HOURS, second["run_id"]).made_of[0].etag in made_of.values()


def test_a_derived_dataset_of_hours_replaces_the_hour_that_changed(place: Place) -> None:
    hourly = replace(CITY_HOURS, publish_granularity={"date": "timestamp", "hour": "timestamp"})

    def etags() -> dict[str, str]:
        location = place.lake.locations[CITY_HOURS.name]
        return {each.key.rpartition("/")[2]: each.etag for each in place.lake.storage.list(location)}

    place.put("a.json", line(10, 5.0), line(11, 6.0))
    place.run()
    run(place.lake, Derive(hourly, city_hours))
    before = etags()
    place.put("b.json", line(11, 7.0))
    place.run()
    assert run(place.lake, Derive(hourly, city_hours)).replaced == 1
    assert {name: before[name] == etag for name, etag in etags().items()} == {"h10.parquet": True, "h11.parquet": False}


def test_a_first_run_over_many_days_is_made_in_runs_of_some_days(place: Place) -> None:
    days = (17, 18, 19, 20)
    place.put("a.json", *(line(10, 5.0, day=day) for day in days))
    put_messages(place, "a.json", *(message("s1", 10, 5.5, day=day) for day in days))
    place.run()
    place.run_readings()
    # A day of both inputs is two folders.
    bounded = replace(place.lake, bounds=Bounds(objects=4))
    job = DerivedJob(CITY_HOURS, city_hours)
    assert [row["new"] for row in perform(bounded, job, "refresh", {})] == [2, 2]
    assert len(hours(place)) == 4
    assert derive(place).received == 0
