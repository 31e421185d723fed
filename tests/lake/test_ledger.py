"""The ledger: one owner at a time, an epoch that fences off the late, a commit that may be repeated."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import moto
import pytest

from lake.errors import LeaseLost
from lake.ledger import LEASE, Held, Ledger, Lock
from lake.storage import StoredObject

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
OBJECTS = [StoredObject(f"raw/{number}.json", f"e{number}", 10, START) for number in range(250)]


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with moto.mock_aws():
        client: Any = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        yield Ledger(client, "ledger", clock)


def locked(ledger: Ledger, owner: str) -> Lock:
    lock = ledger.lock("readings", owner)
    assert isinstance(lock, Lock)
    return lock


def test_a_dataset_has_one_owner_until_it_is_released(ledger: Ledger) -> None:
    first = locked(ledger, "one")
    held = ledger.lock("readings", "two")
    assert held == Held("one", START + LEASE)
    ledger.release(first)
    assert locked(ledger, "two").epoch == first.epoch + 1


def said_of_lock(ledger: Ledger) -> dict[str, Any]:
    """The lock item as watchers read it."""
    client: Any = boto3.client("dynamodb", region_name="us-east-1")
    key = {"pk": {"S": "dataset#readings"}, "sk": {"S": "lock"}}
    item = client.get_item(TableName="ledger", Key=key)["Item"]
    return {name: value.get("S") for name, value in item.items()}


def test_a_lock_says_since_when_it_is_held_and_a_refresh_when_it_ended_well(ledger: Ledger, clock: Clock) -> None:
    lock = locked(ledger, "one")
    clock.moment += timedelta(minutes=5)
    ledger.renew(lock)
    assert said_of_lock(ledger)["locked_at"] == START.isoformat()
    ledger.complete(lock)
    ledger.release(lock)
    released = said_of_lock(ledger)
    assert released["completed_at"] == clock.moment.isoformat()
    assert not released.keys() & {"locked_at", "lease_until"}
    clock.moment += timedelta(minutes=5)
    locked(ledger, "two")
    again = said_of_lock(ledger)
    assert (again["locked_at"], again["completed_at"]) == (clock.moment.isoformat(), released["completed_at"])


def test_who_was_taken_over_does_not_say_that_the_refresh_ended_well(ledger: Ledger, clock: Clock) -> None:
    frozen = locked(ledger, "frozen")
    clock.moment += LEASE + timedelta(seconds=1)
    locked(ledger, "next")
    ledger.complete(frozen)
    assert "completed_at" not in said_of_lock(ledger)


def test_a_dead_owner_is_taken_over_after_its_lease(ledger: Ledger, clock: Clock) -> None:
    locked(ledger, "dead")
    clock.moment += LEASE + timedelta(seconds=1)
    assert locked(ledger, "next").epoch == 2


def test_who_was_taken_over_can_neither_renew_nor_prepare(ledger: Ledger, clock: Clock) -> None:
    frozen = locked(ledger, "frozen")
    clock.moment += LEASE + timedelta(seconds=1)
    locked(ledger, "next")
    with pytest.raises(LeaseLost):
        ledger.renew(frozen)
    with pytest.raises(LeaseLost):
        ledger.prepare(frozen, "frozen", {"started_at": "x"})
    assert ledger.runs("readings") == []


def test_release_by_who_was_taken_over_leaves_the_new_owner_alone(ledger: Ledger, clock: Clock) -> None:
    frozen = locked(ledger, "frozen")
    clock.moment += LEASE + timedelta(seconds=1)
    locked(ledger, "next")
    ledger.release(frozen)
    assert isinstance(ledger.lock("readings", "third"), Held)


def test_a_prepared_run_is_unfinished_until_it_is_committed(ledger: Ledger) -> None:
    lock = locked(ledger, "one")
    ledger.prepare(lock, "one", {"started_at": "x"})
    ledger.release(lock)
    again = locked(ledger, "two")
    assert again.unfinished == "one"
    ledger.commit("readings", "one", OBJECTS)
    ledger.release(again)
    assert locked(ledger, "three").unfinished is None


def test_commit_closes_every_object_and_may_be_repeated(ledger: Ledger) -> None:
    ledger.prepare(locked(ledger, "one"), "one", {"started_at": "x"})
    for _ in range(2):
        ledger.commit("readings", "one", OBJECTS)
    assert ledger.objects("readings") == {(stored.key, stored.etag) for stored in OBJECTS}
    assert [run["status"] for run in ledger.runs("readings")] == ["COMMITTED"]


def test_a_late_commit_does_not_touch_the_run_that_is_prepared_by_then(ledger: Ledger) -> None:
    first = locked(ledger, "one")
    ledger.prepare(first, "one", {"started_at": "x"})
    ledger.commit("readings", "one", OBJECTS[:1])
    ledger.prepare(first, "two", {"started_at": "y"})
    ledger.commit("readings", "one", OBJECTS[:1])
    ledger.release(first)
    assert locked(ledger, "three").unfinished == "two"


def test_datasets_do_not_see_each_other(ledger: Ledger) -> None:
    locked(ledger, "one")
    assert isinstance(ledger.lock("weather", "one"), Lock)
