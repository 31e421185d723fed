"""CREATE TABLE AS and INSERT: Parquet objects, one for each partition, written as the caller; partitions registered."""

import io
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlglot import exp

from localaws import athena_catalog, athena_results
from localaws.athena_errors import QueryFailed
from localaws.athena_statement import Statement

_PARQUET_STORAGE = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
_HIVE_NAMES = {"integer": "int", "varchar": "string", "varbinary": "binary"}


def create_table(statement: Statement, database: str, name: str, rows: pa.Table) -> int:
    """Store the rows of CREATE TABLE AS and register the table; how many rows. Only Parquet."""
    options = _options(statement.tree)
    if options.pop("format", "PARQUET").upper() != "PARQUET":
        raise QueryFailed("NOT_SUPPORTED: not supported locally: CREATE TABLE AS in another format than PARQUET")
    keys = [key.lower() for key in options.pop("partitioned_by", [])]
    location = options.pop("external_location", f"{statement.output}tables/{uuid.uuid4()}/").rstrip("/") + "/"
    if unknown := options.keys() - {"write_compression", "parquet_compression"}:
        raise QueryFailed(f"NOT_SUPPORTED: not supported locally: table property {', '.join(sorted(unknown))}")
    first_key = len(rows.column_names) - len(keys)
    if keys != rows.column_names[first_key:]:
        raise QueryFailed(f"CONSTRAINT_VIOLATION: partition columns {keys} must be the last columns of the query")
    if _is_taken(statement.s3, location):
        raise QueryFailed(f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{name}' already exists: {location}")
    columns = [{"Name": f.name.lower(), "Type": _hive_type(f.type)} for f in rows.schema]
    entry = {
        "Name": name.lower(),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "StorageDescriptor": {**_PARQUET_STORAGE, "Columns": columns[:first_key], "Location": location},
        "PartitionKeys": columns[first_key:],
    }
    statement.catalog.glue.create_table(DatabaseName=database, TableInput=entry)
    return insert(statement, statement.catalog.table(database, name), rows)


def insert(statement: Statement, table: athena_catalog.Table, rows: pa.Table) -> int:
    """Add the rows, in the order of the table's columns; how many."""
    if table.format != athena_catalog.PARQUET:
        raise QueryFailed("NOT_SUPPORTED: not supported locally: INSERT into a table that is not Parquet")
    if len(rows.column_names) != len(table.columns) + len(table.keys):
        raise QueryFailed("TYPE_MISMATCH: Insert query has mismatched column count")
    try:
        fitting = rows.rename_columns(table.schema().names).cast(table.schema())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise QueryFailed(f"TYPE_MISMATCH: Insert query has mismatched column types: {error}") from error
    known = {partition.values: partition.location for partition in statement.catalog.partitions(table)}
    for values, part in _by_partition(fitting, list(table.keys)):
        texts = tuple(str(value) for value in values)
        if values not in known:
            folder = "/".join(f"{key}={text}" for key, text in zip(table.keys, texts, strict=True))
            known[values] = f"{table.location.rstrip('/')}/{folder}/"
            statement.catalog.add_partitions(table, {texts: known[values]})
        _store(statement.s3, known[values], part.drop_columns(list(table.keys)))
    return int(fitting.num_rows)


def _by_partition(rows: pa.Table, keys: list[str]) -> list[tuple[tuple[Any, ...], pa.Table]]:
    if not keys:
        return [((), rows)] if rows.num_rows else []
    parts = []
    for combination in rows.select(keys).group_by(keys).aggregate([]).to_pylist():
        mask = pa.scalar(True)
        for key, value in combination.items():
            if value is None:
                raise QueryFailed(f"NOT_SUPPORTED: not supported locally: a null in the partition key {key}")
            mask = pc.and_(mask, pc.equal(rows[key], pa.scalar(value, rows.schema.field(key).type)))
        parts.append((tuple(combination.values()), rows.filter(mask)))
    return parts


def _store(s3: Any, location: str, rows: pa.Table) -> None:
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    body = io.BytesIO()
    pq.write_table(rows, body, compression="snappy")
    s3.put_object(Bucket=bucket, Key=f"{prefix.rstrip('/')}/{uuid.uuid4()}.parquet", Body=body.getvalue())


def _is_taken(s3: Any, location: str) -> bool:
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents"))


def _options(tree: exp.Expr) -> dict[str, Any]:
    """The properties of WITH (…), names in lower case."""
    options: dict[str, Any] = {}
    for node in (tree.args.get("properties") or exp.Properties()).expressions:
        if isinstance(node, exp.FileFormatProperty):
            options["format"] = node.this.name
        elif isinstance(node, exp.PartitionedByProperty):
            options["partitioned_by"] = [part.name for part in node.this.expressions]
        else:
            options[node.name.lower()] = node.args["value"].name
    return options


def _hive_type(arrow: pa.DataType) -> str:
    if pa.types.is_list(arrow):
        return f"array<{_hive_type(arrow.value_type)}>"
    name, precision, scale = athena_results.type_name(arrow)
    if name in ("map", "row", "timestamp with time zone"):
        raise QueryFailed(f"NOT_SUPPORTED: not supported locally: a column of type {name} in a new table")
    return f"decimal({precision},{scale})" if name == "decimal" else _HIVE_NAMES.get(name, name)
