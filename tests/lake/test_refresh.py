"""A run of the data path on local S3, DynamoDB and Glue catalog: counted, repeatable, safe to kill at any publish."""

import os
import signal
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.core.counts import NOTHING, Counts
from lake.core.errors import CountsNotReconciled, LeaseLost, NoRawData, OutsideWriter, SchemaMismatch, ToleranceExceeded
from lake.core.s3 import Storage
from lake.records import row_by_row
from lake.runs.ledger import LEASE, Ledger, Lock
from lake.runs.run import finish
from tests.place import QUARANTINE, RUNS, SOURCE, TARGET, Place, line, refresh, table, weather


def test_good_rows_are_curated_bad_ones_quarantined_and_all_are_counted(place: Place) -> None:
    place.put("a.json", line(1, 10.0), line(2, 999.0), line(1, 10.0), "not json", line(23, 5.0, day=19))
    counts = place.run()
    assert counts == Counts(5, 2, 0, 1, 2, {"malformed:line": 1, "range:temperature_c": 1})
    assert place.temperatures() == {("Paris", "20T01"): 10.0, ("Paris", "19T23"): 5.0}
    bad = {row["source_line"]: row["reasons"] for row in place.rows(QUARANTINE)}
    assert bad == {2: ["range:temperature_c"], 4: ["malformed:line"]}
    run = place.runs()[0]
    assert (run["kind"], run["source"]) == ("refresh", "raw_weather")
    assert (run["objects"], run["input_objects"]) == (1, ["raw/weather/date=2026-11-20/a.json"])
    assert 0 <= run["duration_seconds"] < 300
    assert (run["status"], run["received"], run["new"], run["duplicate"], run["quarantined"]) == (
        "COMMITTED",
        5,
        2,
        1,
        2,
    )
    assert set(run) == {column.name for column in RUNS.stored}


def test_partition_files_are_single_objects_with_fixed_keys_and_partitions_are_registered(place: Place) -> None:
    place.put("a.json", line(1, 10.0), line(2, 11.0), line(1, 9.0, day=19))
    place.run()
    keys = [entry.key for entry in place.lake.storage.list(place.lake.locations[TARGET.name])]
    assert keys == ["curated/weather/date=2026-11-19/day.parquet", "curated/weather/date=2026-11-20/day.parquet"]
    for dataset, expected in ((TARGET, ["2026-11-19", "2026-11-20"]), (SOURCE, ["2026-11-20"])):
        answer = place.aws.client("glue").get_partitions(DatabaseName=place.bucket, TableName=dataset.name)
        assert sorted(partition["Values"][0] for partition in answer["Partitions"]) == expected


def test_a_run_without_new_objects_changes_nothing(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    place.run()
    before = list(place.lake.storage.list(place.lake.locations[TARGET.name]))
    for _ in range(2):
        assert place.run().received == 0
    assert list(place.lake.storage.list(place.lake.locations[TARGET.name])) == before
    assert len(place.runs()) == 1


def test_every_refresh_is_measured_and_leaves_when_it_ended_well(place: Place) -> None:
    place.put("a.json", line(1, 10.0), line(2, 999.0))
    before = datetime.now(UTC)
    place.run()
    first = datetime.fromisoformat(place.locked()["completed_at"])
    place.run()
    second = datetime.fromisoformat(place.locked()["completed_at"])
    assert before < first < second, "nothing new is a refresh that ended well, too"
    assert "lease_until" not in place.locked()
    assert [place.measured(name) for name in ("RecordsReceived", "RecordsQuarantined", "RunsSucceeded")] == [2, 1, 2]
    assert place.measured("QuarantineRatio", "Maximum") == 0.5
    assert place.measured("RecordsUnreconciled", "Maximum") == 0


def test_a_later_object_replaces_only_what_it_corrects(place: Place) -> None:
    place.put("a.json", line(1, 10.0), line(2, 11.0), line(1, 9.0, day=19))
    place.run()
    untouched = place.lake.storage.etag(place.bucket, "curated/weather/date=2026-11-19/day.parquet")
    place.put("b.json", line(1, 12.0), line(2, 11.0))
    assert place.run() == Counts(2, 0, 1, 1, 0, {})
    assert place.temperatures() == {("Paris", "20T01"): 12.0, ("Paris", "20T02"): 11.0, ("Paris", "19T01"): 9.0}
    assert place.lake.storage.etag(place.bucket, "curated/weather/date=2026-11-19/day.parquet") == untouched


def test_no_raw_data_ever_fails_and_says_so(place: Place) -> None:
    with pytest.raises(NoRawData, match="no raw data has ever arrived in s3://"):
        place.run()
    assert [(run["status"], run["received"]) for run in place.runs()] == [("FAILED", 0)]


def test_too_many_bad_records_publish_nothing_and_name_rules_and_objects(place: Place) -> None:
    place.put("a.json", *(line(hour, 999.0) for hour in range(11)), line(12, 5.0))
    with pytest.raises(ToleranceExceeded, match=r"validation FAILED: 11 of 12 .*range:temperature_c 11.*nothing was"):
        place.run()
    assert (place.rows(TARGET), place.rows(QUARANTINE)) == ([], [])
    assert [(run["status"], run["quarantined"]) for run in place.runs()] == [("FAILED", 11)]
    assert [place.measured(name) for name in ("RunsSucceeded", "RunsFailed", "RecordsUnreconciled")] == [0, 1, 0]
    assert "completed_at" not in place.locked()


def test_a_record_that_is_lost_on_the_way_is_found_and_nothing_is_published(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever loses it: a transformation with a filter is refused before.
    monkeypatch.setattr(row_by_row, "_KEEPING", {*row_by_row._KEEPING, "Filter"})
    place.put("a.json", line(0, 9.5), line(1, 10.5))
    with pytest.raises(CountsNotReconciled, match="do not add up"):
        refresh(place.lake, TARGET, SOURCE, lambda raw: weather(raw).filter("temperature_c < 10"))
    assert place.rows(TARGET) == []
    assert place.measured("RecordsUnreconciled", "Maximum") == 1


def test_records_that_change_their_object_are_found_though_the_sum_is_right(place: Place) -> None:
    place.put("a.json", line(0, 9.5), line(1, 10.5))
    place.put("b.json", line(2, 11.5))
    other = F.when(F.col("temperature_c") == 9.5, F.regexp_replace("source_object", "a.json", "b.json"))
    with pytest.raises(
        CountsNotReconciled, match=r"nothing was published: .*, first in raw/weather/date=2026-11-20/a.json"
    ):
        refresh(
            place.lake,
            TARGET,
            SOURCE,
            lambda raw: weather(raw).withColumn("source_object", F.coalesce(other, "source_object")),
        )
    assert place.rows(TARGET) == []


def processed(place: Place) -> dict[str, tuple[int, ...]]:
    """Received, new, replaced, duplicate and quarantined of each object that is processed, by its name."""
    items = place.aws.client("dynamodb").scan(TableName=place.bucket, ConsistentRead=True)["Items"]
    names = ("received", "new", "replaced", "duplicate", "quarantined")
    objects = [item for item in items if item.get("status", {}).get("S") == "PROCESSED"]
    return {item["key"]["S"].rsplit("/")[-1]: tuple(int(item[name]["N"]) for name in names) for item in objects}


def test_each_object_is_processed_with_what_became_of_its_own_records(place: Place) -> None:
    place.put("a.json", line(1, 10.0), line(2, 11.0), "not json")
    place.put("b.json", line(1, 12.0), line(3, 12.5))
    place.put("empty.json")
    assert place.run() == Counts(5, 3, 0, 1, 1, {"malformed:line": 1})
    first = {"a.json": (3, 1, 0, 1, 1), "b.json": (2, 2, 0, 0, 0), "empty.json": (0, 0, 0, 0, 0)}
    assert processed(place) == first, "of two new versions of a key the later one is new, the other a duplicate"
    place.put("c.json", line(1, 13.0), line(2, 11.0))
    place.put("d.json", line(1, 13.0))
    assert place.run() == Counts(3, 0, 1, 2, 0, {})
    assert processed(place) == {**first, "c.json": (2, 0, 0, 2, 0), "d.json": (1, 0, 1, 0, 0)}


def test_a_table_that_is_not_the_contract_fails_and_names_the_columns(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    other = table(TARGET, place.bucket)
    other["StorageDescriptor"]["Columns"][4]["Name"] = "temperature"
    place.aws.client("glue").update_table(DatabaseName=place.bucket, TableInput=other)
    with pytest.raises(SchemaMismatch, match=r"schema mismatch.*temperature double, temperature_c double"):
        place.run()
    assert place.rows(TARGET) == []


def test_two_runs_at_once_one_works_the_other_ends_cleanly(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    place.lake.ledger.lock(TARGET.name, "another run")
    assert place.run().received == 0
    assert place.rows(TARGET) == []
    place.clock.shift += LEASE + timedelta(seconds=1)
    assert place.run().new == 1


def test_a_run_that_was_frozen_past_its_lease_cannot_publish(place: Place) -> None:
    place.put("a.json", line(1, 10.0))

    def frozen(raw: DataFrame) -> DataFrame:
        place.clock.shift += LEASE + timedelta(seconds=1)
        assert place.run().new == 1
        return weather(raw)

    with pytest.raises(LeaseLost):
        refresh(place.lake, TARGET, SOURCE, frozen)
    assert place.temperatures() == {("Paris", "20T01"): 10.0}
    assert [run["status"] for run in place.runs()] == ["COMMITTED"]


def test_a_partition_file_that_a_stranger_has_changed_is_never_overwritten(place: Place) -> None:
    place.put("a.json", line(1, 10.0))

    def meddling(raw: DataFrame) -> DataFrame:
        return weather(raw)

    storage = StrangerBeforePublish(place)
    with pytest.raises(OutsideWriter, match=r"curated/weather/date=2026-11-20/day.parquet was changed by a writer"):
        refresh(replace(place.lake, storage=storage), TARGET, SOURCE, meddling)
    assert place.lake.storage.read(place.bucket, "curated/weather/date=2026-11-20/day.parquet") == b"a stranger's"


class StrangerBeforePublish(Storage):
    """Somebody writes to a partition file between its being read and its being replaced."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.aws.client("s3"))

    def replace(self, bucket: str, source: str, key: str, before: str | None, run_id: str) -> None:
        self.put(bucket, key, b"a stranger's")
        super().replace(bucket, source, key, before, run_id)


class Killed(Storage):
    """Kills its own process at the n-th publish, before or after the partition file was put."""

    def __init__(self, client: Any, publish: int, after: bool) -> None:
        super().__init__(client)
        self._number, self._publish, self._after = count(1), publish, after

    def replace(self, bucket: str, source: str, key: str, before: str | None, run_id: str) -> None:
        # Several are put at the same time.
        is_it = next(self._number) == self._publish
        if is_it and not self._after:
            os.kill(os.getpid(), signal.SIGKILL)
        super().replace(bucket, source, key, before, run_id)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)


def test_what_was_not_staged_whole_is_never_published(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.json", line(1, 10.0))

    def loses_everything(_destinations: Any) -> Any:
        return lambda batches: iter([batch for batch in batches if False])

    monkeypatch.setattr("lake.tables.partition_files.staging.owner.merging", loses_everything)
    with pytest.raises(
        CountsNotReconciled,
        match=r"curated_weather: the counts do not add up, nothing was published: .*received=1, new=0",
    ):
        place.run()
    assert place.rows(TARGET) == []
    assert place.measured("RecordsUnreconciled", "Maximum") == 1


class Prepared(Exception):
    """Ends a run between prepare and publish."""


class StopsBeforePublish(Storage):
    """Ends the run where its first partition file would be put."""

    def replace(self, bucket: str, source: str, key: str, before: str | None, run_id: str) -> None:
        raise Prepared


def publish_in_a_process_that_is_killed(place: Place, storage: Killed) -> int:
    """Prepare a run here, publish it in a child process; returns the signal that ended the child."""
    with pytest.raises(Prepared):
        refresh(replace(place.lake, storage=StopsBeforePublish(place.aws.client("s3"))), TARGET, SOURCE, weather)
    child = os.fork()
    if child == 0:
        ledger = Ledger(place.aws.client("dynamodb"), place.bucket, place.clock)
        lock = ledger.lock(TARGET.name, "doomed")
        assert isinstance(lock, Lock)
        assert lock.unfinished
        finish(replace(place.lake, storage=storage, ledger=ledger), lock, TARGET, lock.unfinished)
        os._exit(1)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(("publish", "after"), [(1, False), (1, True), (2, False), (2, True), (3, True)])
def test_kill_at_the_publish_step_and_the_next_run_converges(place: Place, publish: int, after: bool) -> None:
    place.put("a.json", line(1, 10.0), line(1, 9.0, day=19), line(3, 999.0))
    assert publish_in_a_process_that_is_killed(place, Killed(place.aws.client("s3"), publish, after)) == signal.SIGKILL
    assert place.run().received == 0, "the dead run's lease is alive"
    place.clock.shift += LEASE + timedelta(seconds=1)
    place.put("b.json", line(1, 12.0))
    assert place.run() == Counts(1, 0, 1, 0, 0, {})
    assert place.temperatures() == {("Paris", "20T01"): 12.0, ("Paris", "19T01"): 9.0}
    assert [row["reasons"] for row in place.rows(QUARANTINE)] == [["range:temperature_c"]]
    assert [(run["status"], run["received"], run["new"], run["quarantined"]) for run in place.runs()] == [
        ("COMMITTED", 3, 2, 1),
        ("COMMITTED", 1, 0, 0),
    ]
    assert [place.measured(name) for name in ("RecordsReceived", "RecordsNew")] == [4, 2], "the dead run's are in it"
    assert place.run().received == 0


def test_a_run_that_has_nothing_to_do_starts_no_spark(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    place.run()

    def started() -> Any:
        raise AssertionError("nobody needs it")

    idle = replace(place, lake=replace(place.lake, engine=started))
    assert idle.perform("refresh") == [{"dataset": "curated_weather", "kind": "refresh", **asdict(NOTHING)}]
    place.put("b.json", line(2, 10.0))
    with pytest.raises(AssertionError, match="nobody needs it"):
        idle.perform("refresh")
