"""Runs that are broken at one call, and what must be true when the next run has mended it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from botocore.exceptions import BotoCoreError

from lake.core.counts import NOTHING
from lake.core.errors import LakeError
from lake.core.s3 import Storage
from lake.operations.context import SparkRunContext
from lake.runs.context import RunContext
from lake.runs.ledger import LEASE, Ledger
from lake.runs.metrics import Metrics
from lake.runs.run import Context, Work, run
from lake.tables.catalog import Catalog
from tests.memory_aws import MemoryPlace
from tests.place import Place
from tests.plain_work import REFRESH, record
from tests.wire import Died, Fault, Wire, Wired

HALF_OF_THE_FILES = 8


class WiredPlace:
    """A lake in localaws; the runs that are broken have clients of their own."""

    def __init__(self, place: Place, wired: Wired) -> None:
        self.put, self.lake, self.clock = place.put, place.lake, place.clock
        self._place, self._wired = place, wired

    def lake_on(self, wire: Wire) -> SparkRunContext:
        self._wired.wire, clients = wire, self._wired.clients
        return replace(
            self.lake,
            storage=Storage(clients["s3"]),
            ledger=Ledger(clients["dynamodb"], self._place.bucket, self.clock),
            catalog=Catalog(clients["glue"], self._place.bucket),
            metrics=Metrics(clients["cloudwatch"], "test-lake", self._place.bucket, self.clock),
        )


AnyPlace = WiredPlace | MemoryPlace


def first(place: AnyPlace) -> None:
    place.put("a.json", record("x", 1), record("y", 1, day=19), "no record")
    place.put("b.json", record("x", 2))


def second(place: AnyPlace) -> None:
    """Partition files are there; records are corrected, doubled, new."""
    first(place)
    run(place.lake, REFRESH)
    place.put("c.json", record("x", 3), record("x", 3), record("z", 1, day=19), "neither")


def after_a_death(place: AnyPlace) -> None:
    """A run has died after half of its partition files, its lease is over, and there is more to do."""
    first(place)
    dead = Wire(Fault.DIES_AFTER, HALF_OF_THE_FILES)
    assert broken(place.lake_on(dead), REFRESH) is None
    assert dead.calls[-1] == "CopyObject"
    place.clock.shift += LEASE + timedelta(seconds=1)
    place.put("c.json", record("x", 3), record("z", 1, day=19))


def broken(lake: Context, work: Work[Context]) -> Exception | None:
    """One run; how it ended, None for well or dead."""
    try:
        run(lake, work)
    except Died:
        return None
    except (BotoCoreError, LakeError) as error:
        return error
    return None


def converges(place: AnyPlace, wire: Wire, fault: Fault, check: Callable[[RunContext], None]) -> None:
    """Break one run, then run again: all is as if nothing had happened."""
    error = broken(place.lake_on(wire), REFRESH)
    if fault is Fault.REPLY_LOST:
        assert error is None, f"the SDK's own repetition must be right: {error!r}"
        check(place.lake)
    place.clock.shift += LEASE + timedelta(seconds=1)
    run(place.lake, REFRESH)
    check(place.lake)
    assert run(place.lake, REFRESH) == NOTHING, "nothing is left to do"
