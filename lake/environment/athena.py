"""Run one Athena statement in the platform's workgroup and wait for its result."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lake.core.errors import LakeError

_POLL_SECONDS = 0.2


class QueryFailed(LakeError):
    """The query has failed or was cancelled; the message is Athena's reason."""


@dataclass(frozen=True)
class Answer:
    """The result of one statement: column names, rows as text (None for null), scanned bytes, milliseconds taken."""

    query_id: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    bytes_scanned: int
    milliseconds: int


def query(client: Any, workgroup: str, database: str, sql: str) -> Answer:
    """Run ``sql`` and return its result; waits for its end.

    ``client`` is a boto3 Athena client. Raises QueryFailed with Athena's reason when the query fails or is cancelled.
    """
    context = {"Catalog": "AwsDataCatalog", "Database": database}
    started = client.start_query_execution(QueryString=sql, WorkGroup=workgroup, QueryExecutionContext=context)
    execution = _finished(client, started["QueryExecutionId"])
    if execution["Status"]["State"] != "SUCCEEDED":
        raise QueryFailed(execution["Status"].get("StateChangeReason", execution["Status"]["State"]))
    columns, rows = _rows(client, started["QueryExecutionId"])
    statistics = execution["Statistics"]
    scanned, milliseconds = statistics.get("DataScannedInBytes", 0), statistics.get("TotalExecutionTimeInMillis", 0)
    return Answer(started["QueryExecutionId"], columns, rows, scanned, milliseconds)


def _finished(client: Any, query_id: str) -> dict[str, Any]:
    while True:
        execution: dict[str, Any] = client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        if execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
            return execution
        time.sleep(_POLL_SECONDS)


def _rows(client: Any, query_id: str) -> tuple[tuple[str, ...], tuple[tuple[str | None, ...], ...]]:
    pages = list(client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id))
    columns = tuple(column["Name"] for column in pages[0]["ResultSet"]["ResultSetMetadata"]["ColumnInfo"])
    rows = list(_values(pages))
    # A SELECT repeats the names of its columns as its first row; SHOW and DESCRIBE do not.
    return columns, tuple(rows[1:] if rows and rows[0] == columns else rows)


def _values(pages: list[dict[str, Any]]) -> Iterator[tuple[str | None, ...]]:
    for page in pages:
        for row in page["ResultSet"]["Rows"]:
            yield tuple(cell.get("VarCharValue") for cell in row["Data"])
