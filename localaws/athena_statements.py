"""Everything but queries: SHOW, DESCRIBE, MSCK REPAIR, partitions, views, CREATE TABLE AS and INSERT.

One function for each kind of statement; a statement that none of them takes is not supported and fails.
"""

import re
from collections.abc import Callable

import pyarrow as pa
from botocore.exceptions import ClientError
from sqlglot import exp

from localaws import athena_catalog, athena_partitions, athena_results, athena_sql, athena_writes
from localaws.athena_errors import QueryFailed
from localaws.athena_results import Result
from localaws.athena_statement import Statement, table_of

_NAME = r"[`\"]?([\w-]+)[`\"]?"
_TABLE = rf"(?:{_NAME}\.)?{_NAME}"


def run(statement: Statement) -> Result:
    """Run any statement; raises QueryFailed for what Athena or this machine does not do."""
    if isinstance(statement.tree, exp.Query):
        athena_sql.check_functions(statement.sql, statement.tree)
        return athena_results.of_query(statement.engine.query(statement.tree, statement.database))
    text = " ".join(_without_comments(statement.sql).strip().rstrip(";").split())
    for pattern, action in _ACTIONS:
        if found := re.fullmatch(pattern, text, re.IGNORECASE):
            try:
                return action(statement, found)
            except ClientError as error:
                raise QueryFailed(f"FAILED: Execution Error, return code 1. {error}") from error
    raise QueryFailed(f"NOT_SUPPORTED: not supported locally: {text[:60]}")


def statement_type(tree: exp.Expr, sql: str) -> str:
    """DML, DDL or UTILITY, as GetQueryExecution tells it."""
    first = sql.split(None, 1)[0].upper().strip("(") if sql.split() else ""
    if isinstance(tree, (exp.Query, exp.Insert)):
        return "DML"
    return "UTILITY" if first == "EXPLAIN" else "DDL"


def _without_comments(sql: str) -> str:
    return re.sub(r"('[^']*'|\"[^\"]*\")|--[^\n]*|/\*.*?\*/", lambda found: found[1] or " ", sql, flags=re.DOTALL)


def _show_databases(statement: Statement, _found: re.Match[str]) -> Result:
    pages = statement.catalog.glue.get_paginator("get_databases").paginate()
    return athena_results.of_lines("database_name", sorted(d["Name"] for page in pages for d in page["DatabaseList"]))


def _show_tables(statement: Statement, found: re.Match[str]) -> Result:
    pages = statement.catalog.glue.get_paginator("get_tables").paginate(DatabaseName=found[1] or statement.database)
    pattern = (found[2] or "*").replace("*", ".*")
    names = sorted(table["Name"] for page in pages for table in page["TableList"])
    return athena_results.of_lines("tab_name", [name for name in names if re.fullmatch(pattern, name)])


def _describe(statement: Statement, found: re.Match[str]) -> Result:
    table = table_of(statement, found)
    lines = [f"{name:<20}\t{kind:<20}\t{'':<20}" for name, kind in {**table.columns, **table.keys}.items()]
    if table.keys:
        heading = f"{'# col_name':<20}\t{'data_type':<20}\t{'comment':<20}"
        keys = [f"{name:<20}\t{kind:<20}\t{'':<20}" for name, kind in table.keys.items()]
        lines += ["\t \t ", "# Partition Information\t \t ", heading, "\t \t ", *keys]
    return athena_results.of_lines("col_name", lines)


def _create_view(statement: Statement, found: re.Match[str]) -> Result:
    database, name = found[2] or statement.database, found[3]
    sql = re.split(r"\bAS\b", statement.sql, maxsplit=1, flags=re.IGNORECASE)[1].strip().rstrip(";")
    tree = athena_sql.parse(sql)
    athena_sql.check_functions(sql, tree)
    no_rows = exp.select("*").from_(exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier("v")))).limit(0)
    empty = statement.engine.query(no_rows, statement.database)
    columns = [{"name": f.name, "type": athena_results.type_name(f.type)[0]} for f in empty.schema]
    view = {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "StorageDescriptor": {"Columns": [{"Name": c["name"], "Type": c["type"]} for c in columns], "Location": ""},
        "ViewOriginalText": athena_catalog.view_text(sql, "awsdatacatalog", statement.database, columns),
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


def _create_table_as(statement: Statement, _found: re.Match[str]) -> Result:
    database, name = _target(statement)
    return Result(update_count=athena_writes.create_table(statement, database, name, _rows(statement)))


def _insert(statement: Statement, _found: re.Match[str]) -> Result:
    if isinstance(statement.tree.this, exp.Schema):
        raise QueryFailed("NOT_SUPPORTED: not supported locally: INSERT with a list of columns")
    table = statement.catalog.table(*_target(statement))
    return Result(update_count=athena_writes.insert(statement, table, _rows(statement)))


def _target(statement: Statement) -> tuple[str, str]:
    node = next(statement.tree.find_all(exp.Table))
    return node.db or statement.database, node.name


def _rows(statement: Statement) -> pa.Table:
    query = statement.tree.expression
    athena_sql.check_functions(query.sql(dialect="athena"), query)
    return statement.engine.query(query, statement.database)


_ACTIONS: list[tuple[str, Callable[[Statement, re.Match[str]], Result]]] = [
    (r"SHOW (?:DATABASES|SCHEMAS)", _show_databases),
    (rf"SHOW TABLES(?: IN {_NAME})?(?: '([^']*)')?", _show_tables),
    (rf"SHOW PARTITIONS {_TABLE}", athena_partitions.show_partitions),
    (rf"(?:DESCRIBE|DESC)(?: FORMATTED| EXTENDED)? {_TABLE}", _describe),
    (rf"MSCK REPAIR TABLE {_TABLE}", athena_partitions.repair),
    (rf"ALTER TABLE {_TABLE} ADD (IF NOT EXISTS )?(PARTITION.*)", athena_partitions.add_partition),
    (rf"ALTER TABLE {_TABLE} DROP (IF EXISTS )?(PARTITION.*)", athena_partitions.drop_partition),
    (rf"CREATE (OR REPLACE )?VIEW {_TABLE} AS .*", _create_view),
    (rf"DROP (VIEW|TABLE) (IF EXISTS )?{_TABLE}", _drop),
    (rf"CREATE TABLE {_TABLE}(?: WITH \(.*?\))? AS .*", _create_table_as),
    (rf"INSERT INTO {_TABLE} .*", _insert),
]
