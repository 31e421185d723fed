"""Faults of the process and its host: it dies, freezes, has no memory, another clock, another zone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lake.core.counts import Counts
from lake.core.errors import ToleranceExceeded
from lake.core.s3 import Location, Storage, StoredObject
from lake.records.received import Received
from lake.runs.ledger import LEASE
from tests.faults.fault import REPOSITORY
from tests.lambdas.conftest import function
from tests.local_aws import LocalAws
from tests.place import QUARANTINE, SOURCE, TARGET, Place, lake_of_its_own, line, refresh, weather

__all__ = ["function"]
LINEAGE = ("run_id", "arrived_at", "encrypted_payload")


class AtPublish(Storage):
    """Does something where a partition file would be put."""

    def __init__(self, place: Place, act: Callable[[], None]) -> None:
        super().__init__(place.aws.client("s3"))
        self._act = act

    def replace(self, bucket: str, source: str, key: str, before: str | None, run_id: str) -> None:
        self._act()


def interrupt() -> None:
    raise KeyboardInterrupt


def test_p02_an_interrupted_run_gives_the_dataset_back(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    with pytest.raises(KeyboardInterrupt):
        refresh(replace(place.lake, storage=AtPublish(place, interrupt)), TARGET, SOURCE, weather)
    assert "lease_until" not in place.locked()
    assert place.rows(TARGET) == []
    place.run()
    assert place.temperatures() == {("Paris", "20T01"): 10.0}
    assert [run["status"] for run in place.runs()] == ["COMMITTED"]


class OfTheParent(Received):
    """What tasks say reaches the process that started Spark, which a child of it is not."""

    records = {"raw/weather/date=2026-11-20/a.json": 1}  # noqa: RUF012


def test_p02_a_terminated_run_is_finished_after_its_lease(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.json", line(1, 10.0))
    received = OfTheParent(place.lake.spark.sparkContext)
    child = os.fork()
    if child == 0:
        monkeypatch.setattr("lake.operations.refresh.Received", lambda _: received)
        storage = AtPublish(place, lambda: os.kill(os.getpid(), signal.SIGTERM))
        refresh(replace(place.lake, storage=storage), TARGET, SOURCE, weather)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
    assert (place.run().received, place.rows(TARGET)) == (0, []), "the lease of the dead run is alive"
    place.clock.shift += LEASE + timedelta(seconds=1)
    place.run()
    assert place.temperatures() == {("Paris", "20T01"): 10.0}


def no_memory(_city: str) -> str:
    return str(len(bytearray(10**16)))


def no_disk(_city: str) -> str:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - runs in a task, away from this module
        full.write("x" * 100_000)
    return ""


def no_right(_city: str) -> str:
    raise PermissionError(13, "Permission denied", "/tmp/spark")  # noqa: S108 - what the system would say


@pytest.mark.parametrize(
    ("task", "reason"),
    [(no_memory, "MemoryError"), (no_disk, "No space left on device"), (no_right, "Permission denied")],
    ids=["P03", "P04", "P05"],
)
def test_a_task_that_dies_fails_the_run_with_its_reason(place: Place, task: Callable[[str], str], reason: str) -> None:
    place.put("a.json", line(1, 10.0))
    in_task = F.udf(task)
    with pytest.raises(PySparkException):
        refresh(place.lake, TARGET, SOURCE, lambda raw: weather(raw).withColumn("city", in_task("city")))
    assert (place.rows(TARGET), place.rows(QUARANTINE)) == ([], [])
    (failed,) = place.runs()
    assert failed["status"] == "FAILED"
    assert reason in failed["reason"]
    assert place.measured("RunsFailed") == 1
    assert place.run().new == 1


def test_p08_a_clock_that_jumps_changes_no_row(place: Place) -> None:
    for jump, temperature in ((timedelta(days=-3), 11.0), (timedelta(days=9), 12.0)):
        place.clock.shift += jump
        place.put("b.json", line(1, temperature))
        assert place.run().received > 0
        assert place.temperatures() == {("Paris", "20T01"): temperature}
    assert place.measured("RecordsUnreconciled", "Maximum") == 0


def test_p10_a_prepared_run_keeps_the_version_of_the_code_that_made_it(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    old = replace(place.lake, code_version="old", storage=AtPublish(place, interrupt))
    with pytest.raises(KeyboardInterrupt):
        refresh(old, TARGET, SOURCE, weather)
    refresh(replace(place.lake, code_version="new"), TARGET, SOURCE, weather)
    assert [(run["code_version"], run["status"]) for run in place.runs()] == [("old", "COMMITTED")]


def test_p11_a_package_that_is_missing_is_named_at_the_start() -> None:
    command = [sys.executable, "-S", str(REPOSITORY / "glue_jobs/weather_iot/transform.py")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'pyspark'"


def test_p12_what_is_said_of_many_bad_objects_is_short(place: Place) -> None:
    for number in range(8):
        place.put(f"{number:03d}{'x' * 200}.json", *(line(hour, 999.0, city="") for hour in range(4)))
    with pytest.raises(ToleranceExceeded) as failed:
        place.run()
    assert len(str(failed.value)) < 1500
    assert len(place.runs()[0]["reason"]) < 1500


def test_p12_a_field_that_no_log_can_hold_fails_nothing(function: Callable[[str], ModuleType]) -> None:
    for name in ("batch_ingest", "watch"):
        module = function(name)
        module.logger.info("odd", extra={"value": object(), "number": float("nan"), "circle": {1, 2}, "bytes": b"\xff"})
        sys.modules.pop("handler")


class OtherOrder(Storage):
    """Lists objects from the last to the first."""

    def list(self, location: Location) -> Iterator[StoredObject]:
        yield from reversed(list(super().list(location)))


def content(place: Place) -> list[Any]:
    """All rows of target and quarantine without what says when and in which run."""
    rows = [row for dataset in (TARGET, QUARANTINE) for row in place.rows(dataset)]
    return sorted(json.dumps({name: row[name] for name in row if name not in LINEAGE}, default=str) for row in rows)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, spark: SparkSession) -> Iterator[Callable[[], None]]:
    """Moves this process to Kathmandu, and Spark to seven partitions."""

    def move() -> None:
        monkeypatch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        spark.conf.set("spark.sql.shuffle.partitions", "7")

    yield move
    monkeypatch.undo()
    time.tzset()
    spark.conf.set("spark.sql.shuffle.partitions", "2")


def test_p13_and_p14_neither_host_nor_order_nor_partitions_change_a_row(
    aws: LocalAws, spark: SparkSession, place: Place, elsewhere: Callable[[], None]
) -> None:
    def filled(lake: Place) -> Counts:
        lake.put("a.json", *(line(hour, hour / 2) for hour in range(24)), line(3, 999.0), "no json")
        lake.put("b.json", *(line(hour, hour / 2, city="Tokyo", day=19) for hour in range(24)), line(3, 4.0, day=18))
        reordered = replace(lake.lake, storage=OtherOrder(aws.client("s3"))) if lake is not place else lake.lake
        return refresh(reordered, TARGET, SOURCE, weather)

    here = filled(place)
    expected = content(place)
    elsewhere()
    with lake_of_its_own(aws, spark) as other:
        assert filled(other) == here
        spark.conf.set("spark.sql.shuffle.partitions", "2")
        os.environ.pop("TZ")
        time.tzset()
        assert content(other) == expected
    assert len(expected) == 51


def test_p15_of_a_hundred_starts_one_works(place: Place) -> None:
    place.put("a.json", line(1, 10.0))
    received: list[int] = []

    def while_99_others_start(raw: DataFrame) -> DataFrame:
        received.extend(place.run().received for _ in range(99))
        return weather(raw)

    assert refresh(place.lake, TARGET, SOURCE, while_99_others_start).new == 1
    assert received == [0] * 99
    assert [run["status"] for run in place.runs()] == ["COMMITTED"]
    assert place.measured("RecordsNew") == 1
