"""What a query reads from S3: only the bytes it needs, with the caller's rights, and every byte counted.

DuckDB gets Arrow data and has no way to files or network of its own.
"""

import gzip
import io
import threading
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
from botocore.exceptions import ClientError

from localaws import athena_json
from localaws.athena_catalog import PARQUET, Partition, Table
from localaws.athena_errors import QueryCancelled, QueryFailed


class Storage:
    """Reads for one query. `scanned` is DataScannedInBytes; `cutoff` (bytes) cancels the query when it is passed."""

    def __init__(self, s3: Any, cutoff: int | None) -> None:
        self.s3, self.scanned = s3, 0
        # Arrow hides an exception of ours behind its own; the first one is what ends the query.
        self.failure: QueryFailed | QueryCancelled | None = None
        self._cutoff = cutoff
        self._counting = threading.Lock()

    def read(self, table: Table, partitions: list[Partition]) -> Any:
        """The rows of these partitions as something DuckDB can scan; Parquet is read when and where the scan asks."""
        objects = [(partition, entry) for partition in partitions for entry in self._objects(partition.location)]
        if table.format == PARQUET:
            return self._parquet(table, objects)
        batches = [athena_json.rows(table, partition.values, self._text(entry)) for partition, entry in objects]
        return pa.concat_tables(batches) if batches else table.schema().empty_table()

    def get(self, location: str, byte_range: tuple[int, int] | None, etag: str) -> bytes:
        """Bytes of an object as it was when the query listed it: one that was replaced since fails the query."""
        bucket, _, key = location.partition("/")
        extra = {"Range": f"bytes={byte_range[0]}-{byte_range[1] - 1}"} if byte_range else {}
        try:
            body: bytes = self.s3.get_object(Bucket=bucket, Key=key, IfMatch=etag, **extra)["Body"].read()
        except ClientError as error:
            raise self._failed(_read_error(location, error)) from error
        self._count(len(body))
        return body

    def _count(self, size: int) -> None:
        with self._counting:
            self.scanned += size
            over = self._cutoff is not None and self.scanned > self._cutoff
        if over:
            self.failure = self.failure or QueryCancelled("Query cancelled! : Bytes scanned limit was exceeded")
        if self.failure:
            raise self.failure

    def _failed(self, text: str) -> QueryFailed | QueryCancelled:
        self.failure = self.failure or QueryFailed(text)
        return self.failure

    def _objects(self, location: str) -> list[dict[str, Any]]:
        """Objects below a location but for hidden ones: as Hive has it, _ or . in front of their or a folder's name."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
        try:
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            listed = [entry for page in pages for entry in page.get("Contents", [])]
        except ClientError as error:
            raise self._failed(_read_error(location, error)) from error
        visible = [e for e in listed if e["Size"] and not _hidden(e["Key"].removeprefix(prefix))]
        return [{**entry, "Location": f"{bucket}/{entry['Key']}"} for entry in visible]

    def _text(self, entry: dict[str, Any]) -> str:
        body = self.get(entry["Location"], None, entry["ETag"])
        try:
            # As in Hive, the name alone says whether an object is compressed.
            return (gzip.decompress(body) if entry["Key"].endswith(".gz") else body).decode("utf-8", errors="replace")
        except (OSError, EOFError, zlib.error) as error:
            raise QueryFailed(f"HIVE_CURSOR_ERROR: s3://{entry['Location']}: {error}") from error

    def _parquet(self, table: Table, objects: list[tuple[Partition, dict[str, Any]]]) -> ds.Dataset:
        entries = {entry["Location"]: entry for _, entry in objects}
        filesystem = pafs.PyFileSystem(_Objects(self, entries))
        parquet = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(coerce_int96_timestamp_unit="us"))
        fragments = [
            parquet.make_fragment(entry["Location"], filesystem, _keys_equal(table, partition))
            for partition, entry in objects
        ]
        return ds.FileSystemDataset(fragments, table.schema(), parquet, filesystem)


class _Objects(pafs.FileSystemHandler):  # type: ignore[misc]
    """The listed objects as files that can only be read."""

    def __init__(self, storage: Storage, entries: dict[str, dict[str, Any]]) -> None:
        self._storage, self._entries = storage, entries

    def get_type_name(self) -> str:
        return "localaws-athena"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        return [pafs.FileInfo(path, pafs.FileType.File, size=self._entries[path]["Size"]) for path in paths]

    def open_input_file(self, path: str) -> pa.PythonFile:
        return pa.PythonFile(_Object(self._storage, self._entries[path]), mode="r")

    open_input_stream = open_input_file

    def _refuse(self, *_arguments: Any) -> Any:
        raise NotImplementedError("a query reads listed objects and nothing else")

    get_file_info_selector = create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _refuse
    delete_file = move = copy_file = open_output_stream = open_append_stream = _refuse


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

    def size(self) -> int:
        return int(self._entry["Size"])

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = (0, self._position, self.size())[whence] + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = self.size() if size < 0 else min(self.size(), self._position + size)
        if end <= self._position:
            return b""
        body = self._storage.get(self._entry["Location"], (self._position, end), self._entry["ETag"])
        self._position = end
        return body


def _keys_equal(table: Table, partition: Partition) -> ds.Expression:
    expression = ds.scalar(True)
    schema = table.schema()
    for name, value in zip(table.keys, partition.values, strict=True):
        field = ds.field(name)
        expression &= field.is_null() if value is None else field == pa.scalar(value, schema.field(name).type)
    return expression


def _hidden(relative_key: str) -> bool:
    return any(part.startswith(("_", ".")) for part in relative_key.split("/"))


def _read_error(location: str, error: ClientError) -> str:
    code = error.response["Error"]["Code"]
    if code in ("AccessDenied", "403", "KMS.DisabledException"):
        return f"PERMISSION_DENIED: Access denied when reading from location: {location}: {error}"
    if code in ("PreconditionFailed", "412"):
        return f"HIVE_CANNOT_OPEN_SPLIT: {location} was replaced while the query ran"
    return f"HIVE_FILESYSTEM_ERROR: {location}: {error}"
