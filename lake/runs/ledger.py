"""The ledger: one DynamoDB table that records processed objects and runs, and decides which run may publish.

Items of a dataset share ``pk = dataset#<name>``; ``sk`` is ``lock`` (owner, lease, since when it is held, fencing
token, unfinished run and how far it is published, when a refresh last ended well), ``run#<id>`` or
``object#<key>#<etag>`` (run, fencing token, IN_PROGRESS, or PROCESSED with its counts). A derived dataset has
``input#<folder>`` instead: the digest of the day of an input that it is made of. Erasure rewrites raw objects: the old
item becomes REPLACED; an ``object#<key>#rewriting`` item exists while the rewrite is in flight.
The lease only decides when to try; the fencing token decides who may claim and prepare.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from lake.core.errors import LeaseLost
from lake.core.s3 import StoredObject, Suspect
from lake.runs.manifest import Manifest

LEASE = timedelta(minutes=15)
# One death may be of the machine.
MOST_DEATHS = 2
_TRANSACTION_ITEMS = 100
_ATTEMPTS_AT_A_CONFLICT = 5


@dataclass(frozen=True)
class Lock:
    """A dataset locked by one run; ``unfinished`` is the run that was prepared and never committed.

    ``published`` is how many of its partition files are there for certain, in the order of its manifest.
    ``claimed_by`` is the run that has claimed objects before and died, or failed for no reason of the lake's own.
    """

    dataset: str
    owner: str
    fencing_token: int
    unfinished: str | None
    claimed_by: str | None = None
    published: int = 0


@dataclass(frozen=True)
class Held:
    """The lock of another run, ``owner``, whose lease ends at ``until`` (UTC)."""

    owner: str
    until: datetime


class Rewriting(NamedTuple):
    """A rewrite in flight: the object as it was ``before`` run ``run_id`` started to rewrite it."""

    before: StoredObject
    run_id: str


class Objects(NamedTuple):
    """The raw objects of a dataset that the ledger knows.

    ``processed`` are objects that a committed run has read, by (key, etag); the value is the arrival time (UTC) where
    S3 no longer has it, else None. ``rewriting`` are rewrites by an erasure that is in flight or has died, by key.
    """

    processed: Mapping[tuple[str, str], datetime | None]
    rewriting: Mapping[str, Rewriting]

    def is_unprocessed(self, stored: StoredObject) -> bool:
        """Return True if no committed run has processed this version of the object and no erasure is rewriting it."""
        return (stored.key, stored.etag) not in self.processed and stored.key not in self.rewriting


class Ledger:
    """The ledger table; ``client`` is a boto3 DynamoDB client, ``now`` returns the time (UTC)."""

    def __init__(self, client: Any, table: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._table = table
        self._now = now

    def lock(self, dataset: str, owner: str) -> Lock | Held:
        """Lock the dataset for run ``owner`` and raise the fencing token.

        Returns the Lock, valid for ``LEASE`` unless it is renewed, or Held while another run's lease is valid. A
        repetition by the same owner locks again.
        """
        now = self._now()
        try:
            answer = self._update(
                dataset,
                "lock",
                "SET #owner = :owner, lease_until = :until, locked_at = :now ADD fencing_token :one",
                # Our own lock: the reply to our first attempt was lost.
                "attribute_not_exists(lease_until) OR lease_until < :now OR #owner = :owner",
                {":owner": owner, ":until": (now + LEASE).isoformat(), ":now": now.isoformat(), ":one": 1},
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise
            return self._holder(dataset)
        return Lock(
            dataset,
            owner,
            int(answer["fencing_token"]),
            answer.get("unfinished"),
            answer.get("claimed_by"),
            int(answer.get("published", 0)),
        )

    def unfinished(self, dataset: str) -> Lock:
        """Return the lock as it is, without taking it; it says which run was prepared and never committed."""
        item = self._item(f"dataset#{dataset}", "lock")
        return Lock(dataset, str(item.get("owner", "")), int(item.get("fencing_token", 0)), item.get("unfinished"))

    def renew(self, lock: Lock) -> None:
        """Extend the lease by ``LEASE`` from now; raises LeaseLost when another run has taken over the lock."""
        self._guarded_update(lock, "SET lease_until = :until", {":until": self._lease_end()})

    def mark_published(self, lock: Lock, number: int) -> datetime:
        """Record that the first ``number`` partition files of the unfinished run are published, and extend the lease.

        Returns the end of the lease; raises LeaseLost when another run has taken over the lock.
        """
        until = self._now() + LEASE
        self._guarded_update(
            lock, "SET lease_until = :until, published = :number", {":until": until.isoformat(), ":number": number}
        )
        return until

    def complete(self, lock: Lock, inputs: Iterable[str] = ()) -> None:
        """Record the time of a refresh's success. No-op if another run holds the lock; that run records its own.

        A derived dataset is no newer than its ``inputs``: it gets the time of the oldest, and none before all have one.
        """
        times = [str(self._item(f"dataset#{name}", "lock").get("completed_at", "")) for name in inputs]
        if "" in times:
            return
        try:
            self._guarded_update(lock, "SET completed_at = :at", {":at": min([self._now().isoformat(), *times])})
        except LeaseLost:
            return

    def release(self, lock: Lock) -> None:
        """Release the lock. No-op if another run holds it."""
        try:
            self._guarded_update(lock, "REMOVE lease_until, locked_at", {})
        except LeaseLost:
            return

    def objects(self, dataset: str) -> Objects:
        """Return the raw objects of the dataset that the ledger knows."""
        items = self._query(dataset, "object#")
        processed = [item for item in items if item["status"] == "PROCESSED"]
        rewriting = [item for item in items if item["status"] == "REWRITING"]
        return Objects(
            {(item["key"], item["etag"]): _arrival(item) for item in processed},
            {item["key"]: Rewriting(_stored(item), item["run_id"]) for item in rewriting},
        )

    def inputs(self, dataset: str) -> dict[str, str]:
        """Return what a derived dataset is made of: the digest of each day of its inputs, by the day's folder."""
        return {item["key"]: item["etag"] for item in self._query(dataset, "input#")}

    def begin_rewriting(self, lock: Lock, stored: StoredObject) -> None:
        """Record the intent to rewrite a processed object, so that its new version is not taken for new input.

        Raises LeaseLost when another run has taken over the lock.
        """
        self.renew(lock)
        before = {"etag": stored.etag, "size": stored.size, "arrived_at": stored.modified.isoformat()}
        item = {**_key(lock.dataset, _rewriting(stored.key)), "key": stored.key, "run_id": lock.owner, **before}
        self._transact([self._put({**item, "status": "REWRITING"})])

    def rewritten(self, lock: Lock, stored: StoredObject, etag: str) -> None:
        """Record that the processed object ``stored`` now has the content with ``etag``; it stays processed.

        The item keeps the arrival time, because S3 only has the time of the rewrite.
        """
        before = _object(lock.dataset, stored)
        item = self._item(before["pk"], before["sk"])
        after = {**item, **_object(lock.dataset, replace(stored, etag=etag)), "arrived_at": stored.modified.isoformat()}
        # Equal content may have an equal ETag.
        replaced = [] if etag == stored.etag else [self._put({**item, "status": "REPLACED"})]
        self._transact([self._put(after), *replaced, self._settled(lock, stored.key)])

    def not_rewritten(self, lock: Lock, key: str) -> None:
        """Remove the intent of ``begin_rewriting``: the object was not changed."""
        self._transact([self._settled(lock, key)])

    def carry_on(self, partition: str, kind: str, stored: StoredObject, etag: str) -> None:
        """Copy the item ``<kind>#<key>#<old ETag>`` to the new ``etag``, if the item exists.

        ``partition`` is the item's partition key. ``stored`` is the object as it was before.
        """
        item = self._item(partition, f"{kind}#{stored.key}#{stored.etag}")
        if item:
            self._transact([self._put({**item, "sk": f"{kind}#{stored.key}#{etag}"})])

    def deaths(self, lock: Lock, objects: Iterable[StoredObject]) -> dict[StoredObject, int]:
        """Return how many runs, one after the other, have claimed each of these objects and not survived."""
        before = self._claims(lock.dataset) if lock.claimed_by else {}
        return {stored: before.get((stored.key, stored.etag), 0) for stored in objects}

    def claim(
        self, lock: Lock, objects: Iterable[StoredObject], deaths: Mapping[StoredObject, int]
    ) -> tuple[StoredObject, ...]:
        """Record that the lock's run reads these objects, and return them.

        Those that, by ``deaths``, ``MOST_DEATHS`` runs have not survived are returned as Suspect. Claims with a lower
        fencing token are overwritten: those runs ended without a commit. Processed objects cannot be claimed. Raises
        LeaseLost when the lock has another fencing token.
        """
        taken = tuple(objects)
        claims = [self._claim(lock, stored, deaths.get(stored, 0) + 1) for stored in taken]
        for start in range(0, len(claims), _TRANSACTION_ITEMS - 1):
            values = {":until": self._lease_end(), ":run": lock.owner}
            renewal = self._check(lock, "SET lease_until = :until, claimed_by = :run", values)
            chunk = claims[start : start + _TRANSACTION_ITEMS - 1]
            try:
                self._transact([{"Update": renewal}, *chunk])
            except ClientError as error:
                raise self._lost(lock, error) from error
        return tuple(Suspect(**vars(each)) if deaths.get(each, 0) >= MOST_DEATHS else each for each in taken)

    def survived(self, lock: Lock) -> None:
        """Record that the run has read what it has claimed, although it fails. No-op if another run holds the lock."""
        try:
            self._guarded_update(lock, "REMOVE claimed_by", {})
        except LeaseLost:
            return

    def run(self, dataset: str, run_id: str) -> dict[str, Any]:
        """Return the record of a run; raises KeyError when there is none."""
        return self._get(dataset, f"run#{run_id}")

    def runs(self, dataset: str) -> list[dict[str, Any]]:
        """Return all run records of the dataset, oldest first."""
        return sorted(self._query(dataset, "run#"), key=lambda item: str(item["started_at"]))

    def prepare(self, lock: Lock, run_id: str, record: Mapping[str, Any]) -> None:
        """Write the run as PREPARED; from then on this run or the next one finishes it.

        ``record`` is what ``manifest.report`` returns, with the checksum of the manifest. Raises LeaseLost when the
        lock has another fencing token.
        """
        run = {**_key(lock.dataset, f"run#{run_id}"), **record, "status": "PREPARED"}
        mine = self._check(
            lock,
            "SET unfinished = :run, lease_until = :until REMOVE claimed_by, published",
            {":run": run_id, ":until": self._lease_end()},
        )
        try:
            self._transact([self._put(run), {"Update": mine}])
        except ClientError as error:
            raise self._lost(lock, error) from error

    def abandon(self, lock: Lock, run_id: str, reason: str) -> None:
        """Record that nobody will finish a prepared run; what it had claimed can be claimed again.

        Raises LeaseLost when another run has taken over the lock, or has finished that one.
        """
        abandoned = {
            "TableName": self._table,
            "Key": _typed(_key(lock.dataset, f"run#{run_id}")),
            "UpdateExpression": "SET #status = :abandoned, reason = :reason",
            "ConditionExpression": "#status = :prepared",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": _typed(
                {":abandoned": "ABANDONED", ":prepared": "PREPARED", ":reason": reason}
            ),
        }
        try:
            self._transact([{"Update": abandoned}, {"Update": self._check(lock, "REMOVE unfinished", {})}])
        except ClientError as error:
            raise self._lost(lock, error) from error

    def commit(self, manifest: Manifest) -> None:
        """Record what was read, and the run as committed. Idempotent, also for a run that is late."""
        read = [self._processed_put(manifest, stored) for stored in manifest.objects if manifest.claimed]
        read += [self._made_of(manifest, day) for day in manifest.made_of]
        for start in range(0, len(read), _TRANSACTION_ITEMS):
            self._transact_where_possible(read[start : start + _TRANSACTION_ITEMS])
        self._commit_run(manifest.dataset, manifest.run_id)

    def record_failure(self, dataset: str, run_id: str, record: Mapping[str, Any]) -> None:
        """Write the record of a run that failed before it was prepared, with the status FAILED.

        ``record`` is what ``manifest.report`` returns. Needs no lock: the run may have lost it.
        """
        item = {**_key(dataset, f"run#{run_id}"), **record, "status": "FAILED"}
        self._client.put_item(TableName=self._table, Item=_typed(item))

    def _commit_run(self, dataset: str, run_id: str) -> None:
        committed = {
            "TableName": self._table,
            "Key": _typed(_key(dataset, f"run#{run_id}")),
            "UpdateExpression": "SET #status = :committed",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": _typed({":committed": "COMMITTED"}),
        }
        finished = {
            "TableName": self._table,
            "Key": _typed(_key(dataset, "lock")),
            "UpdateExpression": "REMOVE unfinished",
            "ConditionExpression": "unfinished = :run",
            "ExpressionAttributeValues": _typed({":run": run_id}),
        }
        try:
            self._transact([{"Update": committed}, {"Update": finished}])
        except ClientError as error:
            if not _condition_failed(error) or self.run(dataset, run_id)["status"] != "COMMITTED":
                raise

    def _claims(self, dataset: str) -> dict[tuple[str, str], int]:
        """Return how many runs one after the other have claimed each object that is not processed."""
        items = self._query(dataset, "object#")
        return {(item["key"], item["etag"]): item.get("claims", 1) for item in items if item["status"] == "IN_PROGRESS"}

    def _claim(self, lock: Lock, stored: StoredObject, claims: int) -> dict[str, Any]:
        item = {
            **_object(lock.dataset, stored),
            "run_id": lock.owner,
            "fencing_token": lock.fencing_token,
            "status": "IN_PROGRESS",
            "claims": claims,
        }
        put = self._put(item)["Put"]
        condition = {
            # What was erased may be sent again.
            "ConditionExpression": "attribute_not_exists(pk) OR #status = :replaced "
            "OR (#status = :in_progress AND fencing_token <= :token)",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": _typed(
                {":in_progress": "IN_PROGRESS", ":replaced": "REPLACED", ":token": lock.fencing_token}
            ),
        }
        return {"Put": {**put, **condition}}

    def _processed_put(self, manifest: Manifest, stored: StoredObject) -> dict[str, Any]:
        """Mark one object as processed; not one that was erased meanwhile, nor one that a later run reads."""
        condition = {
            "ConditionExpression": "fencing_token <= :token AND (#status = :in_progress OR #status = :processed)",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": _typed(
                {":in_progress": "IN_PROGRESS", ":processed": "PROCESSED", ":token": manifest.fencing_token}
            ),
        }
        return {"Put": {**self._put(_processed(manifest, stored))["Put"], **condition}}

    def _made_of(self, manifest: Manifest, day: StoredObject) -> dict[str, Any]:
        """Record a day of an input; not where a later run has recorded it."""
        run = {"run_id": manifest.run_id, "fencing_token": manifest.fencing_token}
        item = {**_key(manifest.dataset, f"input#{day.key}"), "key": day.key, "etag": day.etag, **run}
        condition = {
            "ConditionExpression": "attribute_not_exists(pk) OR fencing_token <= :token",
            "ExpressionAttributeValues": _typed({":token": manifest.fencing_token}),
        }
        return {"Put": {**self._put(item)["Put"], **condition}}

    def _settled(self, lock: Lock, key: str) -> dict[str, Any]:
        return {"Delete": {"TableName": self._table, "Key": _typed(_key(lock.dataset, _rewriting(key)))}}

    def _put(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": _typed(item)}}

    def _transact(self, items: list[dict[str, Any]]) -> None:
        """Write all items or none; a conflict with another transaction is retried."""
        for attempt in range(1, _ATTEMPTS_AT_A_CONFLICT + 1):
            try:
                self._client.transact_write_items(TransactItems=items)
                return
            except ClientError as error:
                if "TransactionConflict" not in _reasons(error) or attempt == _ATTEMPTS_AT_A_CONFLICT:
                    raise

    def _transact_where_possible(self, items: list[dict[str, Any]]) -> None:
        """As ``_transact``, without the items whose own condition does not hold."""
        while items:
            try:
                self._transact(items)
                return
            except ClientError as error:
                refused = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
                if "ConditionalCheckFailed" not in refused:
                    raise
                pairs = zip(items, refused, strict=True)
                items = [item for item, reason in pairs if reason != "ConditionalCheckFailed"]

    def _lease_end(self) -> str:
        return (self._now() + LEASE).isoformat()

    def _holder(self, dataset: str) -> Held:
        item = self._get(dataset, "lock")
        until = item.get("lease_until")
        return Held(str(item["owner"]), datetime.fromisoformat(until) if until else self._now())

    def _guarded_update(self, lock: Lock, expression: str, values: Mapping[str, Any]) -> None:
        try:
            self._client.update_item(**self._check(lock, expression, values))
        except ClientError as error:
            raise self._lost(lock, error) from error

    def _check(self, lock: Lock, expression: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return an update of the lock item that is conditional on the lock's fencing token."""
        return {
            "TableName": self._table,
            "Key": _typed(_key(lock.dataset, "lock")),
            "UpdateExpression": expression,
            "ConditionExpression": "fencing_token = :token",
            "ExpressionAttributeValues": _typed({**values, ":token": lock.fencing_token}),
        }

    def _lost(self, lock: Lock, error: ClientError) -> Exception:
        if not _condition_failed(error):
            return error
        return LeaseLost(
            f"{lock.dataset}: run {lock.owner} was taken over (its fencing token {lock.fencing_token} is old)"
        )

    def _update(
        self, dataset: str, sort: str, expression: str, condition: str, values: Mapping[str, Any]
    ) -> dict[str, Any]:
        answer = self._client.update_item(
            TableName=self._table,
            Key=_typed(_key(dataset, sort)),
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues=_typed(values),
            ReturnValues="ALL_NEW",
        )
        return _plain(answer["Attributes"])

    def _get(self, dataset: str, sort: str) -> dict[str, Any]:
        answer = self._client.get_item(TableName=self._table, Key=_typed(_key(dataset, sort)), ConsistentRead=True)
        return _plain(answer["Item"])

    def _item(self, partition: str, sort: str) -> dict[str, Any]:
        """Return an item, or an empty dict when it does not exist."""
        key = _typed({"pk": partition, "sk": sort})
        return _plain(self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {}))

    def _query(self, dataset: str, prefix: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=_typed({":pk": f"dataset#{dataset}", ":prefix": prefix}),
        )
        return [_plain(item) for page in pages for item in page["Items"]]


def _condition_failed(error: ClientError) -> bool:
    is_single = error.response["Error"]["Code"] == "ConditionalCheckFailedException"
    return is_single or "ConditionalCheckFailed" in _reasons(error)


def _reasons(error: ClientError) -> set[str]:
    """Return the cancellation reasons of a transaction; empty for any other error."""
    return {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])}


def _key(dataset: str, sort: str) -> dict[str, str]:
    return {"pk": f"dataset#{dataset}", "sk": sort}


def _object(dataset: str, stored: StoredObject) -> dict[str, Any]:
    identity = {"key": stored.key, "etag": stored.etag, "size": stored.size}
    return {**_key(dataset, f"object#{stored.key}#{stored.etag}"), **identity}


def _processed(manifest: Manifest, stored: StoredObject) -> dict[str, Any]:
    run = {"run_id": manifest.run_id, "fencing_token": manifest.fencing_token, "status": "PROCESSED"}
    return {**_object(manifest.dataset, stored), **run, **asdict(manifest.by_object[stored.key])}


def _rewriting(key: str) -> str:
    return f"object#{key}#rewriting"


def _stored(item: Mapping[str, Any]) -> StoredObject:
    return StoredObject(item["key"], item["etag"], item["size"], datetime.fromisoformat(item["arrived_at"]))


def _arrival(item: Mapping[str, Any]) -> datetime | None:
    return datetime.fromisoformat(item["arrived_at"]) if "arrived_at" in item else None


def _typed(item: Mapping[str, Any]) -> dict[str, Any]:
    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in item.items()}


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    deserializer = TypeDeserializer()
    return {name: _number(deserializer.deserialize(value)) for name, value in item.items()}


def _number(value: Any) -> Any:
    """Decimals as the whole numbers that they are, also inside maps and lists; raises ValueError for any other."""
    if isinstance(value, Decimal):
        if value != int(value):
            raise ValueError(f"{value} is no whole number; the ledger has no other")
        return int(value)
    if isinstance(value, dict):
        return {name: _number(inner) for name, inner in value.items()}
    return [_number(inner) for inner in value] if isinstance(value, list) else value
