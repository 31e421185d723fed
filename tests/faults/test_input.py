"""Faults of what arrives: one raw object a case, one refresh for all of them, and each case still told apart."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lake.core.s3 import Storage
from lake.operations.refresh import Refresh
from lake.pseudonyms import keys
from lake.runs.ledger import Objects
from tests.faults import closing, payloads
from tests.faults.closing import Outcome
from tests.faults.fault import Fault, load
from tests.local_aws import LocalAws
from tests.place import READINGS, RUNS, SOURCE, TARGET, Place, lake_of_its_own, line, refresh, weather

CASES = {fault.id: fault for fault in load("input") if {"lines", "curated", "curated_count"} & set(fault.script)}
PAYLOADS = {number: payloads.objects(fault) for number, fault in CASES.items()}


@pytest.fixture(scope="module")
def outcome(aws: LocalAws, spark: SparkSession) -> Iterator[Outcome]:
    with lake_of_its_own(aws, spark) as place:
        yield closing.refreshed(place, {key: body for objects in PAYLOADS.values() for key, body in objects.items()})


def expected(fault: Fault) -> tuple[list[int], dict[int, list[str]], int]:
    """Curated lines, reasons by line, number of superseded lines."""
    script = fault.script
    quarantined: dict[int, list[str]] = script.get("quarantined", {})
    superseded: list[int] = script.get("superseded", [])
    if "lines" not in script:
        return script.get("curated", list(range(1, script.get("curated_count", 0) + 1))), quarantined, 0
    lines = {number for number, text in enumerate(script["lines"], 1) if not isinstance(text, str) or text.strip()}
    return sorted(lines - set(quarantined) - set(superseded)), quarantined, len(superseded)


@pytest.mark.parametrize("number", CASES)
def test_a_broken_record_is_explained_and_its_neighbours_go_through(outcome: Outcome, number: str) -> None:
    for key in PAYLOADS[number]:
        outcome.check(key, *expected(CASES[number]))
    (first, *_) = PAYLOADS[number]
    rows = {row["source_line"]: row for row in outcome.curated.get(first, [])}
    for at, values in CASES[number].script.get("values", {}).items():
        wanted = {**values, **{name: datetime.fromisoformat(values[name]) for name in values if name == "timestamp"}}
        assert {name: rows[at][name] for name in wanted} == wanted


def test_the_counts_and_metrics_of_all_cases_are_their_sum(outcome: Outcome) -> None:
    every = [expected(CASES[number]) for number, objects in PAYLOADS.items() for _ in objects]
    reasons = Counter(reason for _, quarantined, _ in every for listed in quarantined.values() for reason in listed)
    curated, bad, superseded = (
        sum(map(len, of)) for of in ([e[0] for e in every], [e[1] for e in every], [range(e[2]) for e in every])
    )
    assert outcome.counts.is_reconciled
    assert (outcome.counts.new, outcome.counts.quarantined, outcome.counts.duplicate) == (curated, bad, superseded)
    assert outcome.counts.reasons == reasons
    names = ("RecordsReceived", "RecordsNew", "RecordsQuarantined", "RecordsDuplicate", "RecordsUnreconciled")
    assert [outcome.place.measured(name, dataset=READINGS) for name in names] == [
        curated + bad + superseded, curated, bad, superseded, 0,
    ]  # fmt: skip


def test_every_object_of_every_case_is_processed_in_the_ledger_under_its_own_name(outcome: Outcome) -> None:
    assert {key for key, _ in outcome.place.lake.ledger.objects(READINGS.name).processed} == set(outcome.objects)


def test_a_rerun_after_all_faults_changes_nothing(outcome: Outcome) -> None:
    place, tables = outcome.place, (READINGS, READINGS.quarantine(), RUNS)
    before = closing.etags(place, *tables)
    assert place.run_readings().received == 0
    assert closing.etags(place, *tables) == before


def test_i50_objects_of_the_lake_are_where_dates_and_hours_say(outcome: Outcome) -> None:
    keys = closing.etags(outcome.place, READINGS, READINGS.quarantine())
    shape = re.compile(r"(curated|quarantine)/sensor-readings/date=\d{4}-\d{2}-\d{2}/h\d{2}\.parquet")
    assert [key for key in keys if not shape.fullmatch(key)] == []


def test_i22_and_i62_an_identifier_has_one_token_and_an_empty_one_has_none(outcome: Outcome) -> None:
    (version,) = outcome.place.lake.keys
    tokens = {row["sensor_id_hash"] for rows in outcome.curated.values() for row in rows}
    token = {
        text: keys.token(version, READINGS.name, "sensor_id", text)
        for text in ("", " ", "I62-caf\u00e9", "I62-cafe\u0301")
    }
    assert {text for text in token if token[text] in tokens} == {"I62-caf\u00e9"}
    assert len({row["sensor_id_hash"] for row in outcome.curated[f"{payloads.FOLDER}I62.json"]}) == 2


def message(case: str, number: int, **changed: object) -> bytes:
    return json.dumps(payloads.message(case, number, **changed)).encode()


def test_i25_a_late_record_replaces_the_object_of_its_hour_only(place: Place) -> None:
    first = closing.refreshed(
        place, {f"{payloads.FOLDER}first.json": b"\n".join(message("I25", hour * 3600) for hour in range(4))}
    )
    before = closing.etags(place, READINGS)
    late = message("I25", 0, sensor_id="I25-late", timestamp="2026-11-20T02:30:00Z")
    again = closing.refreshed(place, {f"{payloads.FOLDER}late.json": late})
    after = closing.etags(place, READINGS)
    assert (first.counts.new, again.counts.new) == (4, 1)
    assert {key for key in after if after[key] != before.get(key)} == {
        "curated/sensor-readings/date=2026-11-20/h02.parquet"
    }
    again.check(f"{payloads.FOLDER}late.json", [1], {}, 0)


def test_i21_a_sensor_that_says_the_same_for_hours_is_named_and_its_readings_are_kept(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    def readings(*minutes: int) -> bytes:
        stuck = [message("I21", minute * 60) for minute in minutes]
        lively = [message("I21", minute * 60, sensor_id="lively", aqi=minute) for minute in minutes]
        seldom = [message("I21", minute * 60, sensor_id="seldom") for minute in minutes if minute % 60 == 0]
        return b"\n".join([*stuck, *lively, *seldom])

    closing.refreshed(place, {f"{payloads.FOLDER}before.json": readings(*range(60, 180, 10))})
    assert [run["details"] for run in place.lake.ledger.runs(READINGS.name)] == [{}], "two hours are not enough"
    outcome = closing.refreshed(place, {f"{payloads.FOLDER}then.json": readings(*range(180, 240, 10))})
    token = keys.token(place.lake.keys[0], READINGS.name, "sensor_id", "I21-s")
    assert place.lake.ledger.runs(READINGS.name)[-1]["details"] == {"sensor_stuck": [token]}
    assert f"{READINGS.name}: sensor_stuck: 1, e.g. {token}" in caplog.messages
    assert (outcome.counts.new, outcome.counts.quarantined) == (13, 0)
    outcome.check(f"{payloads.FOLDER}then.json", list(range(1, 14)), {}, 0)


def test_i56_an_object_that_is_rewritten_is_read_again_once(place: Place) -> None:
    key = f"{payloads.FOLDER}I56.json"
    closing.refreshed(place, {key: message("I56", 1, aqi=1) + b"\n" + message("I56", 2)})
    again = closing.refreshed(place, {key: message("I56", 1, aqi=2)})
    assert (again.counts.received, again.counts.replaced) == (1, 1)
    assert sorted((row["source_line"], row["aqi"]) for row in again.curated[key]) == [(1, 2), (2, 42)]
    assert place.run_readings().received == 0


def test_i61_a_run_without_records_leaves_the_tables_alone(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    place.run()
    before = place.temperatures()
    place.put("empty.json")
    assert place.run().received == 0
    assert place.temperatures() == before
    assert [run["status"] for run in place.runs()] == ["COMMITTED", "COMMITTED"]


def test_i57_an_object_that_vanishes_fails_the_run_by_its_name(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    place.put("b.json", line(2, 11.0))

    def while_it_is_deleted(raw: DataFrame) -> DataFrame:
        place.aws.client("s3").delete_object(Bucket=place.bucket, Key="raw/weather/date=2026-11-20/a.json")
        return weather(raw)

    with pytest.raises(Exception, match="RawObjectUnreadable"):
        refresh(place.lake, TARGET, SOURCE, while_it_is_deleted)
    (failed,) = place.runs()
    assert (failed["status"], failed["new"]) == ("FAILED", 0)
    assert re.match(r"RawObjectUnreadable: s3://.*/a\.json: .*NoSuchKey", failed["reason"])
    assert (place.rows(TARGET), place.measured("RunsFailed")) == ([], 1)
    assert place.run().new == 1


class Listing:
    """An S3 client that lists objects which nobody had to put."""

    def __init__(self, number: int) -> None:
        self._number = number

    def get_paginator(self, _operation: str) -> "Listing":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - as boto3 has it
        """Pages of 1,000, as S3 gives them."""
        for start in range(0, self._number, 1000):
            yield {
                "Contents": [
                    tiny(f"{Prefix}date=2026-11-20/{number:06d}.json") for number in range(start, start + 1000)
                ]
            }


def tiny(key: str) -> dict[str, Any]:
    return {"Key": key, "ETag": '"e"', "Size": 10, "LastModified": datetime(2026, 11, 20)}  # noqa: DTZ001


def test_i58_what_is_new_among_100000_objects_is_found_in_seconds(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = replace(place.lake, storage=Storage(Listing(100_000)))
    keys = (f"raw/weather/date=2026-11-20/{number:06d}.json" for number in range(100_000) if number != 77_777)
    known = Objects({(key, "e"): None for key in keys}, {})
    monkeypatch.setattr(lake.ledger, "objects", lambda _dataset: known)
    started = time.monotonic()
    (new,) = Refresh(TARGET, SOURCE, weather).inputs(lake)
    assert new.key.endswith("077777.json")
    assert time.monotonic() - started < 10
