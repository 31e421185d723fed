"""Validate records: those that pass become rows of the table, the others rows of the quarantine table."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.contract.model import Contract
from lake.core.counts import Counts
from lake.pseudonyms import spark
from lake.pseudonyms.keys import KeyVersion
from lake.records import drift, row_by_row, rules
from lake.tables.partition_files import merge, valid_rows

NO_KEY = "key:none"


def validated(
    raw: DataFrame,
    target: Contract,
    transformation: Callable[[DataFrame], DataFrame],
    keys: Sequence[KeyVersion],
) -> DataFrame:
    """Return every record with the target's columns and the ``reasons`` why it is not good enough, if there are any.

    ``raw`` are rows of ``typed.read_raw``. ``transformation`` makes rows of the target from typed rows of the source.
    ``keys`` are the key versions that tokens are made with: a record whose event time none of them covers is not valid.
    Raises TransformationRefused unless the transformation makes one row of each.
    """
    rows = row_by_row.applied(raw, transformation, target)
    rows = rules.with_reasons(rows, target)
    return _with_key(rows, target, keys)


def _with_key(rows: DataFrame, target: Contract, keys: Sequence[KeyVersion]) -> DataFrame:
    """A good row whose identifier no key makes a token of is none: all such would be one row, of nobody."""
    if not target.encrypted:
        return rows
    identifies = F.coalesce(*(F.col(column.name) for column in target.encrypted)).isNotNull()
    lacking = (F.size("reasons") == 0) & identifies & ~spark.in_force(keys, target.publish_granularity["date"])
    return rows.withColumn("reasons", F.when(lacking, F.array(F.lit(NO_KEY))).otherwise(F.col("reasons")))


def counted(raw: DataFrame, validated_rows: DataFrame) -> tuple[dict[str, Counts], dict[str, int]]:
    """Return received and broken rules for each raw object by key, and the schema drift of all records.

    The counts of the merge are not known yet: ``new``, ``replaced`` and ``duplicate`` are 0. Received rows are counted
    before the transformation, so that rows that it drops show up as unreconciled.
    """
    received: Counter[str] = Counter()
    shapes: Counter[tuple[str, ...]] = Counter()
    for row in raw.groupBy("source_object", "drift").count().toLocalIterator():
        received[row["source_object"]] += row["count"]
        drift.add(shapes, {tuple(row["drift"]): row["count"]})
    bad = validated_rows.filter(F.size("reasons") > 0).select("source_object", "reasons")
    by_reason = bad.select("source_object", F.explode("reasons").alias("reason")).groupBy("source_object", "reason")
    reasons: dict[str, dict[str, int]] = defaultdict(dict)
    for key, reason, number in sorted(by_reason.count().collect()):
        reasons[key][reason] = number
    quarantined = _by_object(bad)
    by_object = {key: Counts(rows, 0, 0, 0, quarantined.get(key, 0), reasons[key]) for key, rows in received.items()}
    return by_object, drift.found(shapes)


def _by_object(rows: DataFrame) -> dict[str, int]:
    return {row["source_object"]: row["count"] for row in rows.groupBy("source_object").count().collect()}


def accepted(validated_rows: DataFrame, target: Contract, keys: tuple[KeyVersion, ...], run_id: str) -> DataFrame:
    """Return the valid rows of ``validated`` as the table stores them, with tokens made with ``keys``.

    ``run_id`` becomes a column of each.
    """
    good = validated_rows.filter(F.size("reasons") == 0).withColumn("run_id", F.lit(run_id))
    return merge.stored_rows(spark.with_tokens(good, target, keys, target.publish_granularity["date"]), target)


def judged(
    validated_rows: DataFrame,
    target: Contract,
    schedule: tuple[KeyVersion, ...],
    keys: tuple[KeyVersion, ...],
    run_id: str,
) -> DataFrame:
    """Return every row of ``validated`` as what becomes of it, in the shape of ``staging.staged_each``.

    Valid rows are those of the target as ``accepted`` makes them, with tokens of the ``schedule``, packed; a row with
    reasons is one of the quarantine, as ``rejected`` makes it, encrypted with ``keys``. No row is filtered: Spark would
    compute all rules twice.
    """
    is_bad = F.size("reasons") > 0
    stored = (F.col(each.name).cast(each.stored_type) for each in valid_rows.columns(target))
    rows = validated_rows.select(
        *(F.when(is_bad, F.col(name)) for name in ("reasons", "payload")),
        *stored,
    )
    apart = rows.mapInArrow(valid_rows.setting_apart(target, schedule, keys, run_id), valid_rows.APART)
    quarantine, is_packed = target.quarantine(), F.col("packed").isNotNull()
    apart = spark.encrypted(apart).withColumns({"contract_version": F.lit(target.version), "run_id": F.lit(run_id)})
    return apart.select(
        F.when(is_packed, F.col(merge.UNIT)).otherwise(merge.unit(quarantine)).alias(merge.UNIT),
        F.col("packed").alias(target.name),
        F.when(~is_packed, merge.nested(quarantine)).alias(quarantine.name),
    )


def rejected(validated_rows: DataFrame, target: Contract, keys: tuple[KeyVersion, ...], run_id: str) -> DataFrame:
    """Return the rejected rows as the quarantine table stores them: reasons in clear, the record encrypted.

    ``keys`` are the versions to encrypt with, chosen by the time of arrival. ``run_id`` becomes a column of each.
    """
    bad = (
        validated_rows.filter(F.size("reasons") > 0)
        .select("source_object", "source_line", "arrived_at", "payload", "reasons")
        .withColumn("contract_version", F.lit(target.version))
        .withColumn("run_id", F.lit(run_id))
    )
    return merge.stored_rows(spark.with_encrypted_payload(bad, target, keys, "arrived_at"), target.quarantine())
