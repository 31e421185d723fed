"""Every call of a run that changes something, broken in every way: the next run leads to the same right state."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lake.core.counts import Counts
from lake.core.s3 import Location, Storage
from lake.runs.context import RunContext
from lake.runs.ledger import LEASE
from lake.runs.manifest import Manifest
from lake.runs.run import run
from tests.broken_runs import AnyPlace, WiredPlace, after_a_death, broken, converges, first, second
from tests.local_aws import LocalAws
from tests.memory_aws import NO_SPARK, MemoryPlace
from tests.place import QUARANTINE, RUNS, SOURCE, TARGET, Place, lake_of_its_own, line, refresh, weather
from tests.plain_work import REFRESH, check_end, record
from tests.wire import Died, Fault, Wire, Wired


def number_of_points(fault: Fault, attempt: Callable[[Wire], None]) -> int:
    """Break every call of a run, one after the other; returns how many there were."""
    number, failures = 0, []
    while True:
        wire = Wire(fault, number)
        try:
            attempt(wire)
        except AssertionError as error:
            failures.append(f"call {number}, {wire.calls[-1]}: {error}")
        if not wire.has_hit:
            assert not failures, f"{fault.value}: {failures}"
            return number
        number += 1


# In memory every kind is tried at every change; that the memory is like the local AWS is shown by the long tests.
@pytest.mark.long
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.usefixtures("patient")
def test_a_run_that_is_broken_anywhere_converges(
    quick: LocalAws, wired: Wired, figures: dict[str, int], fault: Fault
) -> None:
    def attempt(wire: Wire) -> None:
        with lake_of_its_own(quick, NO_SPARK) as place:
            whole = WiredPlace(place, wired)
            first(whole)
            converges(whole, wire, fault, check_end)

    figures[f"crash points, a run: {fault.value}"] = number_of_points(fault, attempt)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("scenario", [first, second, after_a_death])
def test_in_memory_a_run_that_is_broken_anywhere_converges(
    figures: dict[str, int], scenario: Callable[[AnyPlace], None], fault: Fault
) -> None:
    def attempt(wire: Wire) -> None:
        place = MemoryPlace()
        scenario(place)
        converges(place, wire, fault, check_end)

    figures[f"crash points, {scenario.__name__.replace('_', ' ')}, in memory: {fault.value}"] = number_of_points(
        fault, attempt
    )


def test_in_memory_a_run_may_die_anywhere_while_it_mends_what_died_anywhere(
    figures: dict[str, int],
) -> None:
    def deaths_after(at: int) -> int:
        def attempt(wire: Wire) -> None:
            place = MemoryPlace()
            first(place)
            broken(place.lake_on(Wire(Fault.DIES_AFTER, at)), REFRESH)
            place.clock.shift += LEASE + timedelta(seconds=1)
            place.put("c.json", record("x", 3), record("z", 1, day=19))
            broken(place.lake_on(wire), REFRESH)
            place.clock.shift += LEASE + timedelta(seconds=1)
            run(place.lake, REFRESH)
            check_end(place.lake)

        return number_of_points(Fault.DIES_AFTER, attempt)

    place, whole = MemoryPlace(), Wire()
    first(place)
    run(place.lake_on(whole), REFRESH)
    tried = [deaths_after(at) for at in range(len(whole.calls))]
    figures["crash points, two deaths in a row, in memory"] = sum(tried)


@dataclass(frozen=True)
class Snapshot:
    """What S3 and the ledger held when a run with Spark was prepared, and what it had staged for each file."""

    objects: dict[str, bytes]
    items: list[dict[str, Any]]
    files: dict[str, bytes]

    def restore(self, place: Place) -> None:
        s3, dynamodb = place.aws.client("s3"), place.aws.client("dynamodb")
        for key, body in self.objects.items():
            s3.put_object(Bucket=place.bucket, Key=key, Body=body)
        for item in self.items:
            dynamodb.put_item(TableName=place.bucket, Item=item)

    def check(self, lake: RunContext) -> None:
        """Each partition file is the one that Spark had staged, and the run is committed with its counts."""
        places = [lake.locations[dataset.name] for dataset in (TARGET, QUARANTINE)]
        stored = [entry.key for location in places for entry in lake.storage.list(location)]
        assert {key: lake.storage.read(lake.staging.bucket, key) for key in stored} == self.files
        (record,) = lake.ledger.runs(TARGET.name)
        counted = [record[name] for name in ("received", "new", "replaced", "duplicate", "quarantined")]
        assert (record["status"], counted) == ("COMMITTED", [5, 2, 0, 1, 2])
        assert len(list(lake.storage.list(lake.locations[RUNS.name]))) == 1
        assert len(lake.ledger.objects(TARGET.name).processed) == 2


class StopsBeforePublish(Storage):
    """Dies where the first partition file would be put."""

    def replace(self, bucket: str, source: str, key: str, before: str | None, run_id: str) -> None:
        raise Died


@pytest.fixture(scope="module")
def snapshot(aws: LocalAws, spark: SparkSession) -> Snapshot:
    """A run of the real data path, prepared once."""
    with lake_of_its_own(aws, spark) as place:
        place.put("a.json", line(1, 10.0), line(2, 999.0), line(1, 10.0), "not json")
        place.put("b.json", line(23, 5.0, day=19))
        with pytest.raises(Died):
            refresh(replace(place.lake, storage=StopsBeforePublish(aws.client("s3"))), TARGET, SOURCE, weather)
        storage = place.lake.storage
        keys = [entry.key for entry in storage.list(Location(place.bucket, ""))]
        objects = {key: storage.read(place.bucket, key) for key in keys}
        items = aws.client("dynamodb").scan(TableName=place.bucket, ConsistentRead=True)["Items"]
        (manifest,) = (Manifest.decoded(body) for key, body in objects.items() if key.startswith("ops/manifests/"))
    return Snapshot(objects, items, {change.key: objects[change.staged] for change in manifest.partition_files})


@pytest.mark.long
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("fault", [Fault.DIES_AFTER, Fault.REPLY_LOST])
def test_what_spark_has_prepared_is_finished_by_whoever_comes(
    quick: LocalAws, wired: Wired, figures: dict[str, int], snapshot: Snapshot, fault: Fault
) -> None:
    assert len(snapshot.files) == 3

    def attempt(wire: Wire) -> None:
        with lake_of_its_own(quick, NO_SPARK) as place:
            snapshot.restore(place)
            converges(WiredPlace(place, wired), wire, fault, snapshot.check)

    figures[f"crash points, what Spark has prepared: {fault.value}"] = number_of_points(fault, attempt)


def test_a_partition_file_that_a_task_of_spark_cannot_stage_is_staged_by_the_next_run(place: Place) -> None:
    place.put("a.json", line(1, 10.0), line(23, 5.0, day=19))
    fault = {"service": "s3", "action": "PutObject", "status": 403, "code": "AccessDenied", "match": "staging/"}
    place.aws.break_aws(fault)
    with pytest.raises(PySparkException, match="AccessDenied"):
        place.run()
    assert (place.aws.faults(), place.rows(TARGET)) == ([], [])
    place.aws.break_aws({**fault, "status": 503, "code": "SlowDown"})
    assert place.run() == Counts(2, 2, 0, 0, 0, {}), "the SDK of the task repeats what may pass"
    assert place.aws.faults() == []
    assert place.temperatures() == {("Paris", "20T01"): 10.0, ("Paris", "19T23"): 5.0}
    assert [run["status"] for run in place.runs()] == ["FAILED", "COMMITTED"]
