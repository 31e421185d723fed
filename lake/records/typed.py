"""Read raw objects into DataFrames of typed rows."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from pyarrow import compute
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType, _parse_datatype_string

from lake.contract.model import Column, Contract
from lake.core.errors import ContractError, RawObjectUnreadable
from lake.core.s3 import StoredObject, Suspect, storage_of_process
from lake.records import arrow_lines, drift, guarded, json_lines
from lake.records.arrow_lines import Parsed
from lake.records.instants import instants
from lake.records.received import Received

LINEAGE = (
    "source_object string, source_line bigint, arrived_at timestamp, payload binary, reasons array<string>, "
    "drift array<string>"
)
# Each is dealt as much as the others, and costs the start of a task in two processes of Python.
_SLICES_PER_CORE = 2


def read_raw(
    spark: SparkSession,
    source: Contract,
    target: Contract,
    bucket: str,
    objects: list[StoredObject],
    received: Received | None = None,
) -> DataFrame:
    """Return one row for each record: lineage, the raw line as ``payload``, the reader's findings, the columns.

    Columns are those of ``source``, a text that is a timestamp in ``target`` as such; one that cannot be converted is
    null and the reason ``type:<column>``. ``bucket`` holds the ``objects``; a version that is given is read, else the
    current one. ``received`` is told what each of them holds, which needs their keys to be different. Raises
    ContractError when source and target want any other conversion. The job raises RawObjectUnreadable when Spark
    computes the rows and an object cannot be read.
    """
    return of_records(spark, source, target, objects, lambda stored: body_of(bucket, stored), received)


def of_records(
    spark: SparkSession,
    source: Contract,
    target: Contract,
    objects: list[StoredObject],
    body_of: Callable[[StoredObject], bytes],
    received: Received | None = None,
) -> DataFrame:
    """Return the rows of ``read_raw`` for objects whose bytes come from ``body_of``, which runs in Spark's tasks."""
    columns, converted = source.stored, _converted(source, target)
    fields = (f"`{each.name}` {'timestamp' if each.name in converted else each.physical_type}" for each in columns)
    schema = ", ".join((LINEAGE, *fields))
    slices = max(1, min(len(objects), spark.sparkContext.defaultParallelism * _SLICES_PER_CORE))
    types = to_arrow_schema(cast(StructType, _parse_datatype_string(schema)))
    # Every task gets large and small ones.
    dealt = sorted(objects, key=lambda stored: (-stored.size, stored.key))
    shared = spark.sparkContext.broadcast([dealt[number::slices] for number in range(slices)])

    def read(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            for stored in (stored for number in batch.column(0).to_pylist() for stored in shared.value[number]):
                shapes: Counter[tuple[str, ...]] = Counter()
                for block in _blocks(stored, columns, body_of):
                    drift.add(shapes, {(): len(block.lines)} if block.drift is None else Counter(block.drift))
                    yield _batch(stored, with_instants(block, columns, converted), types)
                if received is not None:
                    received.add(stored.key, shapes)

    return spark.range(slices, numPartitions=slices).mapInArrow(read, schema)


def _blocks(
    stored: StoredObject, columns: tuple[Column, ...], body_of: Callable[[StoredObject], bytes]
) -> Iterator[Parsed]:
    if stored.size > json_lines.MAXIMUM_OBJECT_BYTES:  # is not even fetched: a worker could not hold it
        return iter([arrow_lines.of_records([json_lines.of_object("too_large:object")], columns)])
    body = body_of(stored)
    if isinstance(stored, Suspect) and not guarded.is_survived(body, stored.key, columns):
        return iter([arrow_lines.of_records([json_lines.of_object("unfinished:object")], columns)])
    return arrow_lines.read(body, stored.key, columns)


def _batch(stored: StoredObject, block: Parsed, types: Any) -> Any:
    """Return the records of a block with their lineage, as Spark takes them."""
    number = len(block.lines)
    arrays = [
        pa.repeat(pa.scalar(stored.key, pa.string()), number),
        pa.array(np.asarray(block.lines, dtype=np.int64)),
        pa.repeat(pa.scalar(stored.modified, pa.timestamp("us", "UTC")), number),
        block.payloads,
        *(_lists(texts, number) for texts in (block.reasons, block.drift)),
        *block.values,
    ]
    return pa.RecordBatch.from_arrays(
        [_cast(array, field.type) for array, field in zip(arrays, types, strict=True)], schema=types
    )


def _lists(texts: Sequence[Sequence[str]] | None, number: int) -> Any:
    """Return an array of lists of text; of empty lists for no texts."""
    if texts is not None:
        return pa.array([list(each) for each in texts], pa.list_(pa.string()))
    return pa.ListArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), number + 1), pa.array([], pa.string()))


def _cast(array: Any, wanted: Any) -> Any:
    """Return the array in the type of Spark; the strict reader has a double for a float."""
    return pa.nulls(len(array), wanted) if array.null_count == len(array) else array.cast(wanted)


def body_of(bucket: str, stored: StoredObject) -> bytes:
    """Return the bytes of an object of ``bucket``, read in a task; raises RawObjectUnreadable with the cause."""
    try:
        return storage_of_process().read(bucket, stored.key, stored.version)
    except (BotoCoreError, ClientError) as error:
        raise RawObjectUnreadable(f"s3://{bucket}/{stored.key}: {error}") from error


def _converted(source: Contract, target: Contract) -> frozenset[str]:
    """Return the columns whose text becomes a timestamp; raises ContractError for any other conversion."""
    kept = {column.name: column.physical_type for column in target.columns}
    found = []
    for column in source.stored:
        wanted = kept.get(column.name, column.physical_type)
        if wanted == column.physical_type:
            continue
        if (column.physical_type, wanted) != ("string", "timestamp"):
            raise ContractError(f"{target.name}.{column.name}: no conversion from {column.physical_type} to {wanted}")
        found.append(column.name)
    return frozenset(found)


def with_instants(block: Parsed, columns: Sequence[Column], converted: Collection[str]) -> Parsed:
    """Return the records with moments for the texts of the ``converted`` columns; what is none is a reason."""
    values, reasons = list(block.values), block.reasons
    for place, column in enumerate(columns):
        if column.name in converted:
            values[place] = instants(block.values[place])
            broken = compute.and_not(block.values[place].is_valid(), values[place].is_valid())
            if compute.any(broken).as_py():
                reasons = _added(reasons, f"type:{column.name}", broken.to_pylist())
    return block._replace(values=values, reasons=reasons)


def _added(reasons: Sequence[list[str]] | None, reason: str, where: Sequence[bool]) -> Sequence[list[str]]:
    before = reasons or [[] for _ in where]
    return [[*each, reason] if is_so else each for each, is_so in zip(before, where, strict=True)]
