"""A run, step by step, on a lake in memory: what it leaves behind when it works, when it fails, when it may not."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import Mock

import pytest
from botocore.exceptions import HTTPClientError

from lake.core.counts import NOTHING, Counts
from lake.core.errors import (
    CountsNotReconciled,
    DatasetHeld,
    LakeError,
    LeaseLost,
    NoRawData,
    NotPrepared,
    OutsideWriter,
)
from lake.core.s3 import StoredObject, Suspect
from lake.operations.registry import DatasetJob, perform
from lake.runs.context import RunContext
from lake.runs.ledger import LEASE, Ledger, Lock
from lake.runs.manifest import Kind, Manifest
from lake.runs.metrics import Metrics
from lake.runs.run import Outcome, abandon, finish, preview, run
from tests.memory_aws import START, MemoryPlace
from tests.place import SOURCE, TARGET
from tests.plain_work import RAW, REFRESH, REREAD, PlainRefresh, check_end, record, shown
from tests.wire import Died, Fault, Wire

FILE = "curated/weather/date=2026-11-20/day.parquet"


@pytest.fixture
def place() -> MemoryPlace:
    made = MemoryPlace()
    made.put("a.json", record("x", 1), record("y", 1, day=19), "no record")
    return made


def rows(place: MemoryPlace) -> list[dict[str, Any]]:
    """The rows of pipeline_runs by start."""
    found = [entry["Bytes"] for key, entry in place.memory.objects.items() if key.startswith("ops/runs/")]
    return sorted(map(json.loads, found), key=lambda row: str(row["started_at"]))


def prepared(place: MemoryPlace) -> Lock:
    """A run is prepared and dead; the lock of the one who comes next."""
    with pytest.raises(Died):
        run(place.lake_on(Wire(Fault.DIES_AFTER, 6)), REFRESH)
    place.clock.shift += LEASE + timedelta(seconds=1)
    lock = place.lake.ledger.lock(TARGET.name, "next")
    assert isinstance(lock, Lock)
    assert lock.unfinished
    return lock


def test_a_run_leaves_files_partitions_a_row_and_a_manifest(place: MemoryPlace) -> None:
    assert run(place.lake, REFRESH) == Counts(3, 2, 0, 0, 1, {"malformed:line": 1})
    (row,) = rows(place)
    (record,) = place.lake.ledger.runs(TARGET.name)
    assert row["run_id"] == record["run_id"]
    assert row["run_id"].startswith("20261120T120001Z-")
    assert len(row["run_id"]) == len("20261120T120001Z-12345678")
    expected = {
        "kind": "refresh",
        "source": "raw_weather",
        "pipeline": "weather_iot",
        "fencing_token": 1,
    }
    expected |= {"status": "COMMITTED", "reason": None, "code_version": "test", "partition_files": 3, "objects": 1}
    expected |= {"started_at": "2026-11-20T12:00:01+00:00", "ended_at": "2026-11-20T12:00:01+00:00"}
    expected |= {"input_objects": [f"{RAW}a.json"]}
    assert {name: row[name] for name in expected} == expected
    runs = f"ops/runs/date=2026-11-20/{row['run_id']}_curated_weather.json"
    assert {runs, f"ops/manifests/curated_weather/{row['run_id']}.json"} <= place.memory.objects.keys()
    assert place.memory.objects[FILE]["Metadata"] == {"run-id": row["run_id"]}
    registered = {name: {uri.split("/")[-2] for uri in uris} for name, uris in place.memory.partitions.items()}
    assert registered == {
        "curated_weather": {"date=2026-11-19", "date=2026-11-20"},
        "quarantine_curated_weather": {"date=2026-11-20"},
        "raw_weather": {"date=2026-11-20"},
        "pipeline_runs": {"date=2026-11-20"},
    }


def test_a_run_without_anything_to_do_leaves_nothing(place: MemoryPlace, caplog: pytest.LogCaptureFixture) -> None:
    run(place.lake, REFRESH)
    before = dict(place.memory.objects)
    caplog.set_level("INFO", "lake.runs.run")
    assert run(place.lake, REFRESH) is NOTHING
    assert place.memory.objects == before
    assert caplog.messages == ["curated_weather: no new object of raw_weather"]


def test_a_run_says_what_it_reads_and_what_it_has_committed(
    place: MemoryPlace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lake.runs.run")
    counts = run(place.lake, REFRESH)
    (record,) = place.lake.ledger.runs(TARGET.name)
    name = f"curated_weather: run {record['run_id']}"
    assert caplog.messages == [f"{name} reads 1 objects", f"{name} committed {counts}"]


def test_99_objects_are_claimed_by_one_transaction_together_with_the_lease() -> None:
    place, wire = MemoryPlace(), Wire()
    for number in range(100):
        place.put(f"{number:03}.json")
    lock = place.lake.ledger.lock(TARGET.name, "one")
    assert isinstance(lock, Lock)
    ledger = place.lake_on(wire).ledger
    objects = tuple(place.lake.storage.list(place.lake.locations[SOURCE.name]))
    ledger.claim(lock, objects[:99], {})
    assert wire.calls == ["TransactWriteItems"]
    ledger.claim(lock, objects, {})
    assert wire.calls == ["TransactWriteItems"] * 3


class Deadly(PlainRefresh):
    """Dies as a process does, as long as it is told to read ``b.json``; that it is told so is a Suspect."""

    def stage(self, context: RunContext, manifest: Manifest) -> Outcome:
        (deadly,) = (stored for stored in manifest.objects if stored.key.endswith("b.json"))
        if not isinstance(deadly, Suspect):
            raise Died
        return super().stage(context, manifest)


def test_after_two_dead_runs_the_next_is_told_which_objects_they_had(place: MemoryPlace) -> None:
    place.put("b.json", record("z", 1))
    deadly = Deadly(TARGET, SOURCE, lambda frame: frame)
    for lake in (place.lake_on(Wire(Fault.DIES_AFTER, 1)), place.lake):
        with pytest.raises(Died):
            run(lake, deadly)
        place.clock.shift += LEASE + timedelta(seconds=1)
    assert run(place.lake, deadly).new == 3
    check_end(place.lake)


def test_a_run_that_fails_for_a_reason_of_the_lake_makes_no_object_suspect(place: MemoryPlace) -> None:
    place.put("b.json", record("z", 1))
    given: list[type[StoredObject]] = []

    class Refused(PlainRefresh):
        def stage(self, _context: RunContext, manifest: Manifest) -> Outcome:
            given.extend(type(stored) for stored in manifest.objects)
            raise LakeError("too many broken records")

    for _ in range(4):
        with pytest.raises(LakeError):
            run(place.lake, Refused(TARGET, SOURCE, lambda frame: frame))
    assert given == [StoredObject] * 8


def test_what_the_ledger_says_of_a_prepared_run(place: MemoryPlace) -> None:
    lock = prepared(place)
    record = place.lake.ledger.run(TARGET.name, lock.unfinished or "")
    assert (record["status"], record["pipeline"], record["details"]) == ("PREPARED", "weather_iot", {})


def test_a_run_that_finds_the_dataset_held_ends_cleanly_and_says_by_whom(
    place: MemoryPlace, caplog: pytest.LogCaptureFixture
) -> None:
    place.lake.ledger.lock(TARGET.name, "another")
    assert run(place.lake, REFRESH) is NOTHING
    held = f"curated_weather is held by run another until {START + LEASE + timedelta(seconds=1)}; nothing to do here"
    assert caplog.messages == [held]
    assert rows(place) == []


def test_a_run_that_fails_says_so_in_the_ledger_and_in_pipeline_runs() -> None:
    place = MemoryPlace()
    with pytest.raises(NoRawData):
        run(place.lake, REFRESH)
    (row,), (record,) = rows(place), place.lake.ledger.runs(TARGET.name)
    reason = "raw_weather: no raw data has ever arrived in s3://bucket/raw/weather/; check that its producer runs"
    assert place.lake.ledger.run(TARGET.name, row["run_id"]) == record
    assert row["pipeline"] == record["pipeline"] == "weather_iot"
    for said in (row, record):
        assert (said["status"], said["reason"], said["received"]) == ("FAILED", reason, 0)
    assert place.memory.partitions.keys() == {"pipeline_runs"}


@dataclass(frozen=True)
class Fails(PlainRefresh):
    """Has counted something, then fails a minute later."""

    error: Exception | None = None

    def stage(self, context: Any, manifest: Manifest) -> Outcome:
        context.now.shift += timedelta(minutes=1)
        assert self.error
        raise self.error


def test_what_a_failed_run_had_counted_is_in_its_row(place: MemoryPlace) -> None:
    work = Fails(TARGET, SOURCE, REFRESH.transformation, LakeError("one line\nmore", Counts(5, 0, 0, 0, 5, {})))
    with pytest.raises(LakeError):
        run(place.lake, work)
    (row,) = rows(place)
    said = row["status"], row["reason"], row["received"], row["quarantined"], row["duration_seconds"]
    assert said == ("FAILED", "one line", 5, 5, 60)
    assert row["input_objects"] == [f"{RAW}a.json"]
    run(place.lake, REFRESH)
    check_end(place.lake)


def test_an_error_of_aws_has_counted_nothing(place: MemoryPlace) -> None:
    work = Fails(TARGET, SOURCE, REFRESH.transformation, HTTPClientError(error="gone"))
    with pytest.raises(HTTPClientError):
        run(place.lake, work)
    assert [(row["status"], row["received"]) for row in rows(place)] == [("FAILED", 0)]


def test_a_defect_is_no_failed_run(place: MemoryPlace) -> None:
    with pytest.raises(ZeroDivisionError):
        run(place.lake, Fails(TARGET, SOURCE, REFRESH.transformation, ZeroDivisionError()))
    assert rows(place) == []
    assert "lease_until" not in place.memory.items[f"dataset#{TARGET.name}", "lock"]


@dataclass(frozen=True)
class Miscounts(PlainRefresh):
    """Says of a run what is not true."""

    says: Outcome | None = None

    def stage(self, context: Any, manifest: Manifest) -> Outcome:
        assert self.says
        return self.says


ONE, KEY = Counts(1, 1, 0, 0, 0, {}), f"{RAW}a.json"
LOST = Counts(2, 1, 0, 0, 0, {})


SUM, PARTS = "the counts do not add up, nothing was published: Counts", "objects do not make those of the run, which"


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (Outcome(LOST, (), {KEY: ONE}), rf"{SUM}\(received=2, [^:]*\)$"),
        (Outcome(ONE, (), {KEY: LOST}), rf"{SUM}\(received=1, .*, first in {KEY}: Counts\(received=2, [^:]*$"),
        (Outcome(ONE, (), {}), rf"counts of 0 {PARTS} has read 1 objects; nothing was published: Counts\(received=1"),
        (Outcome(ONE, (), {KEY: ONE, "other": NOTHING}), f"counts of 2 {PARTS} has read 1"),
        (Outcome(NOTHING, (), {KEY: ONE}), f"counts of 1 {PARTS} has read 1"),
    ],
)
def test_counts_that_do_not_add_up_publish_nothing(place: MemoryPlace, says: Outcome, message: str) -> None:
    with pytest.raises(CountsNotReconciled, match=message) as raised:
        run(place.lake, Miscounts(TARGET, SOURCE, REFRESH.transformation, says))
    assert str(raised.value).startswith("curated_weather: the counts ")
    assert raised.value.counts == says.counts
    assert [row["status"] for row in rows(place)] == ["FAILED"]


def test_a_work_that_claims_nothing_processes_nothing_and_may_count_in_total_only(place: MemoryPlace) -> None:
    run(place.lake, REFRESH)
    before = shown(place.lake)
    assert run(place.lake, REREAD) == Counts(3, 0, 0, 2, 1, {"malformed:line": 1})
    assert shown(place.lake) == before
    assert [row["kind"] for row in rows(place)] == ["refresh", "backfill"]
    assert len(place.lake.ledger.objects(TARGET.name).processed) == 1


def test_the_next_run_finishes_what_is_prepared_and_says_so(
    place: MemoryPlace, caplog: pytest.LogCaptureFixture
) -> None:
    lock = prepared(place)
    place.lake.ledger.release(lock)
    assert shown(place.lake) == {}
    assert run(place.lake, REFRESH) is NOTHING
    assert caplog.messages == [
        f"curated_weather: finishing run {lock.unfinished}, which was prepared and not committed"
    ]
    check_end(place.lake)


def test_a_manifest_that_was_changed_is_not_published(place: MemoryPlace) -> None:
    lock = prepared(place)
    key = f"ops/manifests/curated_weather/{lock.unfinished}.json"
    place.lake.storage.put("bucket", key, place.memory.objects[key]["Bytes"] + b" ")
    with pytest.raises(OutsideWriter, match=rf"^curated_weather: the manifest of run {lock.unfinished} is not the one"):
        finish(place.lake, lock, TARGET, lock.unfinished or "")
    assert shown(place.lake) == {}


@pytest.mark.parametrize(("metadata", "who"), [({"run-id": "another"}, "another"), ({}, "a writer outside the ledger")])
def test_a_partition_file_of_a_stranger_stays_and_its_key_is_named(
    place: MemoryPlace, metadata: dict[str, str], who: str
) -> None:
    lock = prepared(place)
    place.memory.objects[FILE] = {"ETag": '"s"', "Bytes": b"{}", "LastModified": START, "Metadata": metadata}
    changed = rf"^s3://bucket/{FILE} was changed by {who} after run {lock.unfinished} had read it; put the version back"
    with pytest.raises(OutsideWriter, match=changed):
        finish(place.lake, lock, TARGET, lock.unfinished or "")
    assert place.memory.objects[FILE]["Bytes"] == b"{}"


def test_who_wakes_up_after_the_commit_of_its_run_does_not_take_the_next_one_for_a_stranger(place: MemoryPlace) -> None:
    lock = prepared(place)
    finish(place.lake, lock, TARGET, lock.unfinished or "")
    place.put("b.json", record("x", 2))
    place.lake.ledger.release(lock)
    run(place.lake, REFRESH)
    before = shown(place.lake)
    again = place.lake.ledger.lock(TARGET.name, "again")
    assert isinstance(again, Lock)
    assert finish(place.lake, again, TARGET, lock.unfinished or "").received == 3
    assert shown(place.lake) == before


def test_who_was_taken_over_publishes_nothing(place: MemoryPlace) -> None:
    lock = prepared(place)
    frozen = replace(lock, owner="frozen", fencing_token=lock.fencing_token - 1)
    with pytest.raises(LeaseLost):
        finish(place.lake, frozen, TARGET, lock.unfinished or "")
    assert shown(place.lake) == {}


class Nothing:
    """A work without inputs."""

    kind: ClassVar[Kind] = "undo"
    claims: ClassVar[bool] = False
    source = target = TARGET

    def inputs(self, context: Any) -> tuple[StoredObject, ...]:
        return ()

    def stage(self, context: Any, manifest: Manifest) -> Outcome:
        raise AssertionError("nothing is to be staged")


def test_a_preview_stages_and_changes_nothing_else(place: MemoryPlace) -> None:
    wire = Wire()
    outcome = preview(place.lake_on(wire), REFRESH)
    assert outcome.counts == Counts(3, 2, 0, 0, 1, {"malformed:line": 1})
    assert wire.calls == ["PutObject"] * 3
    assert all(change.staged.startswith("staging/") for change in outcome.partition_files)
    assert place.memory.items == {}
    assert preview(place.lake, Nothing()) == Outcome(NOTHING, ())


def test_only_a_work_that_claims_is_measured_and_completes_the_refresh(place: MemoryPlace) -> None:
    for work, measured in ((Nothing(), 0), (REFRESH, 1)):
        wire = Wire()
        run(place.lake_on(wire), work)
        assert wire.calls.count("PutMetricData") == measured
        assert ("completed_at" in place.memory.items[f"dataset#{TARGET.name}", "lock"]) == bool(measured)


@pytest.mark.parametrize(("held", "ended"), [(True, "RunsSkipped"), (False, "RunsSucceeded")])
def test_a_run_that_finds_the_dataset_held_is_measured_as_skipped(place: MemoryPlace, held: bool, ended: str) -> None:
    put: list[Any] = []
    client = SimpleNamespace(put_metric_data=lambda **request: put.extend(request["MetricData"]))
    if held:
        place.lake.ledger.lock(TARGET.name, "another")
    else:
        place.put("one.json")
    run(replace(place.lake, metrics=Metrics(client, "lake", "test", place.clock)), REFRESH)
    assert {datum["MetricName"] for datum in put if datum["MetricName"].startswith("Runs") and datum["Value"]} == {
        ended
    }


def without_staging(place: MemoryPlace, keep: int = 0) -> None:
    """Staged objects have expired, all but some."""
    for key in sorted(key for key in place.memory.objects if key.startswith("staging/"))[keep:]:
        del place.memory.objects[key]


def statuses(place: MemoryPlace) -> list[str]:
    return [str(each["status"]) for each in place.lake.ledger.runs(TARGET.name)]


def test_a_prepared_run_whose_staging_has_expired_is_given_up_by_the_next_one(place: MemoryPlace) -> None:
    lock = prepared(place)
    place.lake.ledger.release(lock)
    without_staging(place)
    assert run(place.lake, REFRESH).received == 3, "what it had claimed is read again"
    assert statuses(place) == ["ABANDONED", "COMMITTED"]
    (given_up, _) = rows(place)
    assert given_up["status"] == "ABANDONED"
    assert f"run {lock.unfinished} was prepared at 2026-11-20" in given_up["reason"]
    assert "is gone" in given_up["reason"]
    assert run(place.lake, REFRESH) == NOTHING
    assert {row["value"] for row in shown(place.lake).values()} == {1}


def test_a_run_that_has_published_all_and_not_committed_is_finished_without_its_staging(
    place: MemoryPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(Ledger, "commit", Mock(side_effect=Died))
        run(place.lake, REFRESH)
    place.clock.shift += LEASE + timedelta(seconds=1)
    without_staging(place)
    assert run(place.lake, REFRESH) == NOTHING
    assert statuses(place) == ["COMMITTED"]
    check_end(place.lake)


def test_a_run_that_somebody_gives_up_stops_nobody(place: MemoryPlace) -> None:
    lock = prepared(place)
    place.lake.ledger.release(lock)
    place.lake.storage.put(place.lake.staging.bucket, FILE, b"{}")
    with pytest.raises(OutsideWriter):
        run(place.lake, REFRESH)
    place.clock.shift += LEASE + timedelta(seconds=1)
    assert abandon(place.lake, TARGET, str(lock.unfinished), "arn:aws:iam::1:role/r") == (1, 3)
    assert statuses(place) == ["ABANDONED"]
    assert rows(place)[0]["reason"] == "abandoned by arn:aws:iam::1:role/r"
    assert run(place.lake, REFRESH).received == 3


def test_only_the_run_that_is_prepared_can_be_given_up(place: MemoryPlace) -> None:
    with pytest.raises(NotPrepared, match="run 1 is not prepared and unfinished; none is"):
        abandon(place.lake, TARGET, "1", "somebody")
    lock = prepared(place)
    with pytest.raises(DatasetHeld):
        abandon(place.lake, TARGET, str(lock.unfinished), "somebody")
    place.lake.ledger.release(lock)
    with pytest.raises(NotPrepared, match=f"run {lock.unfinished} is"):
        abandon(place.lake, TARGET, "1", "somebody")
    assert statuses(place) == ["PREPARED"]


def test_who_wakes_up_after_the_run_was_given_up_publishes_nothing(place: MemoryPlace) -> None:
    lock = prepared(place)
    place.lake.ledger.release(lock)
    abandon(place.lake, TARGET, str(lock.unfinished), "somebody")
    before = shown(place.lake)
    with pytest.raises(LeaseLost):
        finish(place.lake, lock, TARGET, str(lock.unfinished))
    assert (shown(place.lake), statuses(place)) == (before, ["ABANDONED"])


def test_a_preview_says_how_far_a_prepared_run_has_come_and_gives_up_nothing(place: MemoryPlace) -> None:
    lock = prepared(place)
    place.lake.ledger.release(lock)
    job, asked = DatasetJob(TARGET, SOURCE, lambda raw: raw), {"run": lock.unfinished, "by": "arn:aws:iam::1:role/r"}
    row = {"dataset": TARGET.name, "run": lock.unfinished, "partition files": 3, "published": 0}
    context: Any = place.lake
    assert perform(context, job, "abandon", {**asked, "preview": True}) == [row]
    assert statuses(place) == ["PREPARED"]
    assert perform(context, job, "abandon", asked) == [row]
    assert statuses(place) == ["ABANDONED"]
