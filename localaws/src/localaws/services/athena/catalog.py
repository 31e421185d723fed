"""The Glue catalog as Athena sees it: read and changed through the API, with the rights of the query's caller.

AWS: reads tables and partitions with the caller's rights, and decides by the SerDe how objects are read. MiniStack: its
Athena does not look at the catalog's partitions. Added: both. Failed: SerDes other than Parquet and OpenX JSON.
"""

import base64
import datetime
import json
import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError
from sqlglot import exp
from sqlglot.errors import ParseError

from localaws.services.athena.results import QueryFailed

PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
JSON = "org.openx.data.jsonserde.JsonSerDe"

_SIMPLE_TYPES = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "TEXT": pa.string(),
    "VARCHAR": pa.string(),
    "CHAR": pa.string(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "BINARY": pa.binary(),
}


@dataclass(frozen=True)
class Table:
    """A Glue table. `columns` are in the objects, `keys` in the partitions' values; both map names to Glue types."""

    database: str
    name: str
    location: str
    serde: str
    parameters: dict[str, str]
    columns: dict[str, str]
    keys: dict[str, str]
    view_sql: str | None

    def schema(self) -> pa.Schema:
        """Columns and partition keys, in the order of SELECT *."""
        return pa.schema([(name, arrow_type(text)) for name, text in {**self.columns, **self.keys}.items()])

    def partition(self, texts: list[str] | tuple[str, ...], location: str) -> "Partition":
        """The partition whose values are written so in the catalog or in a folder's name."""
        kinds = self.keys.values()
        return Partition(tuple(_value(text, kind) for text, kind in zip(texts, kinds, strict=True)), location)


@dataclass(frozen=True)
class Partition:
    """The location of one combination of partition values; a table without keys is one with no values."""

    values: tuple[Any, ...]
    location: str


class Catalog:
    """Tables and partitions, read once per query."""

    def __init__(self, glue: Any) -> None:
        self.glue = glue
        self._tables: dict[tuple[str, str], Table] = {}

    def table(self, database: str, name: str) -> Table:
        """The table; raises QueryFailed in Athena's words when there is none."""
        key = (database.lower(), name.lower())
        if key not in self._tables:
            try:
                self._tables[key] = _table(self.glue.get_table(DatabaseName=key[0], Name=key[1])["Table"])
            except self.glue.exceptions.EntityNotFoundException as error:
                text = f"TABLE_NOT_FOUND: Table 'awsdatacatalog.{key[0]}.{key[1]}' does not exist"
                raise QueryFailed(text) from error
            except ClientError as error:
                raise QueryFailed(f"PERMISSION_DENIED: {error}") from error
        return self._tables[key]

    def partitions(self, table: Table) -> list[Partition]:
        """The registered partitions: data in a folder that nobody registered is not seen."""
        if not table.keys:
            return [Partition((), table.location)]
        try:
            paginator = self.glue.get_paginator("get_partitions")
            pages = list(paginator.paginate(DatabaseName=table.database, TableName=table.name))
        except ClientError as error:
            raise QueryFailed(f"PERMISSION_DENIED: {error}") from error
        return [
            table.partition(p["Values"], p["StorageDescriptor"]["Location"]) for q in pages for p in q["Partitions"]
        ]

    def add_partitions(self, table: Table, added: dict[tuple[str, ...], str]) -> None:
        """Register partitions, values as text to location."""
        described = self.glue.get_table(DatabaseName=table.database, Name=table.name)["Table"]["StorageDescriptor"]
        for values, location in added.items():
            entry = {"Values": list(values), "StorageDescriptor": {**described, "Location": location}}
            self.glue.create_partition(DatabaseName=table.database, TableName=table.name, PartitionInput=entry)


def arrow_type(text: str) -> pa.DataType:
    """The Arrow type of a Glue type such as `array<struct<a:int>>`; an unknown one raises QueryFailed."""
    try:
        return _arrow(exp.DataType.build(text.lower(), dialect="hive"))
    except (ParseError, KeyError) as error:
        raise QueryFailed(f"HIVE_INVALID_METADATA: unknown type {text!r}") from error


def view_text(sql: str, schema: str, columns: list[dict[str, str]]) -> str:
    """The form in which Athena stores a view in the Glue catalog."""
    view = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": schema, "columns": columns}
    return f"/* Presto View: {base64.b64encode(json.dumps(view).encode()).decode()} */"


def _table(described: dict[str, Any]) -> Table:
    storage = described.get("StorageDescriptor") or {}
    serde = storage.get("SerdeInfo") or {}
    return Table(
        database=described["DatabaseName"],
        name=described["Name"],
        location=storage.get("Location") or "",
        serde=serde.get("SerializationLibrary") or "",
        parameters={**(described.get("Parameters") or {}), **(serde.get("Parameters") or {})},
        columns={column["Name"].lower(): column["Type"] for column in storage.get("Columns") or []},
        keys={key["Name"].lower(): key["Type"] for key in described.get("PartitionKeys") or []},
        view_sql=_view_sql(described) if described.get("TableType") == "VIRTUAL_VIEW" else None,
    )


def _view_sql(described: dict[str, Any]) -> str:
    found = re.fullmatch(r"/\* Presto View: (.*) \*/", described.get("ViewOriginalText") or "")
    if found is None:
        raise QueryFailed(f"INVALID_VIEW: {described['Name']} is not a view of Athena")
    return str(json.loads(base64.b64decode(found[1]))["originalSql"])


def _arrow(kind: exp.DataType) -> pa.DataType:
    inside = kind.expressions
    match kind.this.name:
        case "DECIMAL":
            return pa.decimal128(*([int(digits.name) for digits in inside] or [10, 0]))
        case "ARRAY":
            return pa.list_(_arrow(inside[0]))
        case "MAP":
            return pa.map_(_arrow(inside[0]), _arrow(inside[1]))
        case "STRUCT":
            return pa.struct([(field.name, _arrow(field.args["kind"])) for field in inside])
    return _SIMPLE_TYPES[kind.this.name]


def _value(text: str, glue_type: str) -> Any:
    arrow = arrow_type(glue_type)
    if text == "__HIVE_DEFAULT_PARTITION__":
        return None
    try:
        if pa.types.is_date(arrow):
            return datetime.date.fromisoformat(text)
        if pa.types.is_timestamp(arrow):
            return datetime.datetime.fromisoformat(text)
        if pa.types.is_integer(arrow):
            return int(text)
    except ValueError as error:
        raise QueryFailed(f"HIVE_INVALID_PARTITION_VALUE: Invalid partition value {text!r} for {glue_type}") from error
    if pa.types.is_string(arrow):
        return text
    raise QueryFailed(f"NOT_SUPPORTED: not supported locally: partition key of type {arrow}")
