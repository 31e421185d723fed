"""Pack the rows of a partition file, so that they go through Spark's shuffle as few long values and not as rows.

A row that Spark shuffles it copies, sorts and converts, column by column, in between two tasks that both hold Arrow
batches.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc

# So much of a task's rows is packed at once. Fewer, and a file of few rows in each of them is many values.
ROWS = 128 * 1024
BYTES = 32 * 1024 * 1024
_OPTIONS = ipc.IpcWriteOptions(compression="lz4")


def pieces(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the rows of the batches in tables of ``ROWS`` rows or ``BYTES``, or a little more."""
    held: list[Any] = []
    for batch in batches:
        held.append(batch)
        if sum(each.num_rows for each in held) >= ROWS or sum(each.nbytes for each in held) >= BYTES:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def by_name(table: Any, names: Sequence[str], places: Any) -> Iterator[tuple[str, Any]]:
    """Yield each name and its rows; ``places`` says for each row the place of its name."""
    if (places[1:] < places[:-1]).any():
        table = table.take(pa.array(np.argsort(places, kind="stable")))
    start = 0
    for name, count in zip(names, np.bincount(places, minlength=len(names)).tolist(), strict=True):
        yield name, table.slice(start, count)
        start += count


def packed(table: Any) -> bytes:
    """Return a table as one value."""
    sink = pa.BufferOutputStream()
    table = table.combine_chunks()
    with ipc.new_stream(sink, table.schema, options=_OPTIONS) as stream:
        stream.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def unpacked(values: Iterable[Any]) -> Any:
    """Return the rows of all values as one table, in which no column is a dictionary."""
    tables = [ipc.open_stream(value.as_buffer()).read_all() for value in values]
    return pa.concat_tables([_plain(table) for table in tables])


def _plain(table: Any) -> Any:
    schema = pa.schema([field.with_type(_value_type(field.type)) for field in table.schema])
    return table.cast(schema)


def _value_type(kind: Any) -> Any:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
