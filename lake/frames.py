"""Frames: raw objects to typed rows, and new rows merged with the units that they touch."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lake import raw_records
from lake.contract import Contract
from lake.errors import ContractError, RawObjectUnreadable
from lake.storage import Location, Storage, StoredObject
from lake.units import UNIT, unit_of

LINEAGE = (
    "source_object string, source_line bigint, arrived_at timestamp, payload binary, reasons array<string>, "
    "drift array<string>"
)
# Later wins; the object's key and the line make the order total, so that no result depends on Spark's order.
_VERSION = ("arrived_at", "source_object", "source_line")
_ISO_8601 = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?$"
_SLICES_PER_CORE = 4


def read_raw(spark: SparkSession, source: Contract, bucket: str, objects: list[StoredObject]) -> DataFrame:
    """One row a record of the objects: lineage, the raw line as ``payload``, what the door said, then the columns."""
    return of_records(spark, source, objects, lambda stored: body_of(bucket, stored))


def of_records(
    spark: SparkSession, source: Contract, objects: list[StoredObject], body_of: Callable[[StoredObject], bytes]
) -> DataFrame:
    """The same of objects whose bytes come from elsewhere."""
    columns = source.stored

    def records(stored: StoredObject) -> Iterator[tuple[Any, ...]]:
        for record in raw_records.read(body_of(stored), stored.key, columns):
            values = record.values or (None,) * len(columns)
            payload = bytearray(record.payload)
            yield (stored.key, record.line, stored.modified, payload, record.reasons, list(record.drift), *values)

    slices = max(1, min(len(objects), spark.sparkContext.defaultParallelism * _SLICES_PER_CORE))
    rows = spark.sparkContext.parallelize(objects, slices).flatMap(records)
    return spark.createDataFrame(rows, f"{LINEAGE}, {source.ddl}", verifySchema=False)


@cache
def _storage() -> Storage:
    """That of the process of a task: a client takes longer to make than a small object to read."""
    return Storage(boto3.client("s3"))


def body_of(bucket: str, stored: StoredObject) -> bytes:
    """The bytes of an object, read in a task; raises RawObjectUnreadable."""
    try:
        return _storage().read(bucket, stored.key, stored.version)
    except (BotoCoreError, ClientError) as error:
        raise RawObjectUnreadable(f"s3://{bucket}/{stored.key}: {error}") from error


def with_types(frame: DataFrame, source: Contract, target: Contract) -> DataFrame:
    """Convert text to the target's types; a text that is none adds the reason ``type:<column>``."""
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
    """ISO 8601 only; a time without a zone is UTC, as the raw contracts say."""
    text = F.col(name)
    instant = F.when(text.rlike(_ISO_8601), F.try_to_timestamp(text))
    is_broken = text.isNotNull() & instant.isNull()
    reasons = F.when(is_broken, F.array_append("reasons", F.lit(f"type:{name}"))).otherwise(F.col("reasons"))
    return frame.withColumn("reasons", reasons).withColumn(name, instant)


def stored_rows(frame: DataFrame, contract: Contract) -> DataFrame:
    """The contract's stored columns, in order and typed, and the row's unit."""
    columns = [F.col(column.stored_name).cast(column.stored_type) for column in contract.stored]
    return frame.select(*columns).withColumn(UNIT, unit_of(contract))


def read_units(spark: SparkSession, contract: Contract, location: Location, keys: list[str]) -> DataFrame:
    """The rows of these units as ``stored_rows`` shapes them."""
    if not keys:
        return stored_rows(spark.createDataFrame([], contract.ddl), contract)
    frame = spark.read.schema(contract.ddl).parquet(*(f"s3://{location.bucket}/{key}" for key in keys))
    return stored_rows(frame, contract)


def merged(existing: DataFrame, incoming: DataFrame, contract: Contract) -> DataFrame:
    """The latest version of each key, with ``changed`` and counts ``new``, ``replaced``, ``duplicate``."""
    versions = existing.withColumn("was_there", F.lit(True)).unionByName(incoming.withColumn("was_there", F.lit(False)))
    columns = [column.stored_name for column in contract.stored]
    winner = F.max_by(F.struct(*columns, UNIT, "was_there"), F.struct(*_VERSION, "was_there"))
    per_key = versions.groupBy(*(column.stored_name for column in contract.key)).agg(
        winner.alias("winner"),
        F.max_by(_content(contract), F.struct(*_VERSION, "was_there")).alias("content"),
        F.max(F.when(F.col("was_there"), _content(contract))).alias("content_before"),
        F.max("was_there").alias("existed"),
        F.count(F.when(~F.col("was_there"), 1)).alias("incoming"),
    )
    return _counted(per_key)


def _counted(per_key: DataFrame) -> DataFrame:
    changed = ~F.col("winner.was_there")
    new = (~F.col("existed")).cast("bigint")
    is_other = ~F.col("content").eqNullSafe(F.col("content_before"))
    replaced = (F.col("existed") & changed & is_other).cast("bigint")
    return per_key.select(
        "winner.*",
        changed.alias("changed"),
        new.alias("new"),
        replaced.alias("replaced"),
        (F.col("incoming") - new - replaced).alias("duplicate"),
    ).drop("was_there")


def _content(contract: Contract) -> Column:
    """What a record says, without where it came from."""
    said = [column.stored_name for column in contract.stored if "lineage" not in column.tags]
    return F.xxhash64(*said)
