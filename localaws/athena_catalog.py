"""The Glue catalog as Athena sees it: read and changed through the API, with the rights of the query's caller."""

import base64
import datetime
import json
import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError

from localaws.athena_errors import QueryFailed

PARQUET = "parquet"
JSON = "json"

# Athena decides by the serialisation library; any other is not read here.
_FORMATS = {
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe": PARQUET,
    "org.openx.data.jsonserde.JsonSerDe": JSON,
}

_SIMPLE_TYPES = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "binary": pa.binary(),
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

    @property
    def format(self) -> str:
        """PARQUET or JSON; raises QueryFailed for what cannot be read here."""
        if self.serde not in _FORMATS:
            raise QueryFailed(f"NOT_SUPPORTED: not supported locally: table {self.name} with serde {self.serde!r}")
        return _FORMATS[self.serde]

    def schema(self) -> pa.Schema:
        """Columns and partition keys, in the order of SELECT *."""
        return pa.schema([(name, arrow_type(text)) for name, text in {**self.columns, **self.keys}.items()])


@dataclass(frozen=True)
class Partition:
    """Where the rows of one combination of partition values are; a table without keys is one with no values."""

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
            pages = paginator.paginate(DatabaseName=table.database, TableName=table.name)
            found = [partition for page in pages for partition in page["Partitions"]]
        except ClientError as error:
            raise QueryFailed(f"PERMISSION_DENIED: {error}") from error
        return [Partition(_values(table, p["Values"]), p["StorageDescriptor"]["Location"]) for p in found]

    def add_partitions(self, table: Table, added: dict[tuple[str, ...], str]) -> None:
        """Register partitions, values as text to location."""
        described = self.glue.get_table(DatabaseName=table.database, Name=table.name)["Table"]["StorageDescriptor"]
        for values, location in added.items():
            entry = {"Values": list(values), "StorageDescriptor": {**described, "Location": location}}
            self.glue.create_partition(DatabaseName=table.database, TableName=table.name, PartitionInput=entry)


def arrow_type(text: str) -> pa.DataType:
    """The Arrow type of a Glue type such as `array<struct<a:int>>`; an unknown one raises QueryFailed."""
    text = text.strip().lower()
    if text in _SIMPLE_TYPES:
        return _SIMPLE_TYPES[text]
    found = re.fullmatch(r"(\w+)\s*[<(](.*)[>)]", text, re.DOTALL)
    kind, inside = (found[1], found[2]) if found else (text, "")
    match kind:
        case "varchar" | "char":
            return pa.string()
        case "decimal":
            digits = [int(part) for part in inside.split(",")] if inside else [10, 0]
            return pa.decimal128(digits[0], digits[1] if len(digits) > 1 else 0)
        case "array":
            return pa.list_(arrow_type(inside))
        case "map":
            key, value = _split(inside)
            return pa.map_(arrow_type(key), arrow_type(value))
        case "struct":
            fields = [part.partition(":") for part in _split(inside)]
            return pa.struct([(name.strip(), arrow_type(field)) for name, _, field in fields])
    raise QueryFailed(f"HIVE_INVALID_METADATA: unknown type {text!r}")


def partition_value(text: str, glue_type: str) -> Any:
    """The value of a partition key from its text in the catalog or in a folder's name."""
    try:
        return _parsed(text, arrow_type(glue_type))
    except ValueError as error:
        raise QueryFailed(f"HIVE_INVALID_PARTITION_VALUE: Invalid partition value {text!r} for {glue_type}") from error


def view_text(sql: str, catalog: str, schema: str, columns: list[dict[str, str]]) -> str:
    """The form in which Athena stores a view in the Glue catalog."""
    view = {"originalSql": sql, "catalog": catalog, "schema": schema, "columns": columns}
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
        view_sql=_view_sql(described),
    )


def _view_sql(described: dict[str, Any]) -> str | None:
    if described.get("TableType") != "VIRTUAL_VIEW":
        return None
    found = re.fullmatch(r"/\* Presto View: (.*) \*/", described.get("ViewOriginalText") or "")
    if found is None:
        raise QueryFailed(f"INVALID_VIEW: {described['Name']} is not a view of Athena")
    return str(json.loads(base64.b64decode(found[1]))["originalSql"])


def _values(table: Table, values: list[str]) -> tuple[Any, ...]:
    return tuple(partition_value(text, glue_type) for text, glue_type in zip(values, table.keys.values(), strict=True))


def _parsed(text: str, arrow: pa.DataType) -> Any:
    if text == "__HIVE_DEFAULT_PARTITION__":
        return None
    if pa.types.is_date(arrow):
        return datetime.date.fromisoformat(text)
    if pa.types.is_timestamp(arrow):
        return datetime.datetime.fromisoformat(text)
    if pa.types.is_integer(arrow):
        return int(text)
    if pa.types.is_string(arrow):
        return text
    raise QueryFailed(f"NOT_SUPPORTED: not supported locally: partition key of type {arrow}")


def _split(text: str) -> list[str]:
    """Split at the commas that are in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
