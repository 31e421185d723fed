"""Everything but queries: SHOW, DESCRIBE, MSCK REPAIR, ALTER TABLE … PARTITION, views, DROP and CREATE TABLE AS.

AWS: all of Hive's DDL and Trino's DML. MiniStack: some fail, some succeed that did nothing. Added: one function for
each kind of statement here; any other fails, INSERT, UNLOAD, DELETE and CREATE EXTERNAL TABLE among them.
"""

import re
import tempfile
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from botocore.exceptions import ClientError
from sqlglot import exp

from localaws.services.athena import catalog as athena_catalog
from localaws.services.athena import dialect, results
from localaws.services.athena.catalog import Catalog, Table
from localaws.services.athena.engine import Engine
from localaws.services.athena.results import QueryFailed, Result

_NAME = r"[`\"]?([\w-]+)[`\"]?"
_TABLE = rf"(?:{_NAME}\.)?{_NAME}"
_PARTITION = r"PARTITION\s*\(([^)]*)\)(?:\s*LOCATION\s*'([^']*)')?"

_PARQUET_STORAGE = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": athena_catalog.PARQUET},
}
_HIVE_NAMES = {"integer": "int", "varchar": "string", "varbinary": "binary"}


@dataclass(frozen=True)
class Statement:
    """A statement on its way: its text, its tree, the database for names without one, and where CTAS may write."""

    sql: str
    tree: exp.Expr
    database: str
    output: str
    engine: Engine
    s3: Any

    @property
    def catalog(self) -> Catalog:
        """The Glue catalog, as the caller."""
        return self.engine.catalog

    def table(self, found: re.Match[str]) -> Table:
        """The table that a pattern found, as database in group 1 and name in group 2."""
        return self.catalog.table(found[1] or self.database, found[2])

    def rows(self, query: exp.Expr) -> pa.Table:
        """The rows of a query in the statement."""
        dialect.check_functions(query.sql(dialect="athena"), query)
        return self.engine.query(query, self.database)


def run(statement: Statement) -> Result:
    """Run any statement; raises QueryFailed for what Athena or this machine does not do."""
    if isinstance(statement.tree, exp.Query):
        dialect.check_functions(statement.sql, statement.tree)
        return results.of_query(statement.engine.query(statement.tree, statement.database))
    comments = r"('[^']*'|\"[^\"]*\")|--[^\n]*|/\*.*?\*/"
    text = re.sub(comments, lambda found: found[1] or " ", statement.sql, flags=re.DOTALL)
    text = " ".join(text.strip().rstrip(";").split())
    for pattern, action in _ACTIONS:
        if found := re.fullmatch(pattern, text, re.IGNORECASE):
            try:
                return action(statement, found)
            except ClientError as error:
                raise QueryFailed(f"FAILED: Execution Error, return code 1. {error}") from error
    raise QueryFailed(f"NOT_SUPPORTED: not supported locally: {text[:60]}")


def statement_type(tree: exp.Expr, sql: str) -> str:
    """DML, DDL or UTILITY, as GetQueryExecution tells it."""
    if isinstance(tree, (exp.Query, exp.Insert)):
        return "DML"
    return "UTILITY" if sql.strip().upper().startswith("EXPLAIN") else "DDL"


def _show_databases(statement: Statement, _found: re.Match[str]) -> Result:
    pages = statement.catalog.glue.get_paginator("get_databases").paginate()
    return results.of_lines("database_name", sorted(d["Name"] for page in pages for d in page["DatabaseList"]))


def _show_tables(statement: Statement, found: re.Match[str]) -> Result:
    pages = statement.catalog.glue.get_paginator("get_tables").paginate(DatabaseName=found[1] or statement.database)
    pattern = (found[2] or "*").replace("*", ".*")
    names = sorted(table["Name"] for page in pages for table in page["TableList"])
    return results.of_lines("tab_name", [name for name in names if re.fullmatch(pattern, name)])


def _describe(statement: Statement, found: re.Match[str]) -> Result:
    table = statement.table(found)
    lines = [f"{name:<20}\t{kind:<20}\t{'':<20}" for name, kind in {**table.columns, **table.keys}.items()]
    if table.keys:
        heading = f"{'# col_name':<20}\t{'data_type':<20}\t{'comment':<20}"
        lines += ["\t \t ", "# Partition Information\t \t ", heading, "\t \t ", *lines[len(table.columns) :]]
    return results.of_lines("col_name", lines)


def _show_partitions(statement: Statement, found: re.Match[str]) -> Result:
    table = statement.table(found)
    if not table.keys:
        raise QueryFailed(f"FAILED: Execution Error. Table {table.name} is not a partitioned table")
    names = sorted(_folder(table, partition.values) for partition in statement.catalog.partitions(table))
    return results.of_lines("partition", names)


def _repair(statement: Statement, found: re.Match[str]) -> Result:
    table = statement.table(found)
    added = [_folder(table, texts) for texts in _register_folders(statement, table)]
    if not added:
        return Result()
    lines = [f"Repair: Added partition to metastore {table.name}:{name}" for name in added]
    missing = "\t".join(f"{table.name}:{name}" for name in added)
    return results.of_lines("result", [f"Partitions not in metastore:\t{missing}", *lines])


def _register_folders(statement: Statement, table: Table) -> list[tuple[str, ...]]:
    """Register the Hive-style folders that are not registered; what has lost its folder stays, as in Athena."""
    known = {partition.values for partition in statement.catalog.partitions(table)}
    bucket, _, prefix = f"{table.location.rstrip('/')}/".removeprefix("s3://").partition("/")
    pattern = re.compile("".join(rf"{re.escape(key)}=([^/]+)/" for key in table.keys))
    missing = {}
    for page in statement.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if found := pattern.match(entry["Key"].removeprefix(prefix)):
                texts = tuple(urllib.parse.unquote(text) for text in found.groups())
                if table.partition(texts, "").values not in known:
                    missing[texts] = f"s3://{bucket}/{prefix}{found[0]}"
    statement.catalog.add_partitions(table, missing)
    return sorted(missing)


def _add_partition(statement: Statement, found: re.Match[str]) -> Result:
    """Register the named partitions; without a location they are in the folder of their name."""
    table = statement.table(found)
    known = {partition.values for partition in statement.catalog.partitions(table)}
    added = {}
    for spec, location in re.findall(_PARTITION, found[4], re.IGNORECASE):
        texts = _spec(table, spec)
        if table.partition(texts, "").values not in known:
            added[texts] = location or f"{table.location.rstrip('/')}/{_folder(table, texts)}/"
        elif not found[3]:
            raise QueryFailed(f"AlreadyExistsException: Partition already exists: {_folder(table, texts)}")
    statement.catalog.add_partitions(table, added)
    return Result()


def _drop_partition(statement: Statement, found: re.Match[str]) -> Result:
    """Forget the named partitions; their data stays."""
    table, glue = statement.table(found), statement.catalog.glue
    for spec, _ in re.findall(_PARTITION, found[4], re.IGNORECASE):
        values = list(_spec(table, spec))
        try:
            glue.delete_partition(DatabaseName=table.database, TableName=table.name, PartitionValues=values)
        except glue.exceptions.EntityNotFoundException as error:
            if not found[3]:
                raise QueryFailed(f"SemanticException: Partition not found {_folder(table, values)}") from error
    return Result()


def _folder(table: Table, values: Any) -> str:
    return "/".join(f"{key}={value}" for key, value in zip(table.keys, values, strict=True))


def _spec(table: Table, text: str) -> tuple[str, ...]:
    given = {name.lower(): value for name, value in re.findall(r"[`\"]?(\w+)[`\"]?\s*=\s*'?([^',]*)'?", text)}
    if set(given) != set(table.keys):
        raise QueryFailed(f"SemanticException: partition spec {text} does not name the keys {', '.join(table.keys)}")
    return tuple(given[key].strip() for key in table.keys)


def _create_view(statement: Statement, found: re.Match[str]) -> Result:
    database, name = found[2] or statement.database, found[3]
    sql = re.split(r"\bAS\b", statement.sql, maxsplit=1, flags=re.IGNORECASE)[1].strip().rstrip(";")
    query = exp.Subquery(this=dialect.parse(sql), alias=exp.TableAlias(this=exp.to_identifier("v")))
    empty = statement.rows(exp.select("*").from_(query).limit(0))
    columns = [{"name": f.name, "type": results.type_name(f.type)[0]} for f in empty.schema]
    view = {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "StorageDescriptor": {"Columns": [{"Name": c["name"], "Type": c["type"]} for c in columns], "Location": ""},
        "ViewOriginalText": athena_catalog.view_text(sql, statement.database, columns),
        "ViewExpandedText": "/* Presto View */",
    }
    glue = statement.catalog.glue
    exists = name in {t["Name"] for t in glue.get_tables(DatabaseName=database, Expression=name)["TableList"]}
    if exists and not found[1]:
        raise QueryFailed(f"VIEW_ALREADY_EXISTS: View already exists: 'awsdatacatalog.{database}.{name}'")
    (glue.update_table if exists else glue.create_table)(DatabaseName=database, TableInput=view)
    return Result()


def _drop(statement: Statement, found: re.Match[str]) -> Result:
    database, name = found[3] or statement.database, found[4]
    glue = statement.catalog.glue
    try:
        kind = glue.get_table(DatabaseName=database, Name=name)["Table"].get("TableType")
    except glue.exceptions.EntityNotFoundException as error:
        if found[2]:
            return Result()
        raise QueryFailed(f"{found[1].upper()}_NOT_FOUND: 'awsdatacatalog.{database}.{name}' does not exist") from error
    if (kind == "VIRTUAL_VIEW") != (found[1].upper() == "VIEW"):
        raise QueryFailed(f"NOT_SUPPORTED: {name} is not a {found[1].lower()}")
    glue.delete_table(DatabaseName=database, Name=name)
    return Result()


def _create_table_as(statement: Statement, found: re.Match[str]) -> Result:
    """Store the rows as Parquet objects, written as the caller, and register the table and its partitions."""
    database, name = found[1] or statement.database, found[2].lower()
    options = _options(statement.tree)
    if options.pop("format", "PARQUET").upper() != "PARQUET":
        raise QueryFailed("NOT_SUPPORTED: not supported locally: CREATE TABLE AS in another format than PARQUET")
    keys = options.pop("partitioned_by", [])
    location = options.pop("external_location", f"{statement.output}tables/{uuid.uuid4()}").rstrip("/") + "/"
    if options:
        raise QueryFailed(f"NOT_SUPPORTED: not supported locally: table property {', '.join(options)}")
    rows = statement.rows(statement.tree.expression)
    columns = [{"Name": f.name.lower(), "Type": _hive_type(f.type)} for f in rows.schema]
    first_key = len(columns) - len(keys)
    if keys != [column["Name"] for column in columns[first_key:]]:
        raise QueryFailed(f"CONSTRAINT_VIOLATION: partition columns {keys} must be the last columns of the query")
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    if statement.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents"):
        raise QueryFailed(f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{name}' already exists: {location}")
    entry = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "StorageDescriptor": {**_PARQUET_STORAGE, "Columns": columns[:first_key], "Location": location},
        "PartitionKeys": columns[first_key:],
    }
    statement.catalog.glue.create_table(DatabaseName=database, TableInput=entry)
    with tempfile.TemporaryDirectory() as folder:
        named = {"basename_template": f"{uuid.uuid4()}-{{i}}.parquet", "partitioning_flavor": "hive" if keys else None}
        ds.write_dataset(rows, folder, format="parquet", partitioning=rows.column_names[first_key:], **named)
        for file in Path(folder).rglob("*.parquet"):
            key = prefix + file.relative_to(folder).as_posix()
            statement.s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    if keys:
        _register_folders(statement, statement.catalog.table(database, name))
    return Result()


def _options(tree: exp.Expr) -> dict[str, Any]:
    """The properties of WITH (…), names in lower case."""
    options: dict[str, Any] = {}
    for node in (tree.args.get("properties") or exp.Properties()).expressions:
        if isinstance(node, exp.FileFormatProperty):
            options["format"] = node.this.name
        elif isinstance(node, exp.PartitionedByProperty):
            options["partitioned_by"] = [part.name.lower() for part in node.this.expressions]
        else:
            options[node.name.lower()] = node.args["value"].name
    return options


def _hive_type(arrow: pa.DataType) -> str:
    if pa.types.is_list(arrow):
        return f"array<{_hive_type(arrow.value_type)}>"
    name, precision, scale = results.type_name(arrow)
    if name in ("map", "row", "timestamp with time zone"):
        raise QueryFailed(f"NOT_SUPPORTED: not supported locally: a column of type {name} in a new table")
    return f"decimal({precision},{scale})" if name == "decimal" else _HIVE_NAMES.get(name, name)


_ACTIONS: list[tuple[str, Callable[[Statement, re.Match[str]], Result]]] = [
    (r"SHOW (?:DATABASES|SCHEMAS)", _show_databases),
    (rf"SHOW TABLES(?: IN {_NAME})?(?: '([^']*)')?", _show_tables),
    (rf"SHOW PARTITIONS {_TABLE}", _show_partitions),
    (rf"(?:DESCRIBE|DESC)(?: FORMATTED| EXTENDED)? {_TABLE}", _describe),
    (rf"MSCK REPAIR TABLE {_TABLE}", _repair),
    (rf"ALTER TABLE {_TABLE} ADD (IF NOT EXISTS )?(PARTITION.*)", _add_partition),
    (rf"ALTER TABLE {_TABLE} DROP (IF EXISTS )?(PARTITION.*)", _drop_partition),
    (rf"CREATE (OR REPLACE )?VIEW {_TABLE} AS .*", _create_view),
    (rf"DROP (VIEW|TABLE) (IF EXISTS )?{_TABLE}", _drop),
    (rf"CREATE TABLE {_TABLE}(?: WITH \(.*?\))? AS .*", _create_table_as),
]
