"""Read S3 for a query: only the bytes it needs, with the caller's rights, every byte counted.

AWS: reads the columns and row groups of Parquet that a query needs, and JSON objects whole, as the OpenX SerDe does:
one line is one record; keys match columns without regard to case; a missing key is null; a column of type string takes
any value as text; a number may come as text; a line that is no JSON object fails the query, unless the table says
ignore.malformed.json, and so does a value that does not fit its column, when the query has a use for that column.
MiniStack: lets DuckDB read files of this machine, and counts the result's bytes. Added: Arrow data for DuckDB, which
has no way to files or network of its own.
"""

import datetime
import decimal
import gzip
import io
import json
import threading
import zlib
from collections.abc import Container
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from botocore.exceptions import ClientError

from localaws.services.athena.catalog import JSON, PARQUET, Partition, Table
from localaws.services.athena.results import QueryCancelled, QueryFailed


class Storage:
    """Reads for one query. `scanned` is DataScannedInBytes; `cutoff` (bytes) cancels the query when it is passed."""

    def __init__(self, s3: Any, cutoff: int | None) -> None:
        self.s3, self.scanned = s3, 0
        # Arrow hides an exception of ours behind its own; the first one is what ends the query.
        self.failure: QueryFailed | QueryCancelled | None = None
        self._cutoff = cutoff
        self._counting = threading.Lock()

    def read(self, table: Table, partitions: list[Partition], named: Container[str] | None = None) -> Any:
        """The rows of these partitions as something DuckDB can scan; Parquet is read when and where the scan asks.

        Of JSON, only the columns that are ``named`` are parsed, the others are null; None stands for all of them.
        """
        if table.serde not in (PARQUET, JSON):
            raise QueryFailed(f"NOT_SUPPORTED: not supported locally: table {table.name} with serde {table.serde!r}")
        objects = [(partition, entry) for partition in partitions for entry in self._objects(partition.location)]
        if table.serde == PARQUET:
            parquet = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(coerce_int96_timestamp_unit="us"))
            fragments = [
                parquet.make_fragment(
                    pa.PythonFile(_Object(self, entry), mode="r"), partition_expression=_keys_equal(table, partition)
                )
                for partition, entry in objects
            ]
            return ds.FileSystemDataset(fragments, _instants(table), parquet)
        batches = [_json_rows(table, partition.values, self._text(entry), named) for partition, entry in objects]
        return pa.concat_tables(batches) if batches else table.schema().empty_table()

    def get(self, entry: dict[str, Any], start: int = 0, end: int | None = None) -> bytes:
        """Bytes of an object as it was when the query listed it: one that was replaced since fails the query."""
        extra = {} if end is None else {"Range": f"bytes={start}-{end - 1}"}
        place = {"Bucket": entry["Bucket"], "Key": entry["Key"], "IfMatch": entry["ETag"]}
        try:
            body: bytes = self.s3.get_object(**place, **extra)["Body"].read()
        except ClientError as error:
            raise self._failed(f"{entry['Bucket']}/{entry['Key']}", error) from error
        with self._counting:
            self.scanned += len(body)
            if self._cutoff is not None and self.scanned > self._cutoff:
                self.failure = self.failure or QueryCancelled("Query cancelled! : Bytes scanned limit was exceeded")
        if self.failure:
            raise self.failure
        return body

    def _objects(self, location: str) -> list[dict[str, Any]]:
        """Objects below a location but for hidden ones: as Hive has it, _ or . in front of their or a folder's name."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
        try:
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            listed = [{**entry, "Bucket": bucket} for page in pages for entry in page.get("Contents", [])]
        except ClientError as error:
            raise self._failed(location, error) from error
        return [e for e in listed if e["Size"] and not _is_hidden(e["Key"].removeprefix(prefix))]

    def _failed(self, location: str, error: ClientError) -> QueryFailed | QueryCancelled:
        text = f"HIVE_FILESYSTEM_ERROR: {location}: {error}"
        if error.response["Error"]["Code"] in ("AccessDenied", "403", "KMS.DisabledException"):
            text = f"PERMISSION_DENIED: Access denied when reading from location: {location}: {error}"
        elif error.response["Error"]["Code"] in ("PreconditionFailed", "412"):
            text = f"HIVE_CANNOT_OPEN_SPLIT: {location} was replaced while the query ran"
        self.failure = self.failure or QueryFailed(text)
        return self.failure

    def _text(self, entry: dict[str, Any]) -> str:
        body = self.get(entry)
        try:
            # As in Hive, the name alone says whether an object is compressed.
            return (gzip.decompress(body) if entry["Key"].endswith(".gz") else body).decode("utf-8", errors="replace")
        except (OSError, EOFError, zlib.error) as error:
            raise QueryFailed(f"HIVE_CURSOR_ERROR: s3://{entry['Bucket']}/{entry['Key']}: {error}") from error


class _Object(io.RawIOBase):
    """One object as a file; each read is a ranged GET."""

    def __init__(self, storage: Storage, entry: dict[str, Any]) -> None:
        self._storage, self._entry, self._position = storage, entry, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = (0, self._position, int(self._entry["Size"]))[whence] + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        start, whole = self._position, int(self._entry["Size"])
        self._position = whole if size < 0 else min(whole, start + size)
        return self._storage.get(self._entry, start, self._position) if self._position > start else b""


def _is_hidden(relative_key: str) -> bool:
    return any(part.startswith(("_", ".")) for part in relative_key.split("/"))


def _instants(table: Table) -> pa.Schema:
    """The schema with timestamps as most writers store them, in UTC: Arrow compares no others with a file's."""
    schema = table.schema()
    for number, field in enumerate(schema):
        if pa.types.is_timestamp(field.type) and field.name not in table.keys:
            schema = schema.set(number, pa.field(field.name, pa.timestamp(field.type.unit, "UTC")))
    return schema


def _keys_equal(table: Table, partition: Partition) -> ds.Expression:
    expression, schema = ds.scalar(True), table.schema()
    for name, value in zip(table.keys, partition.values, strict=True):
        field = ds.field(name)
        expression &= field.is_null() if value is None else field == pa.scalar(value, schema.field(name).type)
    return expression


def _json_rows(table: Table, key_values: tuple[Any, ...], text: str, named: Container[str] | None) -> pa.Table:
    """The records of one object, with the values of its partition."""
    schema = table.schema()
    forgiving = table.parameters.get("ignore.malformed.json", "").lower() == "true"
    records = [_record(line, forgiving) for line in text.split("\n") if line.strip()]
    arrays = [
        _column(
            schema.field(name), [record.get(name) if named is None or name in named else None for record in records]
        )
        for name in table.columns
    ]
    for name, value in zip(table.keys, key_values, strict=True):
        arrays.append(pa.repeat(pa.scalar(value, schema.field(name).type), len(records)))
    return pa.Table.from_arrays(arrays, schema=schema)


def _record(line: str, forgiving: bool) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return {name.lower(): value for name, value in found.items()}
    if forgiving:
        return {}
    raise QueryFailed(f"HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: {line[:120]!r}")


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    try:
        return pa.array([_value(value, field.type) for value in values], field.type)
    except (ValueError, TypeError, ArithmeticError, AttributeError, pa.ArrowException) as error:
        raise QueryFailed(f"HIVE_BAD_DATA: Error parsing field value for field {field.name}: {error}") from error


def _value(value: Any, arrow: pa.DataType) -> Any:
    if value is None:
        return None
    for is_type, convert in _CONVERSIONS:
        if is_type(arrow):
            return convert(value, arrow)
    raise TypeError(f"{arrow} has no form in JSON")


def _timestamp(value: Any, _arrow: pa.DataType) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(value)
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _struct(value: dict[str, Any], arrow: pa.DataType) -> dict[str, Any]:
    lowered = {name.lower(): item for name, item in value.items()}
    return {field.name: _value(lowered.get(field.name), field.type) for field in arrow}


_CONVERSIONS: list[tuple[Any, Any]] = [
    (
        pa.types.is_string,
        lambda v, _: v if isinstance(v, str) else json.dumps(v, separators=(",", ":"), ensure_ascii=False),
    ),
    (pa.types.is_integer, lambda v, _: int(v)),
    (pa.types.is_floating, lambda v, _: float(v)),
    (pa.types.is_boolean, lambda v, _: v if isinstance(v, bool) else str(v).lower() == "true"),
    (pa.types.is_decimal, lambda v, arrow: round(decimal.Decimal(str(v)), arrow.scale)),
    (pa.types.is_date, lambda v, _: datetime.date.fromisoformat(v)),
    (pa.types.is_timestamp, _timestamp),
    (pa.types.is_list, lambda v, arrow: [_value(item, arrow.value_type) for item in v]),
    (pa.types.is_map, lambda v, arrow: [(_value(k, arrow.key_type), _value(i, arrow.item_type)) for k, i in v.items()]),
    (pa.types.is_struct, _struct),
]
