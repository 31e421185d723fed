"""Make valid records rows of their table, in a task: with tokens for identifiers, those of a partition file packed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from pyarrow import compute

from lake.contract.model import Column, Contract
from lake.pseudonyms import arrow
from lake.pseudonyms.keys import KeyVersion, column_key, encryption_key_of
from lake.tables.partition_files import file_names, packing
from lake.tables.partition_files.merge import UNIT, VERSION

# The packed rows of one unit, or a rejected record.
APART = (
    f"{UNIT} string, packed binary, reasons array<string>, payload binary, arrived_at timestamp, source_object string, "
    "source_line bigint, key_version int, encryption_key binary"
)
_RUN = "run_id"


def columns(target: Contract) -> tuple[Column, ...]:
    """Return the stored columns that a row has before a run writes it."""
    return tuple(column for column in target.stored if column.name != _RUN)


def setting_apart(
    target: Contract, schedule: Sequence[KeyVersion], versions: Sequence[KeyVersion], run_id: str
) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """Return a function for mapInArrow over rows of reasons, payload, and the ``columns`` of the target.

    Rows without reasons are valid: they get tokens by the ``schedule`` and are packed, and a row of ``APART`` has those
    of one unit. Each other row is one of ``APART`` by itself, with the key of the ``versions`` that encrypts it. The
    keys are in the function, and so in no plan.
    """
    names = [column.stored_name for column in columns(target)]
    stored = [column.stored_name for column in target.stored]
    at = target.publish_granularity["date"]
    keys = {
        each.stored_name: [replace(key, key=column_key(key, target.name, each.name)) for key in schedule]
        for each in target.encrypted
    }
    own = tuple(versions)
    encrypting = [replace(key, key=encryption_key_of(target.name, own, key.version)) for key in own]

    def apart(batches: Iterable[Any]) -> Iterator[Any]:
        for piece in packing.pieces(batches):
            is_valid, rows = compute.is_null(piece.column(0)), pa.table(piece.columns[2:], names=names)
            valid = rows.filter(is_valid)
            found = packing.by_name(valid, *file_names.files_of(target, valid))
            yield _packed(
                (f"{target.name}/{file}", _as_stored(part, keys, at, run_id).select(stored)) for file, part in found
            )
            is_other = compute.invert(is_valid)
            yield from _rejected(piece.select([0, 1]).filter(is_other), rows.filter(is_other), encrypting)

    return apart


def _as_stored(rows: Any, keys: Mapping[str, Sequence[KeyVersion]], at: str, run_id: str) -> Any:
    for name, versions in keys.items():
        made = arrow.tokens(rows.column(name), rows.column(at), versions)
        rows = rows.set_column(rows.column_names.index(name), name, made)
    return rows.append_column(_RUN, pa.repeat(pa.scalar(run_id), rows.num_rows))


def _packed(units: Iterable[tuple[str, Any]]) -> Any:
    """Return the rows of ``APART`` that hold packed rows."""
    found = [(unit, packing.packed(rows)) for unit, rows in units]
    names, bodies = ([each[place] for each in found] for place in (0, 1))
    return _batch({UNIT: pa.array(names, pa.string()), "packed": pa.array(bodies, pa.binary())}, len(found))


def _rejected(said: Any, rows: Any, keys: Sequence[KeyVersion]) -> Iterator[Any]:
    """Yield the rows of ``APART`` that are rejected records."""
    reasons, payloads = said.columns
    lineage = {name: rows.column(name) for name in VERSION}
    places = arrow.in_force(rows.column("arrived_at"), keys)
    of_none = pa.array(places, mask=places < 0)
    used = {
        "key_version": pa.array([key.version for key in keys], pa.int32()).take(of_none),
        "encryption_key": pa.array([key.key for key in keys], pa.binary()).take(of_none),
    }
    whole = pa.table({"reasons": reasons, "payload": payloads, **lineage, **used})
    for batch in whole.to_batches():
        yield _batch(dict(zip(batch.schema.names, batch.columns, strict=True)), batch.num_rows)


def _batch(found: Mapping[str, Any], number: int) -> Any:
    arrays = [found[name] if name in found else pa.nulls(number, kind) for name, kind in _TYPES.items()]
    return pa.RecordBatch.from_arrays(arrays, names=list(_TYPES))


_TYPES = {
    UNIT: pa.string(), "packed": pa.binary(), "reasons": pa.list_(pa.string()), "payload": pa.binary(),
    "arrived_at": pa.timestamp("us", "UTC"), "source_object": pa.string(), "source_line": pa.int64(),
    "key_version": pa.int32(), "encryption_key": pa.binary(),
}  # fmt: skip
