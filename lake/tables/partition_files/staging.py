"""Staging: write partition files to the staging area and check them before they are published."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lake.contract.model import Contract
from lake.core.errors import CountsNotReconciled
from lake.core.s3 import Location, Storage
from lake.tables.base import TableChange
from lake.tables.partition_files import file_names, merge, writer
from lake.tables.partition_files.file_names import FILE


@dataclass(frozen=True)
class StagingArea:
    """The staging area of one run: a folder of its own below ``location``."""

    spark: SparkSession
    storage: Storage
    location: Location
    locations: dict[str, Location]
    run_id: str

    def folder(self, dataset: str) -> Location:
        """Return the run's staging folder of a dataset."""
        return Location(self.location.bucket, f"{self.location.prefix}{dataset}/{self.run_id}/")


class Staged(NamedTuple):
    """The changes to publish, and for each raw object its incoming, new and replaced rows."""

    changes: tuple[TableChange, ...]
    incoming: Mapping[str, int]
    new: Mapping[str, int]
    replaced: Mapping[str, int]


def staged(area: StagingArea, contract: Contract, incoming: DataFrame) -> Staged:
    """Merge ``incoming`` with the partition files it touches and write those that change to the staging folder.

    ``incoming`` has the shape of ``merge.stored_rows``. Raises CountsNotReconciled when not every incoming row was
    merged or not every merged row was written.
    """
    location = area.locations[contract.name]
    incoming = incoming.persist()
    arrived = incoming.groupBy(FILE, "source_object").count().collect()
    touched = sorted({row[FILE] for row in arrived})
    before = {
        file: area.storage.etag(location.bucket, file_names.object_key(location.prefix, file)) for file in touched
    }
    present = [file_names.object_key(location.prefix, file) for file in touched if before[file]]
    existing = merge.read_files(area.spark, contract, location, present)
    merged = merge.merged(existing, incoming, contract).persist()
    try:
        sums = (F.sum(name).alias(name) for name in ("new", "replaced", "duplicate"))
        found = merged.groupBy("source_object").agg(*sums).collect()
        rows = _rows_of_changed_files(merged)
        write(area, contract, merged, rows)
    finally:
        merged.unpersist()
        incoming.unpersist()
    changes = tuple(change(area, contract, file, before[file], rows[file]) for file in sorted(rows))
    return _staged(contract, changes, arrived, found)


def _staged(contract: Contract, changes: tuple[TableChange, ...], arrived: list[Row], found: list[Row]) -> Staged:
    """Return incoming rows by object and merge results by the winning version's object; raises if a row is missing."""
    incoming: Counter[str] = Counter()
    for row in arrived:
        incoming[row["source_object"]] += row["count"]
    merged = sum(row["new"] + row["replaced"] + row["duplicate"] for row in found)
    if merged != incoming.total():
        raise CountsNotReconciled(f"{contract.name}: {merged} of {incoming.total()} incoming rows were merged")
    new, replaced = ({row["source_object"]: row[name] for row in found} for name in ("new", "replaced"))
    return Staged(changes, incoming, new, replaced)


def _rows_of_changed_files(merged: DataFrame) -> dict[str, int]:
    per_file = merged.groupBy(FILE).agg(F.count("*").alias("rows"), F.max("changed").alias("changed"))
    return {row[FILE]: row["rows"] for row in per_file.filter("changed").collect()}


def write(area: StagingArea, contract: Contract, merged: DataFrame, rows: dict[str, int]) -> None:
    """Write one object for each partition file, sorted by key so that a reader of one key skips most of it.

    ``rows`` is the expected number of rows by partition file; rows of other files are not written. Raises
    CountsNotReconciled unless each partition file was written once, with the expected rows.
    """
    if not rows:
        return
    columns = [column.stored_name for column in contract.stored]
    key = [column.stored_name for column in contract.key]
    changed = merged.filter(F.col(FILE).isin(*rows)).select(FILE, *columns)
    by_file = changed.repartition(F.col(FILE)).sortWithinPartitions(FILE, *key)
    write = writer.writer(area.folder(contract.name))
    written = [tuple(row) for row in by_file.mapInArrow(write, writer.WRITTEN).collect()]
    if sorted(written) != sorted(rows.items()):
        raise CountsNotReconciled(f"{contract.name}: staged {sorted(written)} instead of {sorted(rows.items())}")


def change(area: StagingArea, contract: Contract, file: str, before: str | None, rows: int) -> TableChange:
    """Return the change that publishes a staged partition file.

    ``file`` is its name, ``before`` the ETag of the object to replace (None: there is none), ``rows`` its number of
    rows.
    """
    key = file_names.object_key(area.locations[contract.name].prefix, file)
    staged_key = writer.object_key(area.folder(contract.name), file)
    return TableChange(contract.name, key, file_names.partition(file), before, staged_key, rows)
