"""Partitions by statement: SHOW PARTITIONS, MSCK REPAIR TABLE, ALTER TABLE ADD and DROP PARTITION."""

import re
import urllib.parse
from typing import Any

from localaws import athena_catalog, athena_results
from localaws.athena_errors import QueryFailed
from localaws.athena_results import Result
from localaws.athena_statement import Statement, table_of


def show_partitions(statement: Statement, found: re.Match[str]) -> Result:
    """Answer the partitions as folder names."""
    table = table_of(statement, found)
    if not table.keys:
        raise QueryFailed(f"FAILED: Execution Error. Table {table.name} is not a partitioned table")
    names = [_folder(table, [str(v) for v in p.values]) for p in statement.catalog.partitions(table)]
    return athena_results.of_lines("partition", sorted(names))


def repair(statement: Statement, found: re.Match[str]) -> Result:
    """Register the Hive-style folders that are not registered; what has lost its folder stays, as in Athena."""
    table = table_of(statement, found)
    known = {partition.values for partition in statement.catalog.partitions(table)}
    missing = {}
    for texts, location in _folders(statement.s3, table).items():
        values = [athena_catalog.partition_value(t, k) for t, k in zip(texts, table.keys.values(), strict=True)]
        if tuple(values) not in known:
            missing[texts] = location
    statement.catalog.add_partitions(table, missing)
    if not missing:
        return Result()
    named = [f"{table.name}:{_folder(table, list(texts))}" for texts in sorted(missing)]
    repaired = [f"Repair: Added partition to metastore {name}" for name in named]
    return athena_results.of_lines("result", [f"Partitions not in metastore:\t{chr(9).join(named)}", *repaired])


def add_partition(statement: Statement, found: re.Match[str]) -> Result:
    """Register the named partitions; without a location they are in the folder of their name."""
    table = table_of(statement, found)
    known = {partition.values for partition in statement.catalog.partitions(table)}
    added = {}
    for spec, location in re.findall(r"PARTITION\s*\(([^)]*)\)(?:\s*LOCATION\s*'([^']*)')?", found[4], re.IGNORECASE):
        texts = _spec(table, spec)
        values = tuple(athena_catalog.partition_value(t, k) for t, k in zip(texts, table.keys.values(), strict=True))
        if values not in known:
            added[texts] = location or f"{table.location.rstrip('/')}/{_folder(table, list(texts))}/"
        elif not found[3]:
            raise QueryFailed(f"AlreadyExistsException: Partition already exists: {_folder(table, list(texts))}")
    statement.catalog.add_partitions(table, added)
    return Result()


def drop_partition(statement: Statement, found: re.Match[str]) -> Result:
    """Forget the named partitions; their data stays."""
    table = table_of(statement, found)
    for spec in re.findall(r"PARTITION\s*\(([^)]*)\)", found[4], re.IGNORECASE):
        values = list(_spec(table, spec))
        try:
            statement.catalog.glue.delete_partition(
                DatabaseName=table.database, TableName=table.name, PartitionValues=values
            )
        except statement.catalog.glue.exceptions.EntityNotFoundException as error:
            if not found[3]:
                raise QueryFailed(f"SemanticException: Partition not found {_folder(table, values)}") from error
    return Result()


def _folder(table: athena_catalog.Table, texts: list[str]) -> str:
    return "/".join(f"{key}={text}" for key, text in zip(table.keys, texts, strict=True))


def _spec(table: athena_catalog.Table, text: str) -> tuple[str, ...]:
    given = {name.lower(): value for name, value in re.findall(r"[`\"]?(\w+)[`\"]?\s*=\s*'?([^',]*)'?", text)}
    if set(given) != set(table.keys):
        raise QueryFailed(f"SemanticException: partition spec {text} does not name the keys {', '.join(table.keys)}")
    return tuple(given[key].strip() for key in table.keys)


def _folders(s3: Any, table: athena_catalog.Table) -> dict[tuple[str, ...], str]:
    """Partition values, as text, of the folders below the table, to their locations."""
    bucket, _, prefix = table.location.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    pattern = "".join(rf"{re.escape(key)}=([^/]+)/" for key in table.keys)
    folders = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if found := re.match(pattern, entry["Key"].removeprefix(prefix)):
                texts = tuple(urllib.parse.unquote(text) for text in found.groups())
                folders[texts] = f"s3://{bucket}/{prefix}{found[0]}"
    return folders
