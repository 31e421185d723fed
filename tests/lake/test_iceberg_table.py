"""A run writes, audits and publishes a table of snapshots as it does partition files: it knows neither."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lake.core.counts import NOTHING, Counts
from lake.core.errors import CountsNotReconciled, OutsideWriter
from lake.runs.ledger import LEASE
from lake.runs.manifest import Manifest
from lake.runs.run import Outcome, run
from tests.broken_runs import broken
from tests.iceberg_lake import NAME, REFRESH, SCHEMA, IcebergContext, IcebergPlace, IcebergRefresh, IcebergUndo
from tests.place import SOURCE, TARGET
from tests.plain_work import Version, check_ledger, lines_of, record
from tests.wire import Died, Fault, Wire


@pytest.fixture
def make(tmp_path: Path) -> Callable[[], IcebergPlace]:
    """Make a lake with a table and two raw objects."""

    def made() -> IcebergPlace:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        place = IcebergPlace(folder)
        place.put("a.json", record("x", 1), record("y", 1, day=19), "no record")
        place.put("b.json", record("x", 2))
        return place

    return made


@pytest.fixture
def place(make: Callable[[], IcebergPlace]) -> IcebergPlace:
    return make()


def values(context: IcebergContext) -> list[int]:
    return sorted(row.value for row in context.rows().values())


def check(place: IcebergPlace) -> None:
    """The rows and all counts follow from the raw objects."""
    stored = list(place.lake.storage.list(place.lake.locations[SOURCE.name]))
    lines = [line for entry in stored for line in lines_of(place.lake, entry)]
    latest: dict[str, Version] = {}
    for version in sorted((version for version, _ in lines if version), key=lambda version: version.order):
        latest[version.key] = version
    assert {key: row.value for key, row in place.lake.rows().items()} == {k: v.value for k, v in latest.items()}
    check_ledger(place.lake, stored, len(lines), len(latest))


def test_a_load_and_a_correction_are_two_snapshots(place: IcebergPlace) -> None:
    assert run(place.lake, REFRESH) == Counts(4, 2, 0, 1, 1, {"malformed:line": 1})
    place.put("c.json", record("x", 3), record("z", 1))
    assert run(place.lake, REFRESH) == Counts(2, 1, 1, 0, 0, {})
    assert values(place.lake) == [1, 1, 3]
    check(place)
    assert run(place.lake, REFRESH) == NOTHING


@dataclass(frozen=True)
class Looks(IcebergRefresh):
    """Notes what readers see when everything is staged; its counts may be wrong."""

    seen: tuple[list[int], ...] = ()
    wrong: bool = False

    def stage(self, context: Any, manifest: Manifest) -> Outcome:
        outcome = super().stage(context, manifest)
        self.seen[0].extend(values(context))
        return outcome._replace(counts=replace(outcome.counts, received=9)) if self.wrong else outcome


def test_readers_see_nothing_of_a_snapshot_before_the_counts_are_audited(place: IcebergPlace) -> None:
    seen: list[int] = []
    with pytest.raises(CountsNotReconciled):
        run(place.lake, Looks(TARGET, SOURCE, REFRESH.transformation, (seen,), wrong=True))
    assert (seen, values(place.lake)) == ([], [])
    run(place.lake, Looks(TARGET, SOURCE, REFRESH.transformation, (seen,)))
    assert (seen, values(place.lake)) == ([], [1, 2])


def test_a_run_is_undone_by_its_snapshot_and_a_dead_undo_is_finished(place: IcebergPlace) -> None:
    run(place.lake, REFRESH)
    place.put("c.json", record("x", 3))
    run(place.lake, REFRESH)
    last = max(place.lake.ledger.runs(TARGET.name), key=lambda each: str(each["run_id"]))["run_id"]
    with pytest.raises(Died):
        run(place.lake_on(Wire(Fault.DIES_AFTER, 4)), IcebergUndo(last))
    place.clock.shift += LEASE + timedelta(seconds=1)
    run(place.lake, REFRESH)
    assert values(place.lake) == [1, 2]
    assert {each["status"] for each in place.lake.ledger.runs(TARGET.name)} == {"COMMITTED"}


def test_a_snapshot_of_a_stranger_stops_the_run_and_stays(place: IcebergPlace) -> None:
    run(place.lake, REFRESH)
    place.put("c.json", record("x", 3))

    def intrude(operation: str) -> None:
        if operation == "CommitTable":
            stranger = pa.Table.from_pylist([{"key": "s", "arrived": "x y 1", "value": 99}], schema=SCHEMA)
            place.lake.iceberg.load_table(NAME).append(stranger)

    with pytest.raises(OutsideWriter, match=r"^lake.weather, snapshot \d+, was changed by"):
        run(place.lake_on(Wire(pause=intrude)), REFRESH)
    assert values(place.lake) == [1, 2, 99]


# Nobody repeats a commit whose reply is lost.
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.REPLY_LOST])
def test_a_run_that_is_broken_anywhere_converges(make: Callable[[], IcebergPlace], fault: Fault) -> None:
    number = 0
    while True:
        place, wire = make(), Wire(fault, number)
        broken(place.lake_on(wire), REFRESH)
        place.clock.shift += LEASE + timedelta(seconds=1)
        run(place.lake, REFRESH)
        check(place)
        if not wire.has_hit:
            break
        number += 1
    assert "CommitTable" in wire.calls
    assert number == len(wire.calls) >= 8
