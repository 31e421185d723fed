"""Glue job runs.

AWS: StartJobRun runs the job's script on Spark with the job's role and reports states, logs and an event.
MiniStack: a Spark run is SUCCEEDED without anything having run, also when the script is missing; a stopped run goes on.
Added: the script from S3 really runs, in a process group of its own, with the role's session and nothing else of this
process; states, timeout, stop, retries, concurrency, logs and the "Glue Job State Change" event are what became of that
process. A job type or argument that is not supported is an error.
"""

import atexit
import contextlib
import contextvars
import secrets
import shutil
import threading
import time
from typing import Any

from localaws import clock, events, glue_process
from localaws.patching import replace

# An advance of the clock lets jobs finish that started on the way, but waits no longer than this for one that hangs.
PATIENCE_SECONDS = 60

# What a run takes over from its job, unless it is started with something else.
SIZE_FIELDS = ("WorkerType", "NumberOfWorkers", "MaxCapacity", "GlueVersion", "ExecutionClass", "SecurityConfiguration")

UNFINISHED = ("STARTING", "RUNNING", "STOPPING")

# Severity and message as in AWS's examples of the event.
EVENTS = {
    "SUCCEEDED": ("INFO", "Job run succeeded"),
    "FAILED": ("ERROR", "Job failed"),
    "TIMEOUT": ("WARN", "Job run timed out"),
    "STOPPED": ("INFO", "Job run stopped"),
}

_one_at_a_time = threading.Lock()
_processes: dict[str, glue_process.Process] = {}


def install() -> None:
    """Replace the four actions of job runs; at the end of this process no job of it goes on."""
    from ministack.services import glue

    replace(glue, "_start_job_run", _start_job_run)
    replace(glue, "_get_job_run", _get_job_run)
    replace(glue, "_get_job_runs", _get_job_runs)
    replace(glue, "_batch_stop_job_run", _batch_stop_job_run)
    shutil.rmtree(glue_process.runs_folder(), ignore_errors=True)  # of a process that was killed
    atexit.register(stop_all)
    clock.subscribe(_wait_until_finished)


def running() -> list[str]:
    """Ids of the runs that have not ended."""
    return list(_processes)


def stop_all() -> None:
    """Kill the process groups of all runs."""
    for process in list(_processes.values()):
        process.kill()


def _wait_until_finished(_now: Any) -> None:
    for process in list(_processes.values()) if clock.advancing() else []:
        patience = PATIENCE_SECONDS - (clock.real_now() - process.created).total_seconds()
        process.ended.wait(max(patience, 0))


def _start_job_run(data: dict[str, Any]) -> Any:
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import glue

    name = data.get("JobName", "")
    job = glue._jobs.get(name)
    if job is None:
        return _no_entity(f"Failed to start job run due to missing metadata: {name}")
    kind = job.get("Command", {}).get("Name")
    if kind != "glueetl":
        text = f"jobs of type {kind} are not supported locally, only glueetl"
        return error_response_json("InvalidInputException", text)
    with _one_at_a_time:
        active = [run for run in glue._job_runs.get(name) or [] if run["JobRunState"] in UNFINISHED]
        if len(active) >= (job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns", 1):
            return error_response_json("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}")
        run = _start(name, job, data, f"jr_{secrets.token_hex(32)}", 0)
    return json_response({"JobRunId": run["Id"]})


def _start(name: str, job: dict[str, Any], data: dict[str, Any], run_id: str, attempt: int) -> dict[str, Any]:
    from ministack.services import glue

    run = _new_run(name, job, data, run_id, attempt)
    if name not in glue._job_runs:
        glue._job_runs[name] = []
    glue._job_runs[name].insert(0, run)
    _processes[run["Id"]] = process = glue_process.Process(job, run)
    # The stores of MiniStack are scoped by context variables, which a thread does not inherit.
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_run, job, run, data, process), name=run["Id"], daemon=True).start()
    return run


def _new_run(name: str, job: dict[str, Any], data: dict[str, Any], run_id: str, attempt: int) -> dict[str, Any]:
    now = time.time()
    run: dict[str, Any] = {
        "Id": f"{run_id}_attempt_{attempt}" if attempt else run_id,
        "Attempt": attempt,
        "JobName": name,
        "StartedOn": now,
        "LastModifiedOn": now,
        "JobRunState": "STARTING",
        "Arguments": data.get("Arguments") or {},
        "PredecessorRuns": [],
        "ExecutionTime": 0,
        "Timeout": data.get("Timeout") or job.get("Timeout") or 480,
        "LogGroupName": glue_process.LOG_GROUP,
    }
    if attempt:
        run["PreviousRunId"] = run_id if attempt == 1 else f"{run_id}_attempt_{attempt - 1}"
    for field in SIZE_FIELDS:
        if value := data.get(field) or job.get(field):
            run[field] = value
    return run


def _run(job: dict[str, Any], run: dict[str, Any], data: dict[str, Any], process: glue_process.Process) -> None:
    state, message = "FAILED", "localaws could not run the job; see its log"
    try:
        state, message = process.run()
    finally:
        _finish(run, state, message)
        retries = job.get("MaxRetries") or 0
        if state in ("FAILED", "TIMEOUT") and run["Attempt"] < retries:
            _start(run["JobName"], job, data, run["Id"].partition("_attempt_")[0], run["Attempt"] + 1)
        del _processes[run["Id"]]
        process.ended.set()


def _finish(run: dict[str, Any], state: str, message: str) -> None:
    run["CompletedOn"] = run["LastModifiedOn"] = time.time()
    run["ExecutionTime"] = int(run["CompletedOn"] - run["StartedOn"])
    if message:
        run["ErrorMessage"] = message
    run["JobRunState"] = state
    severity, text = EVENTS[state]
    detail = {"jobName": run["JobName"], "severity": severity, "state": state, "jobRunId": run["Id"]}
    events.emit("aws.glue", "Glue Job State Change", {**detail, "message": message or text})


def _get_job_run(data: dict[str, Any]) -> Any:
    from ministack.core.responses import json_response

    run = _find(data.get("JobName", ""), data.get("RunId", ""))
    return json_response({"JobRun": run}) if run else _no_entity(f"Job run {data.get('RunId')} not found")


def _get_job_runs(data: dict[str, Any]) -> Any:
    """Newest first, in pages, as AWS answers."""
    from ministack.core.responses import json_response
    from ministack.services import glue

    name = data.get("JobName", "")
    if name not in glue._jobs:
        return _no_entity(f"Job {name} not found")
    first = int(data.get("NextToken") or 0)
    last = first + int(data.get("MaxResults") or 200)
    runs = glue._job_runs.get(name) or []
    more = {"NextToken": str(last)} if last < len(runs) else {}
    return json_response({"JobRuns": runs[first:last], **more})


def _batch_stop_job_run(data: dict[str, Any]) -> Any:
    from ministack.core.responses import json_response

    name, stopped, refused = data.get("JobName", ""), [], []
    for run_id in data.get("JobRunIds") or []:
        run, entry = _find(name, run_id), {"JobName": name, "JobRunId": run_id}
        if run is None:
            refused.append({**entry, "ErrorDetail": _detail("EntityNotFoundException", f"Job run {run_id} not found")})
        elif run["JobRunState"] not in UNFINISHED or run_id not in _processes:
            text = f"Job run {run_id} is {run['JobRunState']} and cannot be stopped"
            refused.append({**entry, "ErrorDetail": _detail("IllegalJobRunStateException", text)})
        else:
            _stop(run)
            stopped.append(entry)
    return json_response({"SuccessfulSubmissions": stopped, "Errors": refused})


def _stop(run: dict[str, Any]) -> None:
    run["JobRunState"] = "STOPPING"
    # It may end by itself in this very moment; then there is nothing to stop.
    with contextlib.suppress(KeyError):
        _processes[run["Id"]].stop()


def _find(name: str, run_id: str) -> dict[str, Any] | None:
    from ministack.services import glue

    return next((run for run in glue._job_runs.get(name) or [] if run["Id"] == run_id), None)


def _detail(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _no_entity(message: str) -> Any:
    from ministack.core.responses import error_response_json

    return error_response_json("EntityNotFoundException", message)
