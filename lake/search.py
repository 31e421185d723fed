"""Where one subject is stored: lines of raw and refused objects, rows and rejected records in old versions of units."""

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

from lake import frames, privacy, raw_records
from lake.contract import Contract
from lake.data_subject import DataSubject
from lake.run import Lake
from lake.storage import StoredObject

_SLICES_PER_CORE = 4
_GZIP = b"\x1f\x8b"
# In which lines of an object a subject is, from 1.
Lines = dict[StoredObject, tuple[int, ...]]
Message = Callable[[bytes], bytes]


def itself(line: bytes) -> bytes:
    """A line that is the record."""
    return line


def without(body: bytes, numbers: Collection[int]) -> bytes:
    """The object with these lines empty; all others keep their numbers."""
    lines = enumerate(_lines(body), start=1)
    text = b"\n".join(b"" if number in numbers else line for number, line in lines)
    return gzip.compress(text, mtime=0) if body.startswith(_GZIP) else text


@dataclass
class Search:
    """A search for ``subject``. ``unreadable`` are the keys of objects that are too broken to be searched."""

    lake: Lake
    subject: DataSubject
    unreadable: set[str] = field(default_factory=set)

    def lines(self, bucket: str, objects: Iterable[StoredObject], message: Message = itself) -> Lines:
        """The objects with a line whose ``message`` is a record of the subject."""
        owns = self.subject.owns

        def find(stored: StoredObject) -> Iterator[tuple[StoredObject, tuple[int, ...] | None]]:
            try:
                lines = _lines(frames.body_of(bucket, stored))
            except raw_records.Broken:
                yield stored, None
                return
            yield stored, tuple(n for n, line in enumerate(lines, start=1) if line.strip() and owns(message(line)))

        found = self._in_tasks(objects, find)
        self.unreadable |= {stored.key for stored, numbers in found if numbers is None}
        return {stored: numbers for stored, numbers in found if numbers}

    def is_row(self, contract: Contract) -> Column:
        """The condition of a row of the dataset that is the subject's."""
        tokens = self.subject.tokens(self.lake.keys)
        return reduce(or_, (F.col(name).isin(tokens) for name in _encrypted(contract)))

    def rejected(self, contract: Contract, rows: DataFrame) -> DataFrame:
        """The rejected records of the dataset among ``rows`` that are the subject's."""
        subject = self.subject
        is_theirs = F.udf(lambda payload: payload is not None and subject.owns(bytes(payload)), "boolean")
        opened = privacy.with_payload(rows, contract, self.lake.keys)
        return opened.filter(is_theirs("payload")).select(*rows.columns)

    def old_units(self, contract: Contract) -> list[StoredObject]:
        """Old versions of the dataset's units that hold the subject."""
        place, columns = self.lake.locations[contract.name], _encrypted(contract)
        tokens = set(self.subject.tokens(self.lake.keys))

        def find(stored: StoredObject) -> Iterator[StoredObject]:
            table = _table(place.bucket, stored, columns)
            if any(not tokens.isdisjoint(table[name].to_pylist()) for name in columns):
                yield stored

        return self._in_tasks(self.lake.storage.old_versions(place), find)

    def old_rejected(self, contract: Contract) -> list[StoredObject]:
        """Old versions of the units of the dataset's quarantine that hold the subject."""
        place = self.lake.locations[contract.quarantine().name]
        versions = list(self.lake.storage.old_versions(place))

        def sealed(number: int) -> Iterator[tuple[int, int, str]]:
            for row in _table(place.bucket, versions[number], ["key_version", "sealed_payload"]).to_pylist():
                yield number, row["key_version"], row["sealed_payload"]

        rows = self._in_tasks(range(len(versions)), sealed)
        if not rows:
            return []
        frame = self.lake.spark.createDataFrame(rows, "number int, key_version int, sealed_payload string")
        numbers = self.rejected(contract, frame).select("number").distinct().collect()
        return [versions[row["number"]] for row in numbers]

    def _in_tasks(self, items: Iterable[Any], find: Callable[[Any], Iterator[Any]]) -> list[Any]:
        listed, context = list(items), self.lake.spark.sparkContext
        if not listed:
            return []
        slices = min(len(listed), context.defaultParallelism * _SLICES_PER_CORE)
        return context.parallelize(listed, slices).flatMap(find).collect()


def _encrypted(contract: Contract) -> list[str]:
    return [column.stored_name for column in contract.encrypted]


def _lines(body: bytes) -> list[bytes]:
    """All lines, whatever the object's name says of its compression; raises Broken."""
    return raw_records.unpacked(body, ".gz" if body.startswith(_GZIP) else "").split(b"\n")


def _table(bucket: str, stored: StoredObject, columns: list[str]) -> Table:
    return parquet.read_table(io.BytesIO(frames.body_of(bucket, stored)), columns=columns)
