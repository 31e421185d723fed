"""Search one data subject in raw objects, failed deliveries, rows and old object versions."""

import gzip
import io
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from pyarrow import Table, parquet
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lake.contract.model import Contract
from lake.core.s3 import StoredObject
from lake.operations.context import SparkRunContext
from lake.operations.erasure.data_subject import DataSubject
from lake.pseudonyms import spark
from lake.records import json_lines, typed

_SLICES_PER_CORE = 4
_GZIP = b"\x1f\x8b"
# In which lines of an object a subject is, from 1.
Lines = dict[StoredObject, tuple[int, ...]]
Message = Callable[[bytes], bytes]


def itself(line: bytes) -> bytes:
    """Return the line: it is the record itself."""
    return line


def without(body: bytes, numbers: Collection[int]) -> bytes:
    """Return the object with the lines ``numbers`` (from 1) emptied; the other lines keep their numbers.

    The result is compressed if ``body`` was.
    """
    lines = enumerate(_lines(body), start=1)
    text = b"\n".join(b"" if number in numbers else line for number, line in lines)
    return gzip.compress(text, mtime=0) if body.startswith(_GZIP) else text


@dataclass
class Search:
    """A search for ``subject``; ``unreadable`` are the keys of objects that could not be searched."""

    context: SparkRunContext
    subject: DataSubject
    unreadable: set[str] = field(default_factory=set)

    def lines(self, bucket: str, objects: Iterable[StoredObject], message: Message = itself) -> Lines:
        """Return the objects with the numbers (from 1) of the lines that are records of the subject.

        ``message`` returns the record from a line; a line that it raises ValueError for is searched as it is. An
        object that cannot be read, or of which such a line is, is added to ``unreadable``.
        """
        owns = self.subject.owns

        def records(lines: list[bytes]) -> Iterator[tuple[int, bytes, bool]]:
            for number, line in enumerate(lines, start=1):
                try:
                    yield number, message(line) if line.strip() else b"", True
                except ValueError:
                    yield number, line, False

        def find(stored: StoredObject) -> Iterator[tuple[StoredObject, tuple[int, ...] | None]]:
            try:
                lines = _lines(typed.body_of(bucket, stored))
            except json_lines.Broken:
                yield stored, None
                return
            found = list(records(lines))
            if not all(is_message for _, _, is_message in found):
                yield stored, None
            yield stored, tuple(number for number, record, _ in found if record.strip() and owns(record))

        found = self._in_tasks(objects, find)
        self.unreadable |= {stored.key for stored, numbers in found if numbers is None}
        return {stored: numbers for stored, numbers in found if numbers}

    def is_row(self, contract: Contract) -> Column:
        """Return the condition that a row of the dataset belongs to the subject."""
        tokens = self.subject.tokens(self.context.keys)
        return reduce(or_, (F.col(name).isin(tokens) for name in _encrypted(contract)))

    def rejected(self, contract: Contract, rows: DataFrame) -> DataFrame:
        """Return those of the rejected records ``rows`` that belong to the subject."""
        subject = self.subject
        is_theirs = F.udf(lambda payload: payload is not None and subject.owns(bytes(payload)), "boolean")
        decrypted = spark.with_payload(rows, contract, self.context.keys)
        return decrypted.filter(is_theirs("payload")).select(*rows.columns)

    def old_files(self, contract: Contract) -> list[StoredObject]:
        """Return the old versions of partition files that hold the subject."""
        place, columns = self.context.locations[contract.name], _encrypted(contract)
        tokens = set(self.subject.tokens(self.context.keys))

        def find(stored: StoredObject) -> Iterator[StoredObject]:
            table = _table(place.bucket, stored, columns)
            if any(not tokens.isdisjoint(table[name].to_pylist()) for name in columns):
                yield stored

        return self._in_tasks(self.context.storage.old_versions(place), find)

    def old_rejected(self, contract: Contract) -> list[StoredObject]:
        """Return the old versions of the quarantine table's files that hold the subject."""
        place = self.context.locations[contract.quarantine().name]
        versions = list(self.context.storage.old_versions(place))

        def encrypted(number: int) -> Iterator[tuple[int, int, str]]:
            for row in _table(place.bucket, versions[number], ["key_version", "encrypted_payload"]).to_pylist():
                yield number, row["key_version"], row["encrypted_payload"]

        rows = self._in_tasks(range(len(versions)), encrypted)
        if not rows:
            return []
        frame = self.context.spark.createDataFrame(rows, "number int, key_version int, encrypted_payload string")
        numbers = self.rejected(contract, frame).select("number").distinct().collect()
        return [versions[row["number"]] for row in numbers]

    def _in_tasks(self, items: Iterable[Any], find: Callable[[Any], Iterator[Any]]) -> list[Any]:
        listed, context = list(items), self.context.spark.sparkContext
        if not listed:
            return []
        slices = min(len(listed), context.defaultParallelism * _SLICES_PER_CORE)
        return context.parallelize(listed, slices).flatMap(find).collect()


def _encrypted(contract: Contract) -> list[str]:
    return [column.stored_name for column in contract.encrypted]


def _lines(body: bytes) -> list[bytes]:
    """All lines, whatever the object's name says of its compression; raises Broken."""
    return json_lines.unpacked(body, ".gz" if body.startswith(_GZIP) else "").split(b"\n")


def _table(bucket: str, stored: StoredObject, columns: list[str]) -> Table:
    return parquet.read_table(io.BytesIO(typed.body_of(bucket, stored)), columns=columns)
