"""A load in runs of a bounded size: what each takes, where the next one goes on, what a death costs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from lake.core.counts import NOTHING, Counts, total
from lake.core.errors import DatasetHeld, LeaseLost
from lake.core.s3 import StoredObject
from lake.runs.bounds import Bounds
from lake.runs.context import RunContext
from lake.runs.ledger import LEASE, Lock
from lake.runs.manifest import Manifest
from lake.runs.run import Outcome, abandon, run, run_all
from lake.tables.base import TableChange
from tests.memory_aws import MemoryPlace
from tests.place import SOURCE, TARGET
from tests.plain_work import REFRESH, REREAD, PlainRefresh, check_end, record, shown
from tests.wire import Died, Fault, Wire

MOMENT = datetime(2026, 11, 20, tzinfo=UTC)


def stored(number: int, size: int = 10) -> StoredObject:
    return StoredObject(f"raw/{number}.json", f"e{number}", size, MOMENT)


@pytest.mark.parametrize(
    ("bounds", "deaths", "taken"),
    [
        (Bounds(objects=3), {}, 3),
        (Bounds(objects=100), {}, 20),
        (Bounds(objects=100, size=50), {}, 5),
        (Bounds(objects=100, size=59), {}, 5),
        (Bounds(objects=100, size=9), {}, 1),
        (Bounds(objects=16), {stored(3): 1}, 2),
        (Bounds(objects=16), {stored(3): 2}, 1),
        (Bounds(objects=100, size=160), {stored(3): 1}, 2),
        (Bounds(objects=8), {stored(8): 1}, 8),
        (Bounds(objects=1), {stored(0): 9}, 1),
    ],
)
def test_a_run_takes_the_first_objects_and_fewer_after_a_death(
    bounds: Bounds, deaths: Mapping[StoredObject, int], taken: int
) -> None:
    waiting = [stored(number) for number in range(20)]
    assert bounds.first(waiting, deaths) == tuple(waiting[:taken])


def filled(bounds: Bounds, days: int = 5) -> MemoryPlace:
    """A lake with one raw object for each of some days, and runs of these bounds."""
    place = MemoryPlace(bounds=bounds)
    for day in range(1, days + 1):
        place.put(f"{day:02}.json", record("x", day, day), record("y", day, day))
    return place


def copies_of(bounds: Bounds, days: int) -> list[int]:
    """Which calls of a whole run put a partition file."""
    whole = Wire()
    run(filled(replace(bounds, at_once=1), days).lake_on(whole), REFRESH)
    return [index for index, call in enumerate(whole.calls) if call == "CopyObject"]


def runs_of(place: MemoryPlace) -> list[dict[str, Any]]:
    return place.lake.ledger.runs(TARGET.name)


def test_a_load_goes_on_run_by_run_until_nothing_waits() -> None:
    place = filled(Bounds(objects=2))
    assert [counts.new for counts in run_all(place.lake, REFRESH)] == [4, 4, 2]
    assert sorted(each["objects"] for each in runs_of(place)) == [1, 2, 2]
    check_end(place.lake)
    assert [*run_all(place.lake, REFRESH)] == [NOTHING]


def test_a_dataset_is_complete_when_nothing_waits_any_more() -> None:
    place = filled(Bounds(objects=2), days=3)
    run(place.lake, REFRESH)
    assert "completed_at" not in place.memory.items[f"dataset#{TARGET.name}", "lock"]
    run(place.lake, REFRESH)
    assert "completed_at" in place.memory.items[f"dataset#{TARGET.name}", "lock"]


def test_no_run_begins_when_its_time_is_over_and_what_waits_is_said(caplog: pytest.LogCaptureFixture) -> None:
    place = filled(Bounds(objects=2))
    lake = replace(place.lake, bounds=replace(place.bounds, begins_before=place.clock()))
    assert len([*run_all(lake, REFRESH)]) == 1
    (said,) = caplog.messages
    assert said == (
        "curated_weather: 3 objects of raw_weather wait for the next run, which another start of the job begins: this "
        "one has no time for it"
    )
    assert len([*run_all(place.lake, REFRESH)]) == 2
    check_end(place.lake)


def test_a_repair_is_one_run_whatever_it_reads() -> None:
    place = filled(Bounds(objects=2))
    [*run_all(place.lake, REFRESH)]
    assert [counts.received for counts in run_all(place.lake, REREAD)] == [10]


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_a_death_in_a_load_costs_at_most_one_run(at: int) -> None:
    place = filled(Bounds(objects=2, step=1, at_once=1), days=6)
    wire = Wire(Fault.DIES_AFTER, at)
    with pytest.raises(Died):
        [*run_all(place.lake_on(wire), REFRESH)]
    done = len(place.lake.ledger.objects(TARGET.name).processed)
    place.clock.shift += LEASE + timedelta(seconds=1)
    read = sum(each["objects"] for each in read_by(place))
    assert done + read <= 6
    check_end(place.lake)


def read_by(place: MemoryPlace) -> list[dict[str, Any]]:
    """The records of the runs that a load still makes."""
    before = {each["run_id"] for each in runs_of(place)}
    [*run_all(place.lake, REFRESH)]
    return [each for each in runs_of(place) if each["run_id"] not in before]


@dataclass(frozen=True)
class TooMuch(PlainRefresh):
    """Dies of more than one object, as a machine does that is too small."""

    def stage(self, context: RunContext, manifest: Manifest) -> Outcome:
        if len(manifest.objects) > 1:
            raise Died
        return super().stage(context, manifest)


def test_what_a_run_dies_of_is_taken_in_smaller_parts() -> None:
    place = filled(Bounds(objects=8), days=3)
    work = TooMuch(TARGET, SOURCE, REFRESH.transformation)
    for _ in range(2):
        with pytest.raises(Died):
            run(place.lake, work)
        place.clock.shift += LEASE + timedelta(seconds=1)
        assert run(place.lake, work).new == 2
    assert run(place.lake, work).new == 2
    check_end(place.lake)


# Of 7 files in steps of 3; the ledger is told at the beginning of the next step.
@pytest.mark.parametrize(("published", "again"), [(0, 7), (3, 7), (4, 4), (6, 4), (7, 1)])
def test_publishing_goes_on_where_the_dead_run_had_told_the_ledger_that_it_was(published: int, again: int) -> None:
    place = filled(Bounds(step=3, at_once=1), days=7)
    copies = copies_of(place.bounds, days=7)
    dies_after = copies[published - 1] if published else copies[0] - 1
    with pytest.raises(Died):
        run(place.lake_on(Wire(Fault.DIES_AFTER, dies_after)), REFRESH)
    place.clock.shift += LEASE + timedelta(seconds=1)
    wire = Wire()
    run(place.lake_on(wire), REFRESH)
    assert wire.calls.count("CopyObject") == again
    check_end(place.lake)


@pytest.mark.parametrize("fault", [Fault.DIES_AFTER, Fault.DIES_BEFORE, Fault.REPLY_LOST_FOR_GOOD, Fault.UNREACHABLE])
@pytest.mark.parametrize("at", range(12))
def test_files_that_are_put_at_the_same_time_may_break_anywhere(fault: Fault, at: int) -> None:
    place = filled(Bounds(step=5, at_once=4), days=12)
    copies = copies_of(place.bounds, days=12)
    try:
        run(place.lake_on(Wire(fault, copies[at])), REFRESH)
    except (Died, BotoCoreError):
        place.clock.shift += LEASE + timedelta(seconds=1)
    run(place.lake, REFRESH)
    assert len(shown(place.lake)) == 24
    check_end(place.lake)


def test_who_has_slept_longer_than_its_lease_asks_before_it_puts_another_file() -> None:
    place = filled(Bounds(step=5, at_once=1), days=5)

    def sleep(operation: str) -> None:
        if operation == "CopyObject" and not other:
            place.clock.shift += LEASE + timedelta(seconds=1)
            other.append(place.lake.ledger.lock(TARGET.name, "another"))

    other: list[Any] = []
    wire = Wire(pause=sleep)
    with pytest.raises(LeaseLost):
        run(place.lake_on(wire), REFRESH)
    assert wire.calls.count("CopyObject") == 1


def test_two_years_of_hours_load_in_runs_of_which_a_death_repeats_one() -> None:
    """17,520 partition files; the fake of S3 has no time, so this counts calls."""
    place = MemoryPlace(bounds=Bounds(objects=100))
    location = place.lake.locations[TARGET.name]
    work = Hours(TARGET, SOURCE, REFRESH.transformation)
    for day in range(730):
        place.put(f"{day:03}.json", f"{day}")
    for at in (1_500, 4_000, 9_000):
        with pytest.raises(Died):
            [*run_all(place.lake_on(Wire(Fault.DIES_AFTER, at)), work)]
        place.clock.shift += LEASE + timedelta(seconds=1)
    wire = Wire()
    counts = [*run_all(place.lake_on(wire), work)]
    assert len(list(place.lake.storage.list(location))) == 730 * 24
    committed = [each for each in runs_of(place) if each["status"] == "COMMITTED"]
    assert sum(each["received"] for each in committed) == 730 * 24
    assert max(each["partition_files"] for each in committed) == 2_400
    assert wire.calls.count("CopyObject") <= sum(each.received for each in counts) + 2_400
    assert wire.calls.count("UpdateItem") < 200


def test_a_repair_waits_for_whoever_holds_its_dataset_and_a_load_does_not() -> None:
    place = filled(Bounds(waits=timedelta(minutes=16)), days=2)
    run(place.lake, REFRESH)
    pauses: list[Any] = []

    def pause() -> None:
        place.clock.shift += timedelta(minutes=1)
        pauses.append(place.clock())

    lake = replace(place.lake, pause=pause)
    place.lake.ledger.lock(TARGET.name, "another")
    assert run(lake, REFRESH) == NOTHING
    assert pauses == []
    assert run(lake, REREAD).received == 4
    # One that is dead holds the dataset as long as its lease.
    assert len(pauses) == LEASE / timedelta(minutes=1) + 1


def test_a_repair_does_not_wait_for_ever() -> None:
    place = filled(Bounds(waits=timedelta(minutes=3)), days=2)

    def pause() -> None:
        place.clock.shift += timedelta(minutes=1)

    lock = place.lake.ledger.lock(TARGET.name, "another")
    assert isinstance(lock, Lock)
    with pytest.raises(DatasetHeld, match=r"is held by run another until .*; nothing was done, try again"):
        run(replace(place.lake, pause=pause), REREAD)
    assert runs_of(place) == []


def test_who_gives_a_run_up_waits_for_whoever_holds_its_dataset() -> None:
    place = filled(Bounds(waits=timedelta(minutes=16), step=1, at_once=1), days=2)
    with pytest.raises(Died):
        run(place.lake_on(Wire(Fault.DIES_AFTER, copies_of(place.bounds, days=2)[0])), REFRESH)

    def pause() -> None:
        place.clock.shift += timedelta(minutes=1)

    (prepared,) = runs_of(place)
    assert abandon(replace(place.lake, pause=pause), TARGET, prepared["run_id"], "somebody") == (1, 2)


def test_whoever_gave_an_order_finds_its_runs() -> None:
    place = filled(Bounds(objects=2))
    [*run_all(place.lake, REFRESH)]
    run(replace(place.lake, order="an order"), REREAD)
    assert [each["kind"] for each in runs_of(place) if each["details"].get("order") == "an order"] == ["backfill"]


@dataclass(frozen=True)
class Hours(PlainRefresh):
    """Each object is a day, of which 24 new partition files are made."""

    def stage(self, context: RunContext, manifest: Manifest) -> Outcome:
        counts = Counts(24, 24, 0, 0, 0, {})
        by_object = {stored.key: counts for stored in manifest.objects}
        changes = tuple(_hour(context, stored, hour) for stored in manifest.objects for hour in range(24))
        return Outcome(total(by_object.values()), changes, by_object)


def _hour(context: RunContext, stored: StoredObject, hour: int) -> TableChange:
    body = context.storage.read(context.staging.bucket, stored.key)
    partition = f"date={MOMENT.date() + timedelta(days=int(body))}"
    staged = f"{context.staging.prefix}{partition}_{hour:02}"
    context.storage.put(context.staging.bucket, staged, body)
    key = f"{context.locations[TARGET.name].prefix}{partition}/h{hour:02}.parquet"
    return TableChange(TARGET.name, key, partition, None, staged, 1)
