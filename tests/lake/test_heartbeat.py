"""A run that stages for longer than a lease keeps it; one that was frozen has lost it, and renews it no more."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from lake.core.counts import NOTHING
from lake.core.errors import LeaseLost
from lake.runs import lease
from lake.runs.ledger import LEASE, Held, Ledger, Lock
from lake.runs.manifest import Manifest
from lake.runs.run import Outcome, run
from tests.memory_aws import DynamoDb, MemoryPlace
from tests.place import SOURCE, TARGET
from tests.plain_work import REFRESH, PlainRefresh, check_end, record
from tests.wire import Wire

_SECONDS = 3600


class Gated(Ledger):
    """A ledger whose heartbeats wait until the test lets them go; ``errors`` are raised by the next ones, in order."""

    def __init__(self, place: MemoryPlace, *errors: Exception) -> None:
        super().__init__(DynamoDb(place.memory, Wire()), "ledger", place.clock)
        self.errors = list(errors)
        self._allowed, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def beat(self) -> None:
        """Let one heartbeat go and wait until it is over."""
        self._allowed.release()
        assert self._done.acquire(timeout=_SECONDS), "no heartbeat came"

    def renew(self, lock: Lock) -> None:
        if threading.current_thread() is threading.main_thread():
            super().renew(lock)
            return
        assert self._allowed.acquire(timeout=_SECONDS)
        try:
            if self.errors:
                raise self.errors.pop(0)
            super().renew(lock)
        finally:
            self._done.release()

    def prepare(self, lock: Lock, run_id: str, record: Any) -> None:
        assert beating() == [], "a renewal could come between prepare and publish"
        super().prepare(lock, run_id, record)

    def awake(self) -> None:
        """The block is about to end: whatever beats may do so."""
        self._allowed.release(1000)


def beating() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("lease of ")]


@dataclass(frozen=True)
class Slow(PlainRefresh):
    """Something happens while it stages."""

    meanwhile: Callable[[], None] = lambda: None

    def stage(self, context: Any, manifest: Manifest) -> Outcome:
        try:
            self.meanwhile()
            return super().stage(context, manifest)
        finally:
            context.ledger.awake()


def slow(meanwhile: Callable[[], None]) -> Slow:
    return Slow(TARGET, SOURCE, REFRESH.transformation, meanwhile)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> MemoryPlace:
    monkeypatch.setattr(lease, "EVERY", timedelta(milliseconds=1))
    made = MemoryPlace()
    made.put("a.json", record("x", 1))
    return made


@pytest.mark.parametrize("error", [None, ClientError({"Error": {"Code": "500"}}, ""), HTTPClientError(error="reset")])
def test_who_stages_for_an_hour_keeps_the_lease(place: MemoryPlace, error: Exception | None) -> None:
    ledger = Gated(place, *([error] if error else []))

    def an_hour() -> None:
        if error:
            ledger.beat()
        for _ in range(6):
            place.clock.shift += timedelta(minutes=10)
            ledger.beat()
        assert run(place.lake, REFRESH) is NOTHING, "the dataset is held"

    assert run(replace(place.lake, ledger=ledger), slow(an_hour)).new == 1
    assert beating() == []
    check_end(place.lake)


def test_who_was_frozen_has_lost_it_and_a_late_renewal_is_refused(
    place: MemoryPlace, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Gated(place)

    def frozen() -> None:
        place.clock.shift += LEASE + timedelta(seconds=1)
        taken = place.lake.ledger.lock(TARGET.name, "another")
        assert isinstance(taken, Lock)
        place.clock.shift += timedelta(minutes=1)
        before = place.memory.items[f"dataset#{TARGET.name}", "lock"]["lease_until"]
        ledger.beat()
        assert place.memory.items[f"dataset#{TARGET.name}", "lock"]["lease_until"] == before

    with pytest.raises(LeaseLost):
        run(replace(place.lake, ledger=ledger), slow(frozen))
    assert sum("was taken over (its fencing token 1 is old)" in message for message in caplog.messages) == 1
    assert beating() == []
    held = place.lake.ledger.lock(TARGET.name, "a third one")
    assert isinstance(held, Held)
    assert held.owner == "another", "the late run has given away what is not its own"


@pytest.mark.parametrize("beats_first", [True, False])
def test_a_renewal_and_a_takeover_in_both_orders(place: MemoryPlace, beats_first: bool) -> None:
    ledger = Gated(place)

    def meanwhile() -> None:
        place.clock.shift += LEASE + timedelta(seconds=1)
        if beats_first:
            ledger.beat()
        assert run(place.lake, REFRESH).new == (0 if beats_first else 1)
        if not beats_first:
            ledger.beat()
            assert "lease_until" not in place.memory.items[f"dataset#{TARGET.name}", "lock"]

    if beats_first:
        assert run(replace(place.lake, ledger=ledger), slow(meanwhile)).new == 1
    else:
        with pytest.raises(LeaseLost):
            run(replace(place.lake, ledger=ledger), slow(meanwhile))
    check_end(place.lake)
    assert run(place.lake, REFRESH) is NOTHING


def test_it_beats_three_times_in_a_lease() -> None:
    assert lease.EVERY * 3 == LEASE
