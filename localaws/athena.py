"""Athena.

AWS: runs Trino over the Glue catalog with the caller's rights and writes the result to S3. MiniStack: hands the text
to DuckDB, which has other functions, other arithmetic, no partitions and all files of this machine; some statements
succeed that did nothing; the result is stored under another key than reported, the bytes scanned are the length of
the result, and the workgroup's rules are not applied. Added: executions of our own with what Athena's clients rely
on; statements that are not supported fail and say so.
"""

import contextvars
import logging
import threading
import time
import uuid
from typing import Any

from botocore.exceptions import ClientError

from localaws import athena_caller, athena_sql, athena_statements, athena_workgroup, metrics
from localaws.athena_catalog import Catalog
from localaws.athena_engine import Engine
from localaws.athena_errors import QueryCancelled, QueryFailed, QueryRefused
from localaws.athena_results import Result
from localaws.athena_statement import Statement
from localaws.athena_storage import Storage
from localaws.athena_workgroup import Rules
from localaws.patching import replace

PAGE_ROWS = 1000

_engines: dict[str, Engine] = {}
_requests: dict[tuple[str, str], str] = {}


def install() -> None:
    """Replace the life of query executions; workgroups, named queries and metadata stay MiniStack's."""
    from ministack.services import athena

    athena_caller.check()
    # It warns of each statement that it does not know; those are ours.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    replace(athena, "_start_query_execution", _start_query_execution)
    replace(athena, "_get_query_results", _get_query_results)
    replace(athena, "_stop_query_execution", _stop_query_execution)


def running() -> list[str]:
    """Ids of the executions that have not ended."""
    return list(_engines)


def _start_query_execution(data: dict[str, Any]) -> Any:
    from ministack.core.responses import json_response
    from ministack.services import athena

    sql, token = data.get("QueryString") or "", data.get("ClientRequestToken")
    if token and (token, sql) in _requests:
        return json_response({"QueryExecutionId": _requests[token, sql]})
    try:
        rules = athena_workgroup.rules(data)
        tree = athena_sql.parse(sql)
    except QueryRefused as error:
        return _invalid_request(str(error))
    execution = _new_execution(data, sql, rules, athena_statements.statement_type(tree, sql))
    athena._executions[execution["QueryExecutionId"]] = execution
    if token:
        _requests[token, sql] = execution["QueryExecutionId"]
    caller = athena_caller.credentials()
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_run, execution, tree, rules, caller), daemon=True).start()
    return json_response({"QueryExecutionId": execution["QueryExecutionId"]})


def _new_execution(data: dict[str, Any], sql: str, rules: Rules, kind: str) -> dict[str, Any]:
    execution_id = str(uuid.uuid4())
    suffix = "csv" if kind == "DML" else "txt"
    context = data.get("QueryExecutionContext") or {}
    return {
        "QueryExecutionId": execution_id,
        "Query": sql,
        "StatementType": kind,
        "ResultConfiguration": {
            "OutputLocation": f"{rules.output}{execution_id}.{suffix}",
            **({"EncryptionConfiguration": rules.encryption} if rules.encryption else {}),
        },
        "QueryExecutionContext": {"Database": "default", **context},
        "Status": {"State": "QUEUED", "SubmissionDateTime": time.time()},
        "Statistics": {"EngineExecutionTimeInMillis": 0, "DataScannedInBytes": 0, "TotalExecutionTimeInMillis": 0},
        "WorkGroup": rules.workgroup,
        "EngineVersion": {
            "SelectedEngineVersion": "AUTO",
            "EffectiveEngineVersion": "Athena engine version 3",
        },
        "ExecutionParameters": data.get("ExecutionParameters") or [],
        "_result": Result(),
    }


def _run(execution: dict[str, Any], tree: Any, rules: Rules, caller: dict[str, str]) -> None:
    started = time.monotonic()
    s3 = athena_caller.client("s3", caller)
    storage = Storage(s3, rules.cutoff)
    engine = Engine(Catalog(athena_caller.client("glue", caller)), storage)
    _engines[execution["QueryExecutionId"]] = engine
    execution["Status"]["State"] = "RUNNING"
    state, reason = "FAILED", "INTERNAL_ERROR: localaws could not run the query; see its log"
    try:
        execution["_result"] = result = _result(execution, tree, rules, engine, s3)
        # The file is there before the state says so: clients read it at once.
        _store(execution, rules, result, s3)
        state, reason = "SUCCEEDED", ""
    except QueryFailed as error:
        reason = str(error)
    except QueryCancelled as error:
        state, reason = "CANCELLED", str(error)
    finally:
        del _engines[execution["QueryExecutionId"]]
        engine.close()
        _finish(execution, state, reason, storage.scanned, int((time.monotonic() - started) * 1000))
        _measure(execution, rules)


def _result(execution: dict[str, Any], tree: Any, rules: Rules, engine: Engine, s3: Any) -> Result:
    if execution["ExecutionParameters"]:
        tree = athena_sql.with_parameters(tree, execution["ExecutionParameters"])
    database = execution["QueryExecutionContext"]["Database"].lower()
    return athena_statements.run(Statement(execution["Query"], tree, database, rules.output, engine, s3))


def _store(execution: dict[str, Any], rules: Rules, result: Result, s3: Any) -> None:
    location = execution["ResultConfiguration"]["OutputLocation"]
    bucket, _, key = location.removeprefix("s3://").partition("/")
    try:
        for name, body in ((key, result.file()), (f"{key}.metadata", result.metadata())):
            s3.put_object(Bucket=bucket, Key=name, Body=body, **rules.put_arguments())
    except ClientError as error:
        raise QueryFailed(f"Access denied or failure when writing output to url: {location}: {error}") from error


def _finish(execution: dict[str, Any], state: str, reason: str, scanned: int, milliseconds: int) -> None:
    execution["Statistics"] = {
        "EngineExecutionTimeInMillis": milliseconds,
        "DataScannedInBytes": scanned,
        "TotalExecutionTimeInMillis": milliseconds,
        "QueryQueueTimeInMillis": 0,
        "QueryPlanningTimeInMillis": 0,
        "ServiceProcessingTimeInMillis": 0,
        "ResultReuseInformation": {"ReusedPreviousResult": False},
    }
    execution["Status"]["CompletionDateTime"] = time.time()
    if reason:
        execution["Status"]["StateChangeReason"] = reason
    if state == "FAILED":
        error = {"ErrorCategory": 2, "ErrorType": 1006, "Retryable": False, "ErrorMessage": reason}
        execution["Status"]["AthenaError"] = error
    execution["Status"]["State"] = state


def _measure(execution: dict[str, Any], rules: Rules) -> None:
    if not rules.publishes_metrics:
        return
    dimensions = {
        "QueryState": execution["Status"]["State"],
        "QueryType": execution["StatementType"],
        "WorkGroup": rules.workgroup,
    }
    statistics = execution["Statistics"]
    metrics.put("AWS/Athena", "ProcessedBytes", dimensions, statistics["DataScannedInBytes"], "Bytes")
    milliseconds = statistics["TotalExecutionTimeInMillis"]
    metrics.put("AWS/Athena", "TotalExecutionTime", dimensions, milliseconds, "Milliseconds")


def _get_query_results(data: dict[str, Any]) -> Any:
    from ministack.core.responses import json_response
    from ministack.services import athena

    execution = athena._executions.get(data.get("QueryExecutionId"))
    if execution is None:
        return _invalid_request(f"QueryExecution {data.get('QueryExecutionId')} was not found")
    state = execution["Status"]["State"]
    if state != "SUCCEEDED":
        reason = execution["Status"].get("StateChangeReason", "")
        return _invalid_request(f"Query did not finish successfully. Final query state: {state} {reason}".strip())
    result: Result = execution["_result"]
    rows, first = result.all_rows(), int(data.get("NextToken") or 0)
    last = first + min(int(data.get("MaxResults") or PAGE_ROWS), PAGE_ROWS)
    answer: dict[str, Any] = {
        "ResultSet": {
            "Rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in rows[first:last]],
            "ResultSetMetadata": {"ColumnInfo": result.columns},
        }
    }
    if result.update_count is not None:
        answer["UpdateCount"] = result.update_count
    if last < len(rows):
        answer["NextToken"] = str(last)
    return json_response(answer)


def _stop_query_execution(data: dict[str, Any]) -> Any:
    from ministack.core.responses import json_response
    from ministack.services import athena

    execution_id = data.get("QueryExecutionId", "")
    if execution_id not in athena._executions:
        return _invalid_request(f"QueryExecution {execution_id} was not found")
    if engine := _engines.get(execution_id):
        engine.interrupt()
    return json_response({})


def _invalid_request(message: str) -> Any:
    from ministack.core.responses import error_response_json

    return error_response_json("InvalidRequestException", message, message_key="Message")
