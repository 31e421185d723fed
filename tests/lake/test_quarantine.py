"""Quarantined records are validated again or discarded: exactly once, counted, and only after a look."""

from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.core.counts import Counts
from lake.operations.quarantine import Selection, SelectionUnclear
from lake.records import arrow_lines
from lake.records.json_lines import RawRecord
from lake.records.reference import NotARecord, Reference
from tests.place import QUARANTINE, TARGET, Place, line, weather

OBJECT = "raw/weather/date=2026-11-20/a.json"


def repaired(raw: DataFrame) -> DataFrame:
    """A transformation of the next release: degrees of a thermometer that was wrong by a thousand."""
    temperature = F.when(F.col("temperature_c") > 1000, F.col("temperature_c") - 1000).otherwise(F.col("temperature_c"))
    return weather(raw.withColumn("temperature_c", temperature))


def quarantined(place: Place) -> dict[tuple[str, int], list[str]]:
    return {
        (row["source_object"].rpartition("/")[2], row["source_line"]): row["reasons"] for row in place.rows(QUARANTINE)
    }


def numbers(rows: list[dict[str, Any]]) -> Counts:
    (row,) = rows
    names = ("received", "new", "replaced", "duplicate", "quarantined", "reasons")
    return Counts(*(row[name] for name in names))


def etags(place: Place) -> dict[str, str]:
    folders = (place.lake.locations[dataset.name] for dataset in (TARGET, QUARANTINE))
    return {entry.key: entry.etag for folder in folders for entry in place.lake.storage.list(folder)}


def test_a_replay_moves_what_passes_now_exactly_once_and_leaves_the_rest(place: Place) -> None:
    place.put("a.json", line(1, 10.0), line(2, 1011.0), line(3, 999.0), "not json")
    place.run()
    place.put("b.json", line(4, 1012.0), line(1, 1009.0))
    place.run()
    place.put("c.json", line(4, 13.0))
    place.run()
    before, runs = etags(place), len(place.runs())
    fixed = replace(place, transformation=repaired)
    expected = Counts(5, 1, 1, 1, 2, {"malformed:line": 1, "range:temperature_c": 1})
    assert numbers(fixed.perform("replay", everything=True, preview=True)) == expected
    assert (etags(place), len(place.runs())) == (before, runs), "a look changes nothing"
    assert numbers(fixed.perform("replay", everything=True)) == expected
    assert place.temperatures() == {("Paris", f"20T0{hour}"): value for hour, value in ((1, 9.0), (2, 11.0), (4, 13.0))}
    assert quarantined(place) == {("a.json", 3): ["range:temperature_c"], ("a.json", 4): ["malformed:line"]}
    came = {row["timestamp"].hour: (row["source_object"], row["source_line"]) for row in place.rows(TARGET)}
    assert came[2] == (OBJECT, 2)
    assert [(run["kind"], run["received"]) for run in place.runs()][-1] == ("replay", 5)
    settled = etags(place)
    assert numbers(fixed.perform("replay", everything=True)) == Counts(2, 0, 0, 0, 2, expected.reasons)
    assert etags(place) == settled, "a second replay finds nothing new"


def test_what_fails_for_another_reason_now_says_so_and_a_selection_leaves_the_others(place: Place) -> None:
    place.put("a.json", line(1, 999.0), line(2, 999.0))
    place.run()
    wrong = replace(
        place, transformation=lambda raw: weather(raw.withColumn("temperature_c", F.lit(None).cast("double")))
    )
    missing = ["required:temperature_c", "required:temperature_f"]
    assert numbers(wrong.perform("replay", record=f"{OBJECT}:1")).reasons == dict.fromkeys(missing, 1)
    assert quarantined(place) == {("a.json", 1): missing, ("a.json", 2): ["range:temperature_c"]}


def test_a_whole_object_is_replayed_line_by_line_from_the_version_that_was_rejected(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("a.json", line(1, 10.0), line(2, 999.0))
    with monkeypatch.context() as patch:
        unread = [RawRecord(0, b"", None, ["encoding:object"])]
        patch.setattr("lake.records.typed._blocks", lambda _, columns, __: [arrow_lines.of_records(unread, columns)])
        place.run()
    assert quarantined(place) == {("a.json", 0): ["encoding:object"]}
    place.put("a.json", line(1, 20.0))
    replayed = numbers(place.perform("replay", reason="encoding:object"))
    assert replayed == Counts(2, 1, 0, 0, 1, {"range:temperature_c": 1})
    assert quarantined(place) == {("a.json", 2): ["range:temperature_c"]}
    assert place.temperatures() == {("Paris", "20T01"): 10.0}


def test_what_raw_does_not_hold_any_more_stays_and_is_said(place: Place) -> None:
    place.put("a.json", line(1, 999.0))
    place.run()
    s3 = place.aws.client("s3")
    (version,) = s3.list_object_versions(Bucket=place.bucket, Prefix=OBJECT)["Versions"]
    place.put("b.json", line(2, 999.0))
    place.run()
    s3.delete_object(Bucket=place.bucket, Key=OBJECT, VersionId=version["VersionId"])
    (row,) = replace(place, transformation=repaired).perform("replay", everything=True, preview=True)
    assert (row["received"], row["details"]["records"], row["details"]["not_in_raw"]) == (1, 2, 1)


def test_a_discard_empties_the_quarantine_and_the_ledger_says_who_and_why(place: Place) -> None:
    place.put("a.json", line(1, 999.0), line(2, 5.0), "not json")
    place.run()
    (seen,) = place.perform("discard", reason="malformed:line", why="a test of the producer", preview=True)
    assert seen["partition_files"] == 1
    assert len(quarantined(place)) == 2
    place.perform("discard", reason="malformed:line", why="a test of the producer")
    assert quarantined(place) == {("a.json", 1): ["range:temperature_c"]}
    place.perform("discard", everything=True, why="known fault")
    assert place.rows(QUARANTINE) == []
    records = [record for record in place.lake.ledger.runs(TARGET.name) if record["kind"] == "discard"]
    assert [record["details"] for record in records] == [
        {"by": "arn:aws:iam::123456789012:role/operator", "why": why, "records": 1, "first_records": [record]}
        for why, record in (("a test of the producer", f"{OBJECT}:3"), ("known fault", f"{OBJECT}:1"))
    ]
    assert place.temperatures() == {("Paris", "20T02"): 5.0}
    assert place.perform("discard", everything=True, why="again")[0]["received"] == 0
    assert len([run for run in place.runs() if run["kind"] == "discard"]) == 2
    assert place.measured("RunsSucceeded") == 1, "only a refresh is measured"
    place.put("b.json", line(3, 999.0))
    place.run()
    assert len(quarantined(place)) == 1


def test_a_repair_does_not_make_a_dataset_look_fresh(place: Place) -> None:
    place.put("a.json", line(1, 999.0))
    place.run()
    before = place.locked()["completed_at"]
    place.perform("discard", everything=True, why="known fault")
    assert place.locked()["completed_at"] == before


@pytest.mark.parametrize("text", ["a.json", "a.json:", ":3", "a.json:one"])
def test_what_names_no_record_is_refused(text: str) -> None:
    with pytest.raises(NotARecord, match="expected <source object>:<line>"):
        Reference.parse(text)


def test_a_record_s_name_is_read_as_it_is_written() -> None:
    place = Reference("raw/a:b.json", 3)
    assert Reference.parse(str(place)) == place


def test_a_selection_of_nothing_is_not_everything() -> None:
    with pytest.raises(SelectionUnclear, match="say which records"):
        Selection.of({"by": "somebody"})
