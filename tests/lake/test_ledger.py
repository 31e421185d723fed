"""The ledger: one owner at a time, a fencing token that fences off the late, a commit that may be repeated."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import moto
import pytest
from botocore.exceptions import ClientError

from lake.core.counts import Counts
from lake.core.errors import LeaseLost
from lake.core.s3 import StoredObject, Suspect
from lake.runs.ledger import LEASE, Held, Ledger, Lock, Rewriting
from lake.runs.manifest import Manifest

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
OBJECTS = tuple(StoredObject(f"raw/{number}.json", f"e{number}", 10, START) for number in range(250))
IDENTITIES = {(stored.key, stored.etag) for stored in OBJECTS}
COUNTS = Counts(4, 1, 1, 1, 1, {"range:temperature_c": 1})


def manifest(run_id: str, objects: tuple[StoredObject, ...] = OBJECTS, claimed: bool = True) -> Manifest:
    return Manifest(
        run_id=run_id,
        dataset="readings",
        kind="refresh",
        source="raw_readings",
        started_at="x",
        ended_at="y",
        fencing_token=1,
        code_version="test",
        claimed=claimed,
        objects=objects,
        by_object={stored.key: COUNTS for stored in objects},
    )


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
    assert locked(ledger, "two").fencing_token == first.fencing_token + 1


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
    assert locked(ledger, "next").fencing_token == 2


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


def claimed(ledger: Ledger, lock: Lock, objects: tuple[StoredObject, ...]) -> tuple[StoredObject, ...]:
    """Claim as a run does, with what is known of those before."""
    return ledger.claim(lock, objects, ledger.deaths(lock, objects))


def test_a_prepared_run_is_unfinished_until_it_is_committed(ledger: Ledger) -> None:
    lock = locked(ledger, "one")
    ledger.prepare(lock, "one", {"started_at": "x"})
    ledger.release(lock)
    again = locked(ledger, "two")
    assert again.unfinished == "one"
    ledger.commit(manifest("one"))
    ledger.release(again)
    assert locked(ledger, "three").unfinished is None


def test_commit_processes_every_object_and_may_be_repeated(ledger: Ledger) -> None:
    lock = locked(ledger, "one")
    claimed(ledger, lock, OBJECTS)
    ledger.prepare(lock, "one", {"started_at": "x"})
    for _ in range(2):
        ledger.commit(manifest("one"))
    assert ledger.objects("readings").processed.keys() == IDENTITIES
    assert [run["status"] for run in ledger.runs("readings")] == ["COMMITTED"]


def test_a_late_commit_does_not_touch_the_run_that_is_prepared_by_then(ledger: Ledger) -> None:
    first = locked(ledger, "one")
    ledger.prepare(first, "one", {"started_at": "x"})
    ledger.commit(manifest("one", OBJECTS[:1]))
    ledger.prepare(first, "two", {"started_at": "y"})
    ledger.commit(manifest("one", OBJECTS[:1]))
    ledger.release(first)
    assert locked(ledger, "three").unfinished == "two"


def items_of_objects() -> list[dict[str, Any]]:
    """What the ledger says of objects, numbers as text."""
    client: Any = boto3.client("dynamodb", region_name="us-east-1")
    pages = client.get_paginator("scan").paginate(TableName="ledger")
    found = [item for page in pages for item in page["Items"] if item["sk"]["S"].startswith("object#")]
    return [{name: value.get("S", value.get("N")) for name, value in item.items()} for item in found]


def test_what_is_claimed_is_not_processed_before_it_is_committed(ledger: Ledger) -> None:
    lock = locked(ledger, "one")
    for _ in range(2):
        claimed(ledger, lock, OBJECTS)
    assert ledger.objects("readings").processed == {}
    claims = items_of_objects()
    assert {(item["key"], item["etag"]) for item in claims} == IDENTITIES
    assert {(item["run_id"], item["fencing_token"], item["status"]) for item in claims} == {("one", "1", "IN_PROGRESS")}


def test_a_processed_object_has_its_own_counts(ledger: Ledger) -> None:
    lock = locked(ledger, "one")
    claimed(ledger, lock, OBJECTS[:1])
    ledger.prepare(lock, "one", {"started_at": "x"})
    ledger.commit(manifest("one", OBJECTS[:1]))
    (processed,) = items_of_objects()
    assert (processed["status"], processed["run_id"], processed["fencing_token"]) == ("PROCESSED", "one", "1")
    assert [processed[name] for name in ("received", "new", "replaced", "duplicate", "quarantined")] == list("41111")


def test_a_run_that_only_looks_processes_nothing(ledger: Ledger) -> None:
    ledger.prepare(locked(ledger, "one"), "one", {"started_at": "x"})
    ledger.commit(manifest("one", claimed=False))
    assert items_of_objects() == []
    assert [run["status"] for run in ledger.runs("readings")] == ["COMMITTED"]


def test_the_next_run_claims_what_a_dead_one_had_claimed(ledger: Ledger, clock: Clock) -> None:
    claimed(ledger, locked(ledger, "dead"), OBJECTS[:3])
    clock.moment += LEASE + timedelta(seconds=1)
    claimed(ledger, locked(ledger, "next"), OBJECTS[:3])
    assert {(item["run_id"], item["fencing_token"]) for item in items_of_objects()} == {("next", "2")}


def died(ledger: Ledger, clock: Clock, owner: str, objects: tuple[StoredObject, ...]) -> tuple[StoredObject, ...]:
    """What a run is given that claims these objects and is killed."""
    given = claimed(ledger, locked(ledger, owner), objects)
    clock.moment += LEASE + timedelta(seconds=1)
    return given


def suspects(given: tuple[StoredObject, ...]) -> list[str]:
    return [stored.key for stored in given if isinstance(stored, Suspect)]


def test_what_two_runs_have_not_survived_is_suspect_and_what_came_later_is_not(ledger: Ledger, clock: Clock) -> None:
    assert died(ledger, clock, "first", OBJECTS[:2]) == OBJECTS[:2]
    assert suspects(died(ledger, clock, "second", OBJECTS[:3])) == []
    third = claimed(ledger, locked(ledger, "third"), OBJECTS[:4])
    assert suspects(third) == [stored.key for stored in OBJECTS[:2]]
    assert [(stored.key, stored.etag, stored.size) for stored in third] == [
        (stored.key, stored.etag, stored.size) for stored in OBJECTS[:4]
    ]
    assert sorted(item["claims"] for item in items_of_objects()) == ["1", "2", "3", "3"]


def test_a_run_that_has_read_what_it_claimed_makes_nothing_suspect_although_it_fails(
    ledger: Ledger, clock: Clock
) -> None:
    for number in range(4):
        lock = locked(ledger, f"run {number}")
        assert suspects(claimed(ledger, lock, OBJECTS[:2])) == []
        ledger.survived(lock)
        ledger.release(lock)
    for owner in ("dead", "dead too"):
        assert suspects(died(ledger, clock, owner, OBJECTS[:2])) == []
    assert len(suspects(died(ledger, clock, "last", OBJECTS[:2]))) == 2


def test_a_committed_run_ends_the_row_of_deaths(ledger: Ledger, clock: Clock) -> None:
    for owner in ("dead", "dead too"):
        died(ledger, clock, owner, OBJECTS[:2])
    lock = locked(ledger, "one")
    claimed(ledger, lock, OBJECTS[:2])
    ledger.prepare(lock, "one", {"started_at": "x"})
    ledger.commit(replace(manifest("one", OBJECTS[:2]), fencing_token=lock.fencing_token))
    ledger.release(lock)
    assert locked(ledger, "two").claimed_by is None
    assert {"claims" in item for item in items_of_objects()} == {False}


def test_who_was_taken_over_is_no_witness(ledger: Ledger, clock: Clock) -> None:
    frozen = locked(ledger, "frozen")
    claimed(ledger, frozen, OBJECTS[:1])
    clock.moment += LEASE + timedelta(seconds=1)
    claimed(ledger, locked(ledger, "next"), OBJECTS[:1])
    ledger.survived(frozen)
    clock.moment += LEASE + timedelta(seconds=1)
    assert locked(ledger, "third").claimed_by == "next"


def test_who_was_taken_over_can_not_claim(ledger: Ledger, clock: Clock) -> None:
    frozen = locked(ledger, "frozen")
    clock.moment += LEASE + timedelta(seconds=1)
    locked(ledger, "next")
    with pytest.raises(LeaseLost, match=r"run frozen was taken over \(its fencing token 1 is old\)"):
        claimed(ledger, frozen, OBJECTS[:1])
    assert items_of_objects() == []


def test_what_is_processed_is_never_claimed_again(ledger: Ledger) -> None:
    lock = locked(ledger, "one")
    claimed(ledger, lock, OBJECTS[:1])
    ledger.prepare(lock, "one", {"started_at": "x"})
    ledger.commit(manifest("one", OBJECTS[:1]))
    with pytest.raises(LeaseLost):
        claimed(ledger, lock, OBJECTS[:2])
    assert [item["status"] for item in items_of_objects()] == ["PROCESSED"], "all of a transaction or nothing"


def test_a_claim_prolongs_the_lease(ledger: Ledger, clock: Clock) -> None:
    lock = locked(ledger, "one")
    clock.moment += LEASE / 2
    claimed(ledger, lock, OBJECTS[:1])
    assert said_of_lock(ledger)["lease_until"] == (clock.moment + LEASE).isoformat()


def test_a_run_that_never_heard_that_it_has_the_lock_gets_it(ledger: Ledger) -> None:
    locked(ledger, "one")
    assert locked(ledger, "one").fencing_token == 2


class Refusing:
    """A DynamoDB client whose writes are refused with this code."""

    def __init__(self, client: Any, code: str) -> None:
        self._client, self._code = client, code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **request: Any) -> Any:
        raise ClientError({"Error": {"Code": self._code, "Message": ""}}, "UpdateItem")

    transact_write_items = update_item


def test_a_lock_that_is_given_back_in_that_moment_is_held_until_now(ledger: Ledger, clock: Clock) -> None:
    ledger.release(locked(ledger, "one"))
    client: Any = boto3.client("dynamodb", region_name="us-east-1")
    refusing = Ledger(Refusing(client, "ConditionalCheckFailedException"), "ledger", clock)
    assert refusing.lock("readings", "two") == Held("one", START)


def test_an_error_that_is_no_condition_is_not_taken_for_a_lost_lease(ledger: Ledger, clock: Clock) -> None:
    lock = locked(ledger, "one")
    client: Any = boto3.client("dynamodb", region_name="us-east-1")
    refusing = Ledger(Refusing(client, "AccessDeniedException"), "ledger", clock)
    for call in (
        lambda: refusing.lock("readings", "two"),
        lambda: refusing.renew(lock),
        lambda: claimed(refusing, lock, OBJECTS[:1]),
        lambda: refusing.prepare(lock, "one", {"started_at": "x"}),
    ):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            call()


def test_runs_come_in_the_order_of_their_start(ledger: Ledger) -> None:
    lock = locked(ledger, "one")
    for run_id, started in (("a", "3"), ("b", "1"), ("c", "2")):
        ledger.prepare(lock, run_id, {"started_at": started})
    assert [run["started_at"] for run in ledger.runs("readings")] == ["1", "2", "3"]


def test_datasets_do_not_see_each_other(ledger: Ledger) -> None:
    locked(ledger, "one")
    assert isinstance(ledger.lock("weather", "one"), Lock)


class Conflicting:
    """A DynamoDB client whose transactions meet somebody else's ``times`` times before they go through."""

    def __init__(self, client: Any, times: int) -> None:
        self._client, self._left = client, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            return self._client.transact_write_items(**request)
        answer: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": "conflict"},
            "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
        }
        raise ClientError(answer, "TransactWriteItems")


@pytest.mark.parametrize(("times", "is_through"), [(4, True), (5, False)])
def test_a_transaction_that_meets_another_is_tried_again_and_is_not_taken_for_a_lost_lease(
    ledger: Ledger, clock: Clock, times: int, is_through: bool
) -> None:
    client: Any = boto3.client("dynamodb", region_name="us-east-1")
    lock = locked(ledger, "one")
    meeting = Ledger(Conflicting(client, times), "ledger", clock)
    if is_through:
        claimed(meeting, lock, OBJECTS[:1])
    else:
        with pytest.raises(ClientError, match="TransactionCanceledException"):
            claimed(meeting, lock, OBJECTS[:1])
    assert len(items_of_objects()) == int(is_through)


def test_what_nobody_has_claimed_is_not_processed(ledger: Ledger) -> None:
    ledger.prepare(locked(ledger, "one"), "one", {"started_at": "x"})
    ledger.commit(manifest("one", OBJECTS[:1]))
    assert items_of_objects() == []


def item_of(sort: str, partition: str = "dataset#readings") -> dict[str, Any]:
    """One item of the table as it is; numbers are text."""
    client: Any = boto3.client("dynamodb", region_name="us-east-1")
    answer = client.get_item(TableName="ledger", Key={"pk": {"S": partition}, "sk": {"S": sort}}, ConsistentRead=True)
    return {name: next(iter(value.values())) for name, value in answer.get("Item", {}).items()}


def processed(ledger: Ledger, *objects: StoredObject) -> Lock:
    """Some objects are processed by run "one"; the lock of run "two" that comes then."""
    lock = locked(ledger, "one")
    claimed(ledger, lock, objects)
    ledger.prepare(lock, "one", {"started_at": "x"})
    ledger.commit(manifest("one", objects))
    ledger.release(lock)
    return locked(ledger, "two")


def test_what_is_being_rewritten_is_no_news_until_it_is_as_before_again(ledger: Ledger, clock: Clock) -> None:
    stored, other = OBJECTS[:2]
    lock = processed(ledger, stored)
    clock.moment += timedelta(minutes=1)
    ledger.begin_rewriting(lock, stored)
    assert item_of("lock")["lease_until"] == (clock.moment + LEASE).isoformat()
    assert item_of("object#raw/0.json#rewriting") == {
        "pk": "dataset#readings",
        "sk": "object#raw/0.json#rewriting",
        "key": "raw/0.json",
        "run_id": "two",
        "etag": "e0",
        "size": "10",
        "arrived_at": START.isoformat(),
        "status": "REWRITING",
    }
    known = ledger.objects("readings")
    assert known.rewriting == {"raw/0.json": Rewriting(stored, "two")}
    assert known.processed == {("raw/0.json", "e0"): None}
    assert [known.is_unprocessed(entry) for entry in (stored, replace(stored, etag="other content"), other)] == [
        False,
        False,
        True,
    ]
    ledger.not_rewritten(lock, stored.key)
    known = ledger.objects("readings")
    assert (known.rewriting, known.processed) == ({}, {("raw/0.json", "e0"): None})
    assert known.is_unprocessed(replace(stored, etag="other content"))


@pytest.mark.parametrize("etag", ["n0", "e0"])
def test_what_was_rewritten_is_processed_with_the_counts_and_the_arrival_that_it_had(ledger: Ledger, etag: str) -> None:
    stored = OBJECTS[0]
    lock = processed(ledger, stored)
    before = item_of("object#raw/0.json#e0")
    ledger.begin_rewriting(lock, stored)
    ledger.rewritten(lock, stored, etag)
    known = ledger.objects("readings")
    assert (known.processed, known.rewriting) == ({("raw/0.json", etag): START}, {})
    after = {**before, "sk": f"object#raw/0.json#{etag}", "etag": etag, "arrived_at": START.isoformat()}
    assert item_of(f"object#raw/0.json#{etag}") == after
    if etag != "e0":
        assert item_of("object#raw/0.json#e0") == {**before, "status": "REPLACED"}
        assert known.is_unprocessed(stored), "what was erased is not taken for what is there"


@pytest.mark.parametrize("others", [0, 120])
def test_a_run_that_commits_late_does_not_take_back_an_erasure(ledger: Ledger, others: int) -> None:
    objects = OBJECTS[: 1 + others]
    lock = processed(ledger, *objects)
    ledger.begin_rewriting(lock, objects[0])
    ledger.rewritten(lock, objects[0], "n0")
    erased = item_of("object#raw/0.json#e0")
    ledger.commit(manifest("one", objects))
    assert item_of("object#raw/0.json#e0") == erased
    assert ledger.objects("readings").processed.keys() == {
        ("raw/0.json", "n0"),
        *((o.key, o.etag) for o in objects[1:]),
    }


def test_a_run_that_commits_late_does_not_mark_processed_what_a_later_one_reads(ledger: Ledger) -> None:
    lock = processed(ledger, OBJECTS[0])
    ledger.begin_rewriting(lock, OBJECTS[0])
    ledger.rewritten(lock, OBJECTS[0], "n0")
    claimed(ledger, lock, OBJECTS[:1])
    ledger.commit(manifest("one", OBJECTS[:1]))
    item = item_of("object#raw/0.json#e0")
    assert (item["status"], item["run_id"]) == ("IN_PROGRESS", "two")


def test_a_commit_that_may_not_write_is_an_error(ledger: Ledger) -> None:
    lock = locked(ledger, "one")
    claimed(ledger, lock, OBJECTS[:1])
    ledger.prepare(lock, "one", {"started_at": "x"})
    large = {OBJECTS[0].key: replace(COUNTS, reasons={"r" * 500_000: 1})}
    with pytest.raises(ClientError, match=r"ValidationException|size"):
        ledger.commit(replace(manifest("one", OBJECTS[:1]), by_object=large))
    assert [run["status"] for run in ledger.runs("readings")] == ["PREPARED"]


def test_who_was_taken_over_does_not_begin_to_rewrite(ledger: Ledger, clock: Clock) -> None:
    lock = processed(ledger, OBJECTS[0])
    clock.moment += LEASE + timedelta(seconds=1)
    locked(ledger, "three")
    with pytest.raises(LeaseLost):
        ledger.begin_rewriting(lock, OBJECTS[0])
    assert ledger.objects("readings").rewriting == {}


def test_what_is_said_of_an_object_elsewhere_is_said_of_its_new_content_too(ledger: Ledger) -> None:
    client: Any = boto3.client("dynamodb", region_name="us-east-1")
    said = {"pk": "stream#s", "sk": "redelivered#raw/0.json#e0", "by": "somebody"}
    client.put_item(TableName="ledger", Item={name: {"S": value} for name, value in said.items()})
    for stored in OBJECTS[:2]:
        ledger.carry_on("stream#s", "redelivered", stored, "new")
    assert item_of("redelivered#raw/0.json#new", "stream#s") == {**said, "sk": "redelivered#raw/0.json#new"}
    assert item_of("redelivered#raw/0.json#e0", "stream#s") == said
    assert item_of("redelivered#raw/1.json#new", "stream#s") == {}


def test_a_number_is_read_as_the_number_that_it_is_also_inside_lists(ledger: Ledger) -> None:
    record = {"started_at": "x", "details": {"first": [1, {"rows": 2}], "count": 3}}
    ledger.prepare(locked(ledger, "one"), "one", record)
    details = ledger.run("readings", "one")["details"]
    assert details == {"first": [1, {"rows": 2}], "count": 3}
    assert [type(number) for number in (details["first"][0], details["first"][1]["rows"], details["count"])] == [
        int,
        int,
        int,
    ]


@pytest.mark.parametrize("value", [Decimal("0.5"), [Decimal("0.5")]])
def test_a_number_that_is_no_whole_one_is_refused(ledger: Ledger, value: Any) -> None:
    ledger.prepare(locked(ledger, "one"), "one", {"started_at": "x", "details": {"ratio": value}})
    with pytest.raises(ValueError, match=r"0\.5 is no whole number"):
        ledger.run("readings", "one")
