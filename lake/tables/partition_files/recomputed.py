"""Replace partition files by rows that were computed anew: the task that holds a file's rows compares and stages.

Rows that are as they were keep the run that wrote them, and a file in which nothing differs is not replaced. A file
whose rows are all gone becomes an object without rows.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import boto3
import numpy as np
import pyarrow as pa
from pyarrow import compute
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lake.contract.model import Contract
from lake.core.errors import CountsNotReconciled
from lake.core.s3 import Storage
from lake.tables.base import TableChange
from lake.tables.partition_files import file_names, merge, owner, staging, writer
from lake.tables.partition_files.merge import UNIT
from lake.tables.partition_files.owner import Columns, Destination
from lake.tables.partition_files.staging import StagingArea

RESULT = f"{UNIT} string, before string, rows bigint, changed boolean, counts string"
# No partition file is called like this: it collects the rows that break a rule.
_BROKEN = "broken"
_REASONS = "reasons"


class Recomputed(NamedTuple):
    """The changes to publish, and what became of the computed ``rows`` and of the present ones.

    Of the computed rows ``new`` were not there, ``replaced`` differ from what was there and ``equal`` do not;
    ``removed`` present rows were not computed. ``twice`` rows have the key of another one. ``broken`` further rows
    break rules, which ``reasons`` counts.
    """

    changes: tuple[TableChange, ...]
    rows: int
    new: int
    replaced: int
    equal: int
    removed: int
    twice: int
    broken: int
    reasons: dict[str, int]


class Compared(NamedTuple):
    """The rows of a file as they are to be, whether that differs from what is there, and the counts."""

    table: Any
    changed: bool
    counts: dict[str, int]


def staged(area: StagingArea, contract: Contract, rows: DataFrame, present: Sequence[str]) -> Recomputed:
    """Stage the partition files that differ from ``rows``, which have the contract's columns and ``reasons``.

    ``present`` names the partition files that are there and get exactly these rows. Raises CountsNotReconciled when
    rows of one partition file were in two tasks.
    """
    to = Destination(Columns.of(contract), area.locations[contract.name], area.folder(contract.name))
    units = _units(rows, contract).unionByName(_empty_units(area, contract, present))
    by_unit = units.repartition(F.col(UNIT)).sortWithinPartitions(UNIT)
    results = by_unit.mapInArrow(comparing(to, contract.name), RESULT).collect()
    if len({row[UNIT] for row in results}) < len(results):
        raise CountsNotReconciled(f"{contract.name}: rows of one partition file were in two tasks")
    return _recomputed(area, contract, results)


def _units(rows: DataFrame, contract: Contract) -> DataFrame:
    is_bad = F.size(_REASONS) > 0
    broken = F.lit(f"{contract.name}/{_BROKEN}")
    return rows.select(
        F.when(is_bad, broken).otherwise(merge.unit(contract)).alias(UNIT),
        F.when(~is_bad, merge.nested(contract)).alias(contract.name),
        F.col(_REASONS),
    )


def _empty_units(area: StagingArea, contract: Contract, present: Sequence[str]) -> DataFrame:
    """A unit without rows for each file, so that a task looks at it also when nothing was computed for it."""
    names: list[tuple[str, None, list[str]]] = [(f"{contract.name}/{file}", None, []) for file in present]
    schema = f"{UNIT} string, `{contract.name}` struct<{_fields(contract)}>, {_REASONS} array<string>"
    return area.spark.createDataFrame(names, schema)


def _fields(contract: Contract) -> str:
    return ", ".join(f"`{column.stored_name}`: {column.stored_type}" for column in contract.stored)


def comparing(to: Destination, dataset: str) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """Return a function for mapInArrow over units sorted by name, which stages each file that differs.

    It yields a row of ``RESULT`` for each unit.
    """

    def compare(batches: Iterable[Any]) -> Iterator[Any]:
        storage = Storage(boto3.client("s3"))
        for unit, parts in groupby(writer.by_value(batches, UNIT), key=lambda part: part[0]):
            tables = [batch for _, batch in parts]
            file = unit.partition("/")[2]
            if file == _BROKEN:
                yield _result(unit, None, 0, False, _broken(tables))
            else:
                yield _compared(storage, unit, file, owner.rows_of(tables, dataset), to)

    return compare


def _broken(batches: list[Any]) -> dict[str, Any]:
    reasons: Counter[str] = Counter()
    for batch in batches:
        reasons.update(compute.list_flatten(batch.column(_REASONS)).to_pylist())
    return {"broken": sum(batch.num_rows for batch in batches), _REASONS: reasons}


def _compared(storage: Storage, unit: str, file: str, computed: Any, to: Destination) -> Any:
    before, body = storage.current(to.published.bucket, file_names.object_key(to.published.prefix, file))
    found = compared(owner.existing(body, computed.schema), computed, to.columns)
    if found.changed:
        storage.put(to.staged.bucket, writer.object_key(to.staged, file), writer.encoded(found.table))
    return _result(unit, before, found.table.num_rows, found.changed, found.counts)


def compared(present: Any, computed: Any, columns: Columns) -> Compared:
    """Compare two tables of one schema, of which ``present`` has each key once; ``computed`` is what is to be."""
    table = pa.concat_tables([present, computed])
    was_there = np.arange(table.num_rows) < present.num_rows
    keys = table.select(list(columns.key)).append_column("was_there", pa.array(was_there.astype("int8")))
    order = compute.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names]).to_numpy()
    table, was_there = table.take(pa.array(order)).combine_chunks(), was_there[order]
    key_of_row = np.cumsum(owner.begins(table, columns.key)) - 1
    number = int(key_of_row[-1]) + 1 if len(key_of_row) else 0
    then, now = _places(key_of_row, was_there, number), _places(key_of_row, ~was_there, number)
    both = np.flatnonzero((then >= 0) & (now >= 0))
    told = np.zeros(number, dtype=bool)
    told[both] = owner.differ(table, now[both], then[both], columns.content)
    is_new, is_gone, is_equal = (now >= 0) & (then < 0), (now < 0) & (then >= 0), (now >= 0) & (then >= 0) & ~told
    kept = np.where(is_equal, then, now)[now >= 0]
    counts = {"new": is_new, "replaced": told, "equal": is_equal, "removed": is_gone}
    twice = computed.num_rows - int((now >= 0).sum())
    sums = {name: int(each.sum()) for name, each in counts.items()}
    return Compared(
        table.take(pa.array(kept)),
        bool(is_new.any() or told.any() or is_gone.any()),
        {**sums, "twice": twice},
    )


def _places(key_of_row: Any, chosen: Any, number: int) -> Any:
    """For each of ``number`` keys the last of the ``chosen`` rows that has it, -1 for none."""
    places = np.full(number, -1)
    places[key_of_row[chosen]] = np.flatnonzero(chosen)
    return places


def _result(unit: str, before: str | None, rows: int, changed: bool, counts: dict[str, Any]) -> Any:
    values = [[unit], [before], [rows], [changed], [json.dumps(counts)]]
    types = [pa.string(), pa.string(), pa.int64(), pa.bool_(), pa.string()]
    names = [part.split(" ")[0] for part in RESULT.split(", ")]
    arrays = [pa.array(value, kind) for value, kind in zip(values, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _recomputed(area: StagingArea, contract: Contract, results: list[Row]) -> Recomputed:
    counts, reasons = Counter[str](), Counter[str]()
    for row in results:
        said = json.loads(row["counts"])
        reasons.update(said.pop(_REASONS, {}))
        counts.update(said)
    changed = sorted((row[UNIT].partition("/")[2], row) for row in results if row["changed"])
    changes = tuple(staging.change(area, contract, file, row["before"], row["rows"]) for file, row in changed)
    rows = counts["new"] + counts["replaced"] + counts["equal"]
    named = {name: counts[name] for name in ("new", "replaced", "equal", "removed", "twice", "broken")}
    return Recomputed(changes, rows, **named, reasons=dict(reasons))
