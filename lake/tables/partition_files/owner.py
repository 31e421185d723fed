"""Merge the rows of a partition file in the Spark task that holds them: read what is there, merge, stage, count.

A task gets all new rows of a file. It asks S3 once for the present object, and its result is a line of counts.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from lake.contract.model import Contract
from lake.core.s3 import Location, Storage, storage_of_process
from lake.tables.partition_files import file_names, packing, writer
from lake.tables.partition_files.merge import UNIT, VERSION

RESULT = f"{UNIT} string, before string, rows bigint, changed boolean, merged bigint, counts string"
_OBJECT, _REASONS = "source_object", "reasons"


@dataclass(frozen=True)
class Columns:
    """Names of columns: the key of a record, and what a record says beside its lineage."""

    key: tuple[str, ...]
    content: tuple[str, ...]

    @staticmethod
    def of(contract: Contract) -> "Columns":
        """Return the columns of a contract, as they are stored."""
        content = tuple(column.stored_name for column in contract.stored if "lineage" not in column.tags)
        return Columns(tuple(column.stored_name for column in contract.key), content)


class Merged(NamedTuple):
    """The latest version of each key in the order of the keys, and what became of the incoming rows.

    ``incoming``, ``new`` and ``replaced`` count by raw object, the last two by that of the version that won.
    ``duplicate`` is the number of other incoming rows; ``changed`` says whether any incoming row won.
    """

    table: Any
    changed: bool
    incoming: dict[str, int]
    new: dict[str, int]
    replaced: dict[str, int]
    duplicate: int


@dataclass(frozen=True)
class Destination:
    """The places where the rows of a dataset are published and staged."""

    columns: Columns
    published: Location
    staged: Location


def merging(destinations: Mapping[str, Destination]) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """Return a function for mapInArrow over units sorted by name; ``destinations`` are those of each dataset.

    It merges the rows of each unit with the published object, stages the result when an incoming row has won, and
    yields a row of ``RESULT``.
    """

    def merge(batches: Iterable[Any]) -> Iterator[Any]:
        storage = storage_of_process()
        for unit, parts in groupby(writer.by_value(batches, UNIT), key=lambda part: part[0]):
            dataset, _, file = unit.partition("/")
            yield _merged(storage, unit, file, rows_of([batch for _, batch in parts], dataset), destinations[dataset])

    return merge


def rows_of(batches: Sequence[Any], dataset: str) -> Any:
    """Return the rows of one dataset as a table, out of their column: structures, or packed; null is no row.

    A column may hold null, whatever Spark knows of this one.
    """
    arrays = [batch.column(dataset).drop_null() for batch in batches]
    if pa.types.is_binary(arrays[0].type):
        return packing.unpacked(value for array in arrays for value in array)
    kind = arrays[0].type
    schema = pa.schema([kind.field(place).with_nullable(True) for place in range(kind.num_fields)])
    return pa.Table.from_batches([pa.RecordBatch.from_arrays(array.flatten(), schema=schema) for array in arrays])


def _merged(storage: Storage, unit: str, file: str, incoming: Any, to: Destination) -> Any:
    before, body = storage.current(to.published.bucket, file_names.object_key(to.published.prefix, file))
    found = merged(existing(body, incoming.schema), incoming, to.columns)
    if found.changed:
        storage.put(to.staged.bucket, writer.object_key(to.staged, file), writer.encoded(found.table))
    return _result(unit, before, found, _reasons(incoming))


def existing(body: bytes | None, schema: Any) -> Any:
    """Return the rows of a published object in ``schema``: a column that it lacks is null; none for no object."""
    if body is None:
        return schema.empty_table()
    file = parquet.ParquetFile(pa.BufferReader(body))
    there = set(file.schema_arrow.names)
    table = file.read(columns=[field.name for field in schema if field.name in there])
    arrays = [
        table.column(field.name).cast(field.type) if field.name in there else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def merged(before: Any, incoming: Any, columns: Columns) -> Merged:
    """Merge two tables of one schema, of which ``before`` has each key once."""
    table = pa.concat_tables([before, incoming])
    was_there = np.arange(table.num_rows) < before.num_rows
    order = _sorted(table, was_there, columns)
    table, was_there = table.take(pa.array(order)).combine_chunks(), was_there[order]
    first = begins(table, columns.key)
    winners = np.flatnonzero(np.append(first[1:], True))
    key_of_row = np.cumsum(first) - 1
    former = np.full(len(winners), -1)
    former[key_of_row[was_there]] = np.flatnonzero(was_there)
    changed, existed = ~was_there[winners], former >= 0
    told = np.zeros(len(winners), dtype=bool)
    both = np.flatnonzero(changed & existed)
    told[both] = differ(table, winners[both], former[both], columns.content)
    winning = table.column(_OBJECT).take(pa.array(winners))
    is_other = ~was_there
    is_other[winners] = False
    return Merged(
        table.take(pa.array(winners)),
        bool(changed.any()),
        _counted(incoming.column(_OBJECT)),
        _counted(winning.filter(pa.array(~existed))),
        _counted(winning.filter(pa.array(told))),
        int(is_other.sum()) + int((changed & existed & ~told).sum()),
    )


def _sorted(table: Any, was_there: Any, columns: Columns) -> Any:
    """Row numbers by key and version; of equal versions the one that was there is last, and wins."""
    names = dict.fromkeys((*columns.key, *VERSION))  # a rejected record has its place for a key
    keyed = table.select(list(names)).append_column("was_there", pa.array(was_there.astype("int8")))
    return compute.sort_indices(keyed, sort_keys=[(name, "ascending") for name in keyed.column_names]).to_numpy()


def begins(table: Any, key: Sequence[str]) -> Any:
    """Return for each row of a sorted table whether its key is another one than that of the row before."""
    found = np.ones(table.num_rows, dtype=bool)
    rows = np.arange(1, table.num_rows)
    found[1:] = differ(table, rows, rows - 1, key)
    return found


def differ(table: Any, left: Any, right: Any, names: Sequence[str]) -> Any:
    """Return for each pair of rows whether any of the columns differs; two nulls, and two NaN, are equal."""
    found = np.zeros(len(left), dtype=bool)
    for name in names:
        column = table.column(name)
        found |= _unequal(column.take(pa.array(left)), column.take(pa.array(right)))
    return found


def _unequal(left: Any, right: Any) -> Any:
    if pa.types.is_nested(left.type):
        return np.array([a != b for a, b in zip(left.to_pylist(), right.to_pylist(), strict=True)], dtype=bool)
    equal = compute.fill_null(compute.equal(left, right), False)
    both = compute.and_(compute.is_null(left, nan_is_null=True), compute.is_null(right, nan_is_null=True))
    return ~compute.or_(equal, both).to_numpy()


def _counted(objects: Any) -> dict[str, int]:
    return {each["values"].as_py(): each["counts"].as_py() for each in compute.value_counts(objects)}


def _reasons(incoming: Any) -> dict[str, dict[str, int]]:
    """Broken rules by raw object, of rows that have any."""
    found: dict[str, dict[str, int]] = {}
    if _REASONS in incoming.column_names:
        lists, objects = incoming.column(_REASONS).combine_chunks(), incoming.column(_OBJECT).combine_chunks()
        reasons = compute.list_flatten(lists)
        named = pa.table({"object": objects.take(compute.list_parent_indices(lists)), "reason": reasons})
        for row in named.group_by(["object", "reason"]).aggregate([([], "count_all")]).to_pylist():
            found.setdefault(row["object"], {})[row["reason"]] = row["count_all"]
    return found


def _result(unit: str, before: str | None, found: Merged, reasons: Mapping[str, Any]) -> Any:
    counts = {"incoming": found.incoming, "new": found.new, "replaced": found.replaced, "reasons": reasons}
    merged_rows = sum(found.new.values()) + sum(found.replaced.values()) + found.duplicate
    values = [[unit], [before], [found.table.num_rows], [found.changed], [merged_rows], [json.dumps(counts)]]
    names = [part.split(" ")[0] for part in RESULT.split(", ")]
    types = [pa.string(), pa.string(), pa.int64(), pa.bool_(), pa.int64(), pa.string()]
    arrays = [pa.array(value, kind) for value, kind in zip(values, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=names)
