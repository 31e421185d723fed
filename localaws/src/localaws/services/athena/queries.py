"""Athena.

AWS: runs Trino over the Glue catalog with the caller's rights and writes the result to S3. MiniStack: hands the text
to DuckDB, which has other functions, other arithmetic, no partitions and all files of this machine; some statements
succeed that did nothing; the result is stored under another key than reported, the bytes scanned are the length of
the result, and the workgroup's rules are not applied. Added: executions of our own with what Athena's clients rely
on; statements that are not supported fail and say so.
"""

import functools
import logging
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, json_response
from ministack.services import athena

from localaws.core import identity, settings
from localaws.core.patching import PatchTargetMissing, replace
from localaws.services.athena import dialect, statements
from localaws.services.athena.catalog import Catalog
from localaws.services.athena.engine import Engine
from localaws.services.athena.results import QueryCancelled, QueryFailed, QueryRefused, Result
from localaws.services.athena.statements import Statement
from localaws.services.athena.storage import Storage
from localaws.services.cloudwatch import metrics

PAGE_ROWS = 1000

_engines: dict[str, Engine] = {}
_results: dict[str, Result] = {}
_requests: dict[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Rules:
    """The settings of a workgroup for a query. `output` ends with a slash; `cutoff` is in bytes."""

    workgroup: str
    output: str
    encryption: dict[str, str]
    cutoff: int | None
    publishes_metrics: bool

    def put_arguments(self) -> dict[str, str]:
        """Return the encryption as arguments of PutObject."""
        kind = {"SSE_S3": "AES256", "SSE_KMS": "aws:kms"}.get(self.encryption.get("EncryptionOption", ""))
        key = {"SSEKMSKeyId": self.encryption["KmsKey"]} if self.encryption.get("KmsKey") else {}
        return {"ServerSideEncryption": kind, **key} if kind else {}


def install() -> None:
    """Replace the life of query executions; workgroups, named queries and metadata stay MiniStack's."""
    if not hasattr(iam_evaluator, "_verified_key"):
        raise PatchTargetMissing("MiniStack has no iam_evaluator._verified_key, by which a query's caller is known")
    # It warns of each statement that it does not know; those are ours.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    replace(athena, "_start_query_execution", _start_query_execution)
    replace(athena, "_get_query_results", _get_query_results)
    replace(athena, "_stop_query_execution", _stop_query_execution)


def _start_query_execution(data: dict[str, Any]) -> Any:
    sql, token = data.get("QueryString") or "", data.get("ClientRequestToken") or str(uuid.uuid4())
    if (token, sql) in _requests:
        return json_response({"QueryExecutionId": _requests[token, sql]})
    try:
        rules = _rules(data)
        tree = dialect.parse(sql)
    except QueryRefused as error:
        return _invalid_request(str(error))
    execution = _new_execution(data, sql, rules, statements.statement_type(tree, sql))
    execution_id = _requests[token, sql] = execution["QueryExecutionId"]
    athena._executions[execution_id] = execution
    threading.Thread(target=_run, args=(execution, tree, rules, _caller()), daemon=True).start()
    return json_response({"QueryExecutionId": execution_id})


def _rules(request: dict[str, Any]) -> Rules:
    """The rules for a StartQueryExecution; raises QueryRefused when it may not run."""
    name = request.get("WorkGroup") or "primary"
    workgroup = athena._workgroups.get(name)
    if workgroup is None:
        raise QueryRefused(f"WorkGroup {name} is not found.")
    if workgroup.get("State") == "DISABLED":
        raise QueryRefused(f"WorkGroup {name} is disabled.")
    configuration = workgroup.get("Configuration") or {}
    own, asked = configuration.get("ResultConfiguration") or {}, request.get("ResultConfiguration") or {}
    # AWS enforces the configuration of a workgroup unless it says otherwise; primary is made with false.
    chosen = own if configuration.get("EnforceWorkGroupConfiguration", name != "primary") else {**own, **asked}
    if not chosen.get("OutputLocation"):
        raise QueryRefused(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    encryption = chosen.get("EncryptionConfiguration") or {}
    if encryption.get("EncryptionOption") == "CSE_KMS":
        raise QueryRefused("Client-side encryption of results (CSE_KMS) is not supported locally.")
    return Rules(
        workgroup=name,
        output=chosen["OutputLocation"].rstrip("/") + "/",
        encryption=encryption,
        cutoff=configuration.get("BytesScannedCutoffPerQuery"),
        publishes_metrics=configuration.get("PublishCloudWatchMetricsEnabled", True),
    )


def _new_execution(data: dict[str, Any], sql: str, rules: Rules, kind: str) -> dict[str, Any]:
    execution_id = str(uuid.uuid4())
    location = {"OutputLocation": f"{rules.output}{execution_id}.{'csv' if kind == 'DML' else 'txt'}"}
    return {
        "QueryExecutionId": execution_id,
        "Query": sql,
        "StatementType": kind,
        "ResultConfiguration": location | ({"EncryptionConfiguration": rules.encryption} if rules.encryption else {}),
        "QueryExecutionContext": {"Database": "default", **(data.get("QueryExecutionContext") or {})},
        "Status": {"State": "QUEUED", "SubmissionDateTime": time.time()},
        "Statistics": {"EngineExecutionTimeInMillis": 0, "DataScannedInBytes": 0, "TotalExecutionTimeInMillis": 0},
        "WorkGroup": rules.workgroup,
        "EngineVersion": {
            "SelectedEngineVersion": "AUTO",
            "EffectiveEngineVersion": "Athena engine version 3",
        },
        "ExecutionParameters": data.get("ExecutionParameters") or [],
    }


def _caller() -> tuple[tuple[str, str], ...]:
    """The environment of whoever signed the request that is served now: S3 and Glue are asked with his rights."""
    key = iam_evaluator._verified_key.get()
    credential = iam_evaluator.resolve_credential(key, settings.ACCOUNT) if key else None
    if not isinstance(credential, iam_evaluator.ResolvedCredential):
        raise PermissionError("a query needs a caller that signs its request")
    keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": credential.secret_access_key}
    token = {"AWS_SESSION_TOKEN": credential.session_token} if credential.session_token else {}
    return tuple({**keys, **token, **settings.place()}.items())


@functools.lru_cache(maxsize=32)
def _client(service: str, caller: tuple[tuple[str, str], ...]) -> Any:
    """A client of the caller. It is kept: to make one costs 100 ms, more than most queries here."""
    return identity.client(service, dict(caller))


def _run(execution: dict[str, Any], tree: Any, rules: Rules, caller: tuple[tuple[str, str], ...]) -> None:
    started, execution_id, status = time.monotonic(), execution["QueryExecutionId"], execution["Status"]
    s3 = _client("s3", caller)
    storage = Storage(s3, rules.cutoff)
    engine = _engines[execution_id] = Engine(Catalog(_client("glue", caller)), storage)
    status["State"] = "RUNNING"
    state, reason = "FAILED", "INTERNAL_ERROR: localaws could not run the query; see its log"
    try:
        if execution["ExecutionParameters"]:
            tree = dialect.with_parameters(tree, execution["ExecutionParameters"])
        database = execution["QueryExecutionContext"]["Database"].lower()
        result = statements.run(Statement(execution["Query"], tree, database, rules.output, engine, s3))
        # The file is there before the state says so: clients read it at once.
        _store(execution["ResultConfiguration"]["OutputLocation"], rules, result, s3)
        _results[execution_id] = result
        state, reason = "SUCCEEDED", ""
    except QueryFailed as error:
        reason = str(error)
        status["AthenaError"] = {"ErrorCategory": 2, "ErrorType": 1006, "Retryable": False, "ErrorMessage": reason}
    except QueryCancelled as error:
        state, reason = "CANCELLED", str(error)
    finally:
        del _engines[execution_id]
        engine.close()
        milliseconds = int((time.monotonic() - started) * 1000)
        execution["Statistics"] |= {
            "EngineExecutionTimeInMillis": milliseconds,
            "DataScannedInBytes": storage.scanned,
            "TotalExecutionTimeInMillis": milliseconds,
        }
        status |= {"CompletionDateTime": time.time(), **({"StateChangeReason": reason} if reason else {})}
        status["State"] = state
        if rules.publishes_metrics:
            about = {"QueryState": state, "QueryType": execution["StatementType"], "WorkGroup": rules.workgroup}
            metrics.put("AWS/Athena", "ProcessedBytes", about, storage.scanned, "Bytes")
            metrics.put("AWS/Athena", "TotalExecutionTime", about, milliseconds, "Milliseconds")


def _store(location: str, rules: Rules, result: Result, s3: Any) -> None:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    try:
        for name, body in ((key, result.file()), (f"{key}.metadata", result.metadata())):
            s3.put_object(Bucket=bucket, Key=name, Body=body, **rules.put_arguments())
    except ClientError as error:
        raise QueryFailed(f"Access denied or failure when writing output to url: {location}: {error}") from error


def _get_query_results(data: dict[str, Any]) -> Any:
    execution = athena._executions.get(data.get("QueryExecutionId"))
    if execution is None:
        return _invalid_request(f"QueryExecution {data.get('QueryExecutionId')} was not found")
    state = execution["Status"]["State"]
    if state != "SUCCEEDED":
        reason = execution["Status"].get("StateChangeReason", "")
        return _invalid_request(f"Query did not finish successfully. Final query state: {state} {reason}".strip())
    result = _results[execution["QueryExecutionId"]]
    rows, first = result.all_rows(), int(data.get("NextToken") or 0)
    last = first + min(int(data.get("MaxResults") or PAGE_ROWS), PAGE_ROWS)
    shown = [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in rows[first:last]]
    answer = {"ResultSet": {"Rows": shown, "ResultSetMetadata": {"ColumnInfo": result.columns}}}
    return json_response(answer | ({"NextToken": str(last)} if last < len(rows) else {}))


def _stop_query_execution(data: dict[str, Any]) -> Any:
    execution_id = data.get("QueryExecutionId", "")
    if execution_id not in athena._executions:
        return _invalid_request(f"QueryExecution {execution_id} was not found")
    if engine := _engines.get(execution_id):
        engine.interrupt()
    return json_response({})


def _invalid_request(message: str) -> Any:
    return error_response_json("InvalidRequestException", message, message_key="Message")
