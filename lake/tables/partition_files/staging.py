"""Staging: write partition files to the staging area and check them before they are published."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lake.contract.model import Contract
from lake.core.errors import CountsNotReconciled
from lake.core.s3 import Location, Storage
from lake.tables.base import TableChange
from lake.tables.partition_files import file_names, merge, owner, writer
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
    """The changes to publish; for each raw object its incoming, new and replaced rows, and its broken rules."""

    changes: tuple[TableChange, ...]
    incoming: Mapping[str, int]
    new: Mapping[str, int]
    replaced: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]] = {}


def staged(area: StagingArea, contract: Contract, incoming: DataFrame) -> Staged:
    """Do for the rows of one dataset, in the shape of ``merge.stored_rows``, what ``staged_each`` does."""
    return staged_each(area, [contract], merge.units(incoming, contract))[contract.name]


def staged_each(area: StagingArea, contracts: Sequence[Contract], units: DataFrame) -> dict[str, Staged]:
    """Merge rows with the partition files they touch and write those that change to the staging folder, by dataset.

    ``units`` has the unit of each row (``merge.unit``), and a column with the name of each dataset that holds the row
    (``merge.nested``), several packed ones (``packing.packed``), or null. Raises CountsNotReconciled when not every row
    was merged, or one partition file was not in one task alone.
    """
    destinations = {each.name: _destination(area, each) for each in contracts}
    by_unit = units.repartition(F.col(merge.UNIT)).sortWithinPartitions(merge.UNIT)
    results = by_unit.mapInArrow(owner.merging(destinations), owner.RESULT).collect()
    _check(contracts, results)
    of_dataset = {
        each.name: [row for row in results if row[merge.UNIT].startswith(f"{each.name}/")] for each in contracts
    }
    return {each.name: _staged(area, each, of_dataset[each.name]) for each in contracts}


def _destination(area: StagingArea, contract: Contract) -> owner.Destination:
    return owner.Destination(owner.Columns.of(contract), area.locations[contract.name], area.folder(contract.name))


def _check(contracts: Sequence[Contract], results: list[Row]) -> None:
    if len({row[merge.UNIT] for row in results}) < len(results):
        raise CountsNotReconciled(f"{contracts[0].name}: rows of one partition file were in two tasks")


def _staged(area: StagingArea, contract: Contract, results: list[Row]) -> Staged:
    counts = [json.loads(row["counts"]) for row in results]
    found = {name: _total(each[name] for each in counts) for name in ("incoming", "new", "replaced")}
    merged, arrived = sum(row["merged"] for row in results), sum(found["incoming"].values())
    if merged != arrived:
        raise CountsNotReconciled(f"{contract.name}: {merged} of {arrived} incoming rows were merged")
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for key, broken in (entry for each in counts for entry in each["reasons"].items()):
        reasons[key].update(broken)
    changed = sorted((row[merge.UNIT].partition("/")[2], row) for row in results if row["changed"])
    changes = tuple(change(area, contract, file, row["before"], row["rows"]) for file, row in changed)
    return Staged(changes, **found, reasons=reasons)


def _total(parts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total


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
