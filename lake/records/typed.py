"""Read raw objects into DataFrames of typed rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import boto3
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from lake.contract import times
from lake.contract.model import Column, Contract
from lake.core.errors import ContractError, RawObjectUnreadable
from lake.core.s3 import Storage, StoredObject, Suspect
from lake.records import arrow_lines, drift, guarded, json_lines
from lake.records.arrow_lines import Parsed
from lake.records.received import Received

LINEAGE = (
    "source_object string, source_line bigint, arrived_at timestamp, payload binary, reasons array<string>, "
    "drift array<string>"
)
# In Java ``$`` also stands before a last line end.
_TIME = rf"^{times.FORM}\z"
_SLICES_PER_CORE = 4


def read_raw(
    spark: SparkSession,
    source: Contract,
    bucket: str,
    objects: list[StoredObject],
    received: Received | None = None,
) -> DataFrame:
    """Return one row for each record: lineage, the raw line as ``payload``, the reader's findings, the columns.

    ``bucket`` holds the ``objects``; a version that is given is read, else the current one. ``received`` is told what
    each of them holds, which needs their keys to be different. The job raises
    RawObjectUnreadable when Spark computes the rows and an object cannot be read.
    """
    return of_records(spark, source, objects, lambda stored: body_of(bucket, stored), received)


def of_records(
    spark: SparkSession,
    source: Contract,
    objects: list[StoredObject],
    body_of: Callable[[StoredObject], bytes],
    received: Received | None = None,
) -> DataFrame:
    """Return the rows of ``read_raw`` for objects whose bytes come from ``body_of``, which runs in Spark's tasks."""
    columns, schema = source.stored, f"{LINEAGE}, {source.ddl}"
    slices = max(1, min(len(objects), spark.sparkContext.defaultParallelism * _SLICES_PER_CORE))
    types = to_arrow_schema(spark.createDataFrame([], schema).schema)
    # Every task gets large and small ones.
    dealt = sorted(objects, key=lambda stored: (-stored.size, stored.key))
    shared = spark.sparkContext.broadcast([dealt[number::slices] for number in range(slices)])

    def read(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            for stored in (stored for number in batch.column(0).to_pylist() for stored in shared.value[number]):
                shapes: Counter[tuple[str, ...]] = Counter()
                for block in _blocks(stored, columns, body_of):
                    drift.add(shapes, {(): len(block.lines)} if block.drift is None else Counter(block.drift))
                    yield _batch(stored, block, types)
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
        pa.array(block.lines, pa.int64()),
        pa.repeat(pa.scalar(stored.modified, pa.timestamp("us", "UTC")), number),
        pa.array(block.payloads, pa.binary()),
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


@cache
def _storage() -> Storage:
    """Return the S3 client of the task's process: creating one takes longer than reading a small object."""
    return Storage(boto3.client("s3"))


def body_of(bucket: str, stored: StoredObject) -> bytes:
    """Return the bytes of an object of ``bucket``, read in a task; raises RawObjectUnreadable with the cause."""
    try:
        return _storage().read(bucket, stored.key, stored.version)
    except (BotoCoreError, ClientError) as error:
        raise RawObjectUnreadable(f"s3://{bucket}/{stored.key}: {error}") from error


def with_types(frame: DataFrame, source: Contract, target: Contract) -> DataFrame:
    """Convert text to the target's types; a text that cannot be converted adds the reason ``type:<column>``.

    Only text of the form ``times.FORM`` becomes a timestamp; without a zone it is UTC, as a page of a raw dataset says,
    and of its fraction six digits count. Raises ContractError when source and target want any other conversion.
    """
    kept = {column.name: column.physical_type for column in target.columns}
    for column in source.stored:
        wanted = kept.get(column.name, column.physical_type)
        if wanted == column.physical_type:
            continue
        if (column.physical_type, wanted) != ("string", "timestamp"):
            raise ContractError(f"{target.name}.{column.name}: no conversion from {column.physical_type} to {wanted}")
        frame = _with_instant(frame, column.name)
    return frame


def _with_instant(frame: DataFrame, name: str) -> DataFrame:
    text = F.col(name)
    # Spark cuts digits beyond microseconds, and does not know a zone right after the minutes.
    is_short = F.substring(text, 17, 1).isin("Z", "+", "-")
    whole = F.when(is_short, F.concat(F.substring(text, 1, 16), F.lit(":00"), F.substring(text, 17, 6))).otherwise(text)
    instant = F.when(text.rlike(_TIME), F.try_to_timestamp(whole))
    is_broken = text.isNotNull() & instant.isNull()
    reasons = F.when(is_broken, F.array_append("reasons", F.lit(f"type:{name}"))).otherwise(F.col("reasons"))
    return frame.withColumn("reasons", reasons).withColumn(name, instant)
