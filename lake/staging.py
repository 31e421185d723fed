"""Staging: judged records become units, written where no reader looks and checked before they are published."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lake import drift, frames, parquet, privacy, rules, units
from lake.contract import Contract
from lake.errors import CountsDoNotAdd
from lake.manifest import Counts, UnitChange
from lake.privacy import KeyVersion
from lake.storage import Location, Storage
from lake.units import UNIT


@dataclass(frozen=True)
class Area:
    """Where one run stages: below ``location``, in a folder of its own."""

    spark: SparkSession
    storage: Storage
    location: Location
    locations: dict[str, Location]
    run_id: str

    def folder(self, dataset: str) -> Location:
        """The run's staging folder of a dataset."""
        return Location(self.location.bucket, f"{self.location.prefix}{dataset}/{self.run_id}/")


class Staged(NamedTuple):
    """What publishing would change, and the counts of incoming rows."""

    changes: tuple[UnitChange, ...]
    new: int
    replaced: int
    duplicate: int


def judged(
    raw: DataFrame, source: Contract, target: Contract, transformation: Callable[[DataFrame], DataFrame]
) -> DataFrame:
    """Every record with the target's columns and the ``reasons`` why it is not good enough."""
    return rules.with_reasons(frames.with_types(raw, source, target).transform(transformation), target)


def counted(raw: DataFrame, judged_rows: DataFrame) -> Counts:
    """What was received, how its fields drift and what broke a rule; new, replaced and duplicate are not known yet.

    Received is counted before the transformation: what that loses must be missed.
    """
    shapes = {tuple(row["drift"]): row["count"] for row in raw.groupBy("drift").count().collect()}
    quarantined = judged_rows.filter(F.size("reasons") > 0).count()
    by_reason = judged_rows.select(F.explode("reasons").alias("reason")).groupBy("reason").count().collect()
    reasons = {row["reason"]: row["count"] for row in sorted(by_reason)}
    return Counts(sum(shapes.values()), 0, 0, 0, quarantined, reasons, drift.found(shapes))


def worst_objects(judged_rows: DataFrame, number: int) -> list[str]:
    """The keys of the raw objects with most bad records, worst first."""
    bad = judged_rows.filter(F.size("reasons") > 0).groupBy("source_object").count()
    return [row["source_object"] for row in bad.orderBy(F.desc("count"), "source_object").limit(number).collect()]


def accepted(judged_rows: DataFrame, target: Contract, keys: tuple[KeyVersion, ...], run_id: str) -> DataFrame:
    """The good rows, pseudonymised, as they will be stored."""
    good = judged_rows.filter(F.size("reasons") == 0).withColumn("run_id", F.lit(run_id))
    return frames.stored_rows(privacy.with_tokens(good, target, keys, target.unit["date"]), target)


def rejected(judged_rows: DataFrame, target: Contract, keys: tuple[KeyVersion, ...], run_id: str) -> DataFrame:
    """The bad rows as the quarantine stores them: reasons in clear, the record itself sealed."""
    bad = (
        judged_rows.filter(F.size("reasons") > 0)
        .select("source_object", "source_line", "arrived_at", "payload", "reasons")
        .withColumn("contract_version", F.lit(target.version))
        .withColumn("run_id", F.lit(run_id))
    )
    return frames.stored_rows(privacy.with_sealed_payload(bad, target, keys, "arrived_at"), target.quarantine())


def staged(area: Area, contract: Contract, incoming: DataFrame) -> Staged:
    """Merge ``incoming`` with the units it touches and write those that change to the staging folder."""
    location = area.locations[contract.name]
    incoming = incoming.persist()
    touched = sorted(row[UNIT] for row in incoming.select(UNIT).distinct().collect())
    before = {unit: area.storage.etag(location.bucket, units.object_key(location.prefix, unit)) for unit in touched}
    present = [units.object_key(location.prefix, unit) for unit in touched if before[unit]]
    existing = frames.read_units(area.spark, contract, location, present)
    merged = frames.merged(existing, incoming, contract).persist()
    try:
        sums = (F.coalesce(F.sum(name), F.lit(0)) for name in ("new", "replaced", "duplicate"))
        totals = merged.agg(*sums).collect()[0]
        rows = _rows_of_changed_units(merged)
        _write(area, contract, merged, rows)
    finally:
        merged.unpersist()
        incoming.unpersist()
    changes = tuple(_change(area, contract, unit, before[unit], rows[unit]) for unit in sorted(rows))
    return Staged(changes, *totals)


def _rows_of_changed_units(merged: DataFrame) -> dict[str, int]:
    per_unit = merged.groupBy(UNIT).agg(F.count("*").alias("rows"), F.max("changed").alias("changed"))
    return {row[UNIT]: row["rows"] for row in per_unit.filter("changed").collect()}


def _write(area: Area, contract: Contract, merged: DataFrame, rows: dict[str, int]) -> None:
    """One object a unit, sorted by key so that a reader of one key skips most of it.

    Raises CountsDoNotAdd unless each unit was written once, with the expected rows.
    """
    if not rows:
        return
    columns = [column.stored_name for column in contract.stored]
    key = [column.stored_name for column in contract.key]
    changed = merged.filter(F.col(UNIT).isin(*rows)).select(UNIT, *columns)
    in_units = changed.repartition(F.col(UNIT)).sortWithinPartitions(UNIT, *key)
    write = parquet.writer(area.folder(contract.name))
    written = [tuple(row) for row in in_units.mapInArrow(write, parquet.WRITTEN).collect()]
    if sorted(written) != sorted(rows.items()):
        raise CountsDoNotAdd(f"{contract.name}: staged {sorted(written)} instead of {sorted(rows.items())}")


def _change(area: Area, contract: Contract, unit: str, before: str | None, rows: int) -> UnitChange:
    key = units.object_key(area.locations[contract.name].prefix, unit)
    staged_key = parquet.object_key(area.folder(contract.name), unit)
    return UnitChange(contract.name, key, units.partition(unit), before, staged_key, rows)
