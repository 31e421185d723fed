"""Staging: judged records become units, written where no reader looks and checked before they are published."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lake import drift, frames, parquet, privacy, rules, units
from lake.contract import Contract
from lake.errors import CountsDoNotAdd
from lake.keys import KeyVersion
from lake.manifest import Counts, UnitChange
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
    """What publishing would change, and by raw object the rows that came in and those that are new or replaced one."""

    changes: tuple[UnitChange, ...]
    incoming: Mapping[str, int]
    new: Mapping[str, int]
    replaced: Mapping[str, int]


def judged(
    raw: DataFrame, source: Contract, target: Contract, transformation: Callable[[DataFrame], DataFrame]
) -> DataFrame:
    """Every record with the target's columns and the ``reasons`` why it is not good enough."""
    return rules.with_reasons(frames.with_types(raw, source, target).transform(transformation), target)


def counted(raw: DataFrame, judged_rows: DataFrame) -> tuple[dict[str, Counts], dict[str, int]]:
    """By raw object, what was received and what broke a rule; then how the fields of all records drift.

    New, replaced and duplicate are not known yet. Received is counted before the transformation: what that loses must
    be missed.
    """
    received: Counter[str] = Counter()
    shapes: Counter[tuple[str, ...]] = Counter()
    for row in raw.groupBy("source_object", "drift").count().collect():
        received[row["source_object"]] += row["count"]
        shapes[tuple(row["drift"])] += row["count"]
    bad = judged_rows.filter(F.size("reasons") > 0).select("source_object", "reasons")
    by_reason = bad.select("source_object", F.explode("reasons").alias("reason")).groupBy("source_object", "reason")
    reasons: dict[str, dict[str, int]] = defaultdict(dict)
    for key, reason, number in sorted(by_reason.count().collect()):
        reasons[key][reason] = number
    quarantined = _by_object(bad)
    by_object = {key: Counts(rows, 0, 0, 0, quarantined.get(key, 0), reasons[key]) for key, rows in received.items()}
    return by_object, drift.found(shapes)


def _by_object(rows: DataFrame) -> dict[str, int]:
    return {row["source_object"]: row["count"] for row in rows.groupBy("source_object").count().collect()}


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
    arrived = incoming.groupBy(UNIT, "source_object").count().collect()
    touched = sorted({row[UNIT] for row in arrived})
    before = {unit: area.storage.etag(location.bucket, units.object_key(location.prefix, unit)) for unit in touched}
    present = [units.object_key(location.prefix, unit) for unit in touched if before[unit]]
    existing = frames.read_units(area.spark, contract, location, present)
    merged = frames.merged(existing, incoming, contract).persist()
    try:
        sums = (F.sum(name).alias(name) for name in ("new", "replaced", "duplicate"))
        found = merged.groupBy("source_object").agg(*sums).collect()
        rows = _rows_of_changed_units(merged)
        write(area, contract, merged, rows)
    finally:
        merged.unpersist()
        incoming.unpersist()
    changes = tuple(change(area, contract, unit, before[unit], rows[unit]) for unit in sorted(rows))
    return _staged(contract, changes, arrived, found)


def _staged(contract: Contract, changes: tuple[UnitChange, ...], arrived: list[Row], found: list[Row]) -> Staged:
    """What came in by object, what became of it by the object of the version that won; no row may be missing."""
    incoming: Counter[str] = Counter()
    for row in arrived:
        incoming[row["source_object"]] += row["count"]
    merged = sum(row["new"] + row["replaced"] + row["duplicate"] for row in found)
    if merged != incoming.total():
        raise CountsDoNotAdd(f"{contract.name}: {merged} of {incoming.total()} incoming rows were merged")
    new, replaced = ({row["source_object"]: row[name] for row in found} for name in ("new", "replaced"))
    return Staged(changes, incoming, new, replaced)


def _rows_of_changed_units(merged: DataFrame) -> dict[str, int]:
    per_unit = merged.groupBy(UNIT).agg(F.count("*").alias("rows"), F.max("changed").alias("changed"))
    return {row[UNIT]: row["rows"] for row in per_unit.filter("changed").collect()}


def write(area: Area, contract: Contract, merged: DataFrame, rows: dict[str, int]) -> None:
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


def change(area: Area, contract: Contract, unit: str, before: str | None, rows: int) -> UnitChange:
    """The change that puts a staged unit in place."""
    key = units.object_key(area.locations[contract.name].prefix, unit)
    staged_key = parquet.object_key(area.folder(contract.name), unit)
    return UnitChange(contract.name, key, units.partition(unit), before, staged_key, rows)
