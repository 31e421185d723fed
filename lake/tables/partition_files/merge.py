"""Merge new rows with the rows of the partition files that they touch."""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lake.contract.model import Contract
from lake.core.s3 import Location
from lake.tables.partition_files.file_names import FILE, file_of

UNIT = "unit"
# Later wins; the object's key and the line make the order total, so that no result depends on Spark's order.
VERSION = ("arrived_at", "source_object", "source_line")


def stored_rows(frame: DataFrame, contract: Contract) -> DataFrame:
    """Return the rows with the contract's stored columns, in order and typed, and their partition file."""
    columns = [F.col(column.stored_name).cast(column.stored_type) for column in contract.stored]
    return frame.select(*columns).withColumn(FILE, file_of(contract))


def nested(contract: Contract) -> Column:
    """Return the contract's stored columns, in order and typed, as one column."""
    columns = [F.col(column.stored_name).cast(column.stored_type) for column in contract.stored]
    return F.struct(*(each.alias(column.stored_name) for each, column in zip(columns, contract.stored, strict=True)))


def unit(contract: Contract) -> Column:
    """Return what a task merges at once: dataset and partition file of a row, ``curated_weather/2026-11-20_h13``."""
    return F.concat_ws("/", F.lit(contract.name), file_of(contract))


def units(rows: DataFrame, contract: Contract) -> DataFrame:
    """Return ``stored_rows`` of one dataset with their ``unit``, each as one column with the dataset's name."""
    file = F.concat_ws("/", F.lit(contract.name), F.col(FILE))
    return rows.select(file.alias(UNIT), nested(contract).alias(contract.name))


def read_files(spark: SparkSession, contract: Contract, location: Location, keys: list[str]) -> DataFrame:
    """Return the rows of the partition files with these ``keys``, in the shape of ``stored_rows``; none for no keys."""
    if not keys:
        return stored_rows(spark.createDataFrame([], contract.ddl), contract)
    frame = spark.read.schema(contract.ddl).parquet(*(f"s3://{location.bucket}/{key}" for key in keys))
    return stored_rows(frame, contract)


def merged(existing: DataFrame, incoming: DataFrame, contract: Contract) -> DataFrame:
    """Return the latest version of each key, with ``changed`` and the counts ``new``, ``replaced``, ``duplicate``.

    ``changed`` is true where the version is an incoming one. ``new`` and ``replaced`` are 0 or 1, ``duplicate`` counts
    the other incoming rows of the key. The three add up to the key's incoming rows.
    """
    versions = existing.withColumn("was_there", F.lit(True)).unionByName(incoming.withColumn("was_there", F.lit(False)))
    columns = [column.stored_name for column in contract.stored]
    winner = F.max_by(F.struct(*columns, FILE, "was_there"), F.struct(*VERSION, "was_there"))
    per_key = versions.groupBy(*(column.stored_name for column in contract.key)).agg(
        winner.alias("winner"),
        F.max_by(_content(contract), F.struct(*VERSION, "was_there")).alias("content"),
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
    """Return the content columns of a record, without lineage."""
    said = [column.stored_name for column in contract.stored if "lineage" not in column.tags]
    return F.xxhash64(*said)
