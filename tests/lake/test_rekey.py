"""Pseudonyms of two key versions side by side, joined on request, and no record doubled on the way."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lake.operations import key_overrides
from lake.operations.backfill import LossRefused
from lake.operations.key_overrides import KeyOverride, NoSuchVersion
from lake.operations.rekey import NoPseudonyms
from lake.pseudonyms import keys
from tests.lake.operating import FOLDER, Sensors, message
from tests.place import READINGS, Place

SECRET = {
    "versions": [
        {"version": 1, "valid_from": "1970-01-01T00:00:00Z", "key": "the old one"},
        {"version": 2, "valid_from": "2026-11-15T00:00:00Z", "key": "the new one"},
    ]
}
VERSIONS = keys.key_versions(json.dumps(SECRET))
OLD, NEW = (keys.token(version, READINGS.name, "sensor_id", "s-1") for version in VERSIONS)
DAY = {"first": "2026-11-14", "last": "2026-11-14", "version": 2}


@pytest.fixture
def rotated(sensors: Sensors) -> Sensors:
    """A rotation between two days, both with readings of one sensor."""
    found = replace(sensors, lake=replace(sensors.lake, keys=VERSIONS))
    found.put("a.json", message("s-1", 14, 1), message("s-1", 14, 2), message("s-1", 16, 1), message("s-2", 14, 1))
    found.perform()
    return found


def of_one(sensors: Sensors) -> list[tuple[str, str, float]]:
    return [row for row in sensors.tokens() if row[0] in (OLD, NEW)]


def test_days_join_after_they_were_rekeyed_and_what_comes_later_meets_its_record(rotated: Sensors) -> None:
    before = [(OLD, "14T01", 5.0), (OLD, "14T02", 5.0), (NEW, "16T01", 5.0)]
    assert of_one(rotated) == before
    (seen,) = rotated.perform("rekey", **DAY, preview=True)
    assert (seen["partition_files"], seen["details"]["changed"], of_one(rotated)) == (3, 3, before)
    rotated.perform("rekey", **DAY)
    assert of_one(rotated) == [(NEW, "14T01", 5.0), (NEW, "14T02", 5.0), (NEW, "16T01", 5.0)]
    rotated.put("late.json", message("s-1", 14, 1, 6.0), message("s-1", 14, 3), message("s-1", 13, 1))
    (late,) = rotated.perform()
    assert (late["new"], late["replaced"], late["duplicate"]) == (2, 1, 0)
    (again,) = rotated.perform("backfill", first="2026-11-13", last="2026-11-16", preview=True)
    assert (again["partition_files"], again["details"]["equal"]) == (0, 6)
    assert rotated.perform("rekey", **DAY, preview=True)[0]["partition_files"] == 0, "there is nothing left to do"
    assert of_one(rotated)[0] == (OLD, "13T01", 5.0)


@pytest.mark.long
def test_an_undo_takes_the_choice_back_with_the_rows(rotated: Sensors) -> None:
    before = rotated.tokens()
    rotated.perform("rekey", **DAY)
    (run,) = (run for run in rotated.lake.ledger.runs(READINGS.name) if run["kind"] == "rekey")
    assert (run["details"]["version"], run["duplicate"] + run["replaced"]) == (2, 3)
    rotated.perform("undo", run=run["run_id"])
    assert rotated.tokens() == before
    rotated.put("late.json", message("s-1", 14, 2, 7.0))
    assert rotated.perform()[0]["replaced"] == 1
    assert of_one(rotated)[1] == (OLD, "14T02", 7.0)


@pytest.mark.long
def test_rows_that_raw_has_lost_and_versions_that_do_not_exist_stop_it(rotated: Sensors, place: Place) -> None:
    with pytest.raises(NoSuchVersion, match="no key of version 3; there are 1, 2"):
        rotated.perform("rekey", **{**DAY, "version": 3})
    with pytest.raises(NoPseudonyms, match="curated_weather has no column with pseudonyms"):
        place.put("w.json", "{}")
        place.run()
        place.perform("rekey", **DAY)
    s3 = place.aws.client("s3")
    (version,) = s3.list_object_versions(Bucket=place.bucket, Prefix=f"{FOLDER}/a.json")["Versions"]
    rotated.put("b.json", message("s-1", 14, 5))
    rotated.perform()
    s3.delete_object(Bucket=place.bucket, Key=version["Key"], VersionId=version["VersionId"])
    with pytest.raises(LossRefused, match="3 rows between 2026-11-14"):
        rotated.perform("rekey", **DAY)
    assert len(of_one(rotated)) == 4


def test_a_choice_cuts_its_days_out_of_the_schedule_and_a_later_one_wins() -> None:
    chosen = key_overrides.with_overrides(
        VERSIONS, [KeyOverride("2026-11-10", "2026-11-16", 2), KeyOverride("2026-11-12", "2026-11-12", 1)]
    )
    found = {
        day: [
            key.version for key in chosen if key.valid_from <= datetime(2026, 11, day, 12, tzinfo=UTC) < key.valid_until
        ]
        for day in (9, 10, 11, 12, 13, 16, 17)
    }
    assert found == {9: [1], 10: [2], 11: [2], 12: [1], 13: [2], 16: [2], 17: [2]}
