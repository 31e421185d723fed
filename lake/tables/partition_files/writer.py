"""Write partition files as Parquet objects, each put whole by the Spark task that holds its rows.

Spark's own writer writes files under its own names and renames them; S3 renames by copying, and a repeated task leaves
two files.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from lake.core.s3 import Location, storage_of_process
from lake.tables.partition_files.file_names import FILE

WRITTEN = f"{FILE} string, rows bigint"
_ROWS_IN_A_GROUP = 64 * 1024


def object_key(folder: Location, file: str) -> str:
    """Return the key of a partition file's staged object."""
    return f"{folder.prefix}{file}.parquet"


def writer(folder: Location) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """Return a function for mapInArrow over rows sorted by partition file.

    It puts each file below ``folder`` and yields its name and its number of rows.
    """

    def write(batches: Iterable[Any]) -> Iterator[Any]:
        storage = storage_of_process()
        for file, parts in groupby(by_value(batches, FILE), key=lambda part: part[0]):
            table = pa.Table.from_batches([batch for _, batch in parts])
            storage.put(folder.bucket, object_key(folder, file), encoded(table.drop_columns([FILE])))
            yield pa.RecordBatch.from_pydict({FILE: [file], "rows": [table.num_rows]})

    return write


def without_rows(schema: Any) -> bytes:
    """Return a Parquet object without rows; ``schema`` is an Arrow schema."""
    return encoded(schema.empty_table())


def without_rows_of(body: bytes) -> bytes:
    """Return a Parquet object of the same schema as the Parquet object ``body``, without rows."""
    return without_rows(parquet.read_schema(pa.BufferReader(body)))


def by_value(batches: Iterable[Any], name: str) -> Iterator[tuple[str, Any]]:
    """Yield value and rows, for batches sorted by the column ``name``: each is cut where the value changes."""
    for batch in batches:
        start = 0
        for run in batch.column(name).value_counts() if batch.num_rows else []:
            yield run["values"].as_py(), batch.slice(start, run["counts"].as_py())
            start += run["counts"].as_py()


def encoded(table: Any) -> bytes:
    """Return an Arrow table as a Parquet object."""
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd", row_group_size=_ROWS_IN_A_GROUP)
    body: bytes = sink.getvalue().to_pybytes()
    return body
