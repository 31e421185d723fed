"""S3, DynamoDB, Glue and CloudWatch in memory, as far as a run uses them: thousands of runs in seconds.

Each request goes through a wire. What AWS does with conditions is checked against the local AWS by the tests that run
the same cases there.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError, ConnectionClosedError
from pyspark.sql import SparkSession

from lake.core.s3 import Location, Storage
from lake.pseudonyms import keys
from lake.runs.bounds import Bounds
from lake.runs.context import RunContext
from lake.runs.ledger import Ledger
from lake.runs.metrics import Metrics
from lake.tables.catalog import Catalog
from tests.place import QUARANTINE, RUNS, SECRET, SOURCE, TARGET
from tests.plain_work import RAW
from tests.wire import Wire

NO_SPARK = cast(SparkSession, None)
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
# One call after the other, so that each can be the one that breaks.
ONE_BY_ONE = Bounds(step=1, at_once=1)

_ATTEMPTS_OF_THE_SDK = 3
Item = dict[str, Any]


class Memory:
    """What AWS holds."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.objects: dict[str, Item] = {}
        self.items: dict[tuple[str, str], Item] = {}
        self.partitions: dict[str, set[str]] = {}


class Client:
    """One boto3 client. The SDK repeats a call whose connection broke."""

    def __init__(self, memory: Memory, wire: Wire) -> None:
        self.memory, self._wire = memory, wire

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = "".join(word.capitalize() for word in name.split("_"))
        method = type(self).__dict__["do_" + name]
        return lambda **request: self._call(operation, lambda: self._sent(method, request))

    def _sent(self, method: Callable[..., Any], request: Item) -> Any:
        """There is one bucket and one table, and who reads the table wants what is true now."""
        names = [request.get("Bucket", "bucket"), request.get("TableName", "ledger")]
        if names != ["bucket", "ledger"] and type(self) in (S3, DynamoDb):
            raise refused(404, "ResourceNotFound")
        return method(self, **request)

    def _call(self, operation: str, send: Callable[[], Any]) -> Any:
        for _ in range(_ATTEMPTS_OF_THE_SDK - 1):
            try:
                return self._wire.through(operation, send)
            except ConnectionClosedError:
                continue
        return self._wire.through(operation, send)

    def get_paginator(self, name: str) -> "Pages":
        return Pages(getattr(self, name))


class Pages:
    """A paginator whose first page is the last."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def paginate(self, **request: Any) -> Iterable[Any]:
        return [self._call(**request)]


def refused(status: int, code: str, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(answer, "")


class S3(Client):
    """One bucket."""

    def do_put_object(self, Key: str, Body: bytes, Bucket: str = "", Metadata: Any = None) -> Item:  # noqa: N803 - as boto3 has it
        etag = hashlib.md5(Body, usedforsecurity=False).hexdigest()
        stored = {"ETag": f'"{etag}"', "Bytes": Body, "LastModified": self.memory.now(), "Metadata": Metadata or {}}
        self.memory.objects[Key] = stored
        return {"ETag": f'"{etag}"'}

    def do_get_object(self, Key: str, Bucket: str = "") -> Item:  # noqa: N803 - as boto3 has it
        if Key not in self.memory.objects:
            raise refused(404, "NoSuchKey")
        body = self.memory.objects[Key]["Bytes"]
        return {"Body": type("Body", (), {"read": lambda _self: body})()}

    def do_head_object(self, Key: str, Bucket: str = "") -> Item:  # noqa: N803 - as boto3 has it
        if Key not in self.memory.objects:
            raise refused(404, "404")
        return self.memory.objects[Key]

    def do_list_objects_v2(self, Prefix: str, Bucket: str = "") -> Item:  # noqa: N803 - as boto3 has it
        found = sorted((key, entry) for key, entry in self.memory.objects.items() if key.startswith(Prefix))
        return {"Contents": [{"Key": key, "Size": len(entry["Bytes"]), **entry} for key, entry in found]}

    def do_copy_object(
        self,
        Key: str,  # noqa: N803 - as boto3 has it
        CopySource: Item,  # noqa: N803 - as boto3 has it
        Metadata: Any,  # noqa: N803 - as boto3 has it
        IfNoneMatch: str = "",  # noqa: N803 - as boto3 has it
        IfMatch: str = "",  # noqa: N803 - as boto3 has it
        **_named: Any,
    ) -> Item:
        body, present = self.do_get_object(CopySource["Key"])["Body"].read(), self.memory.objects.get(Key)
        if IfMatch and not present:
            raise refused(404, "NoSuchKey")
        if (IfNoneMatch and present) or (IfMatch and present and present["ETag"].strip('"') != IfMatch):
            raise refused(412, "PreconditionFailed")
        return {"CopyObjectResult": self.do_put_object(Key, body, Metadata=Metadata)}


class DynamoDb(Client):
    """One table with the key pk, sk."""

    def do_get_item(self, Key: Item, ConsistentRead: bool, **_more: Any) -> Item:  # noqa: N803 - as boto3 has it
        assert ConsistentRead, "an eventually consistent read of the ledger"
        return {"Item": _typed(self.memory.items[_identity(Key)])}

    def do_put_item(self, Item: Item, **_more: Any) -> Item:  # noqa: N803 - as boto3 has it
        self.memory.items[_identity(Item)] = _plain(Item)
        return {}

    def do_query(self, ExpressionAttributeValues: Item, ConsistentRead: bool, **_more: Any) -> Item:  # noqa: N803 - as boto3 has it
        assert ConsistentRead, "an eventually consistent read of the ledger"
        wanted = _plain(ExpressionAttributeValues)
        found = sorted(
            key for key in self.memory.items if key[0] == wanted[":pk"] and key[1].startswith(wanted[":prefix"])
        )
        return {"Items": [_typed(self.memory.items[key]) for key in found]}

    def do_update_item(self, **request: Any) -> Item:
        if not self._holds(request):
            raise refused(400, "ConditionalCheckFailedException")
        return {"Attributes": _typed(self._update(request))}

    def do_transact_write_items(self, TransactItems: list[Item]) -> Item:  # noqa: N803 - as boto3 has it
        requests = [(kind, request) for entry in TransactItems for kind, request in entry.items()]
        holding = [self._holds(request) for _, request in requests]
        if not all(holding):
            reasons = [{"Code": "None" if holds else "ConditionalCheckFailed"} for holds in holding]
            raise refused(400, "TransactionCanceledException", CancellationReasons=reasons)
        for kind, request in requests:
            if kind == "Put":
                self.do_put_item(request["Item"])
            else:
                self._update(request)
        return {}

    def _holds(self, request: Item) -> bool:
        """Evaluate the condition: comparisons, attribute_not_exists, AND, OR and parentheses are all that a run has."""
        condition = request.get("ConditionExpression")
        item = self.memory.items.get(_identity(request.get("Key") or request["Item"]), {})
        return condition is None or bool(eval(_python(condition), {"item": Attributes(item)}, _names(request)))  # noqa: S307

    def _update(self, request: Item) -> Item:
        key, names = request["Key"], _names(request)
        item = self.memory.items.setdefault(_identity(key), _plain(key))
        for clause in re.split(r" (?=ADD|REMOVE)", request["UpdateExpression"]):
            word, _, rest = clause.partition(" ")
            for part in rest.split(", "):
                if word == "SET":
                    name, _, value = part.partition(" = ")
                    item[_attribute(name, request)] = names[value.replace(":", "v_")]
                elif word == "ADD":
                    name, _, value = part.partition(" ")
                    item[name] = item.get(name, 0) + names[value.replace(":", "v_")]
                else:
                    item.pop(part, None)
        return item


class Attributes:
    """An item in a condition: what is missing is smaller, larger and equal to nothing."""

    def __init__(self, item: Item) -> None:
        self._item = item

    def has(self, name: str) -> bool:
        return name in self._item

    def compare(self, name: str, operator: str, value: Any) -> bool:
        if name not in self._item:
            return False
        mine = self._item[name]
        return bool({"=": mine == value, "<": mine < value, "<=": mine <= value}[operator])


def _python(condition: str) -> str:
    text = re.sub(r"attribute_not_exists\(#?(\w+)\)", r"not item.has('\1')", condition)
    text = re.sub(r"(#?\w+) (<=|<|=) :(\w+)", _comparison, text)
    return text.replace(" OR ", " or ").replace(" AND ", " and ")


def _comparison(match: re.Match[str]) -> str:
    name, operator, value = match.groups()
    return f"item.compare('{name.lstrip('#')}', '{operator}', v_{value})"


def _names(request: Item) -> Item:
    return {
        name.replace(":", "v_"): value for name, value in _plain(request.get("ExpressionAttributeValues", {})).items()
    }


def _attribute(name: str, request: Item) -> str:
    return str(request.get("ExpressionAttributeNames", {}).get(name, name))


def _identity(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _typed(item: Item) -> Item:
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}


def _plain(item: Item) -> Item:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


class Glue(Client):
    """A catalog that has every table."""

    def do_get_table(self, **_named: Any) -> Item:
        return {"Table": {"StorageDescriptor": {"Location": "s3://bucket/"}}}

    def do_batch_create_partition(self, TableName: str, PartitionInputList: list[Item], **_named: Any) -> Item:  # noqa: N803 - as boto3 has it
        known = self.memory.partitions.setdefault(TableName, set())
        folders = [entry["StorageDescriptor"]["Location"] for entry in PartitionInputList]
        errors = [{"ErrorDetail": {"ErrorCode": "AlreadyExistsException"}} for folder in folders if folder in known]
        known.update(folders)
        return {"Errors": errors}


class CloudWatch(Client):
    """Metrics that nobody reads."""

    def do_put_metric_data(self, **_named: Any) -> Item:
        return {}


class Clock:
    """A clock that only tests move."""

    shift = timedelta()

    def __call__(self) -> datetime:
        return START + self.shift


class MemoryPlace:
    """A lake in memory, for works that need no Spark."""

    def __init__(self, secret: str = SECRET, bounds: Bounds = ONE_BY_ONE) -> None:
        self.clock = Clock()
        self.memory = Memory(self.clock)
        self.keys = keys.key_versions(secret)
        self.bounds = bounds
        self.lake = self.lake_on(Wire())

    def lake_on(self, wire: Wire) -> RunContext:
        """The lake as a process sees it whose calls go through this wire."""
        return RunContext(
            storage=Storage(S3(self.memory, wire)),
            ledger=Ledger(DynamoDb(self.memory, wire), "ledger", self.clock),
            catalog=Catalog(Glue(self.memory, wire), "lake"),
            metrics=Metrics(CloudWatch(self.memory, wire), "test-lake", "memory", self.clock),
            locations={each.name: Location("bucket", f"{each.path}/") for each in (SOURCE, TARGET, QUARANTINE, RUNS)},
            staging=Location("bucket", "staging/"),
            manifests=Location("bucket", "ops/manifests/"),
            keys=self.keys,
            code_version="test",
            now=self.clock,
            bounds=self.bounds,
        )

    def put(self, name: str, *lines: str) -> None:
        """One raw object; each arrives a second after the one before."""
        self.clock.shift += timedelta(seconds=1)
        self.lake.storage.put("bucket", f"{RAW}{name}", "\n".join(lines).encode())
