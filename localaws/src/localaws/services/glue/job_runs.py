"""Glue job runs.

AWS: StartJobRun runs the job's script on Spark with the job's role and reports states, logs and an event.
MiniStack: a Spark run is SUCCEEDED without anything having run, also when the script is missing; a stopped run goes on.
Added: the script from S3 really runs (glue_process.py); states, timeout, stop, retries, concurrency, logs and the "Glue
Job State Change" event are what became of that process. A job type or argument that is not supported is an error.
"""

import atexit
import contextlib
import datetime
import secrets
import shutil
import threading
import time
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import glue

from localaws.core import clock
from localaws.core.patching import replace
from localaws.services.eventbridge import rules
from localaws.services.glue import process as glue_process

# How often an advance of the clock, which lets jobs finish, looks whether one of them hangs.
LOOK_SECONDS = 1

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
    replace(glue, "_start_job_run", _start_job_run)
    replace(glue, "_get_job_run", _get_job_run)
    replace(glue, "_get_job_runs", _get_job_runs)
    replace(glue, "_batch_stop_job_run", _batch_stop_job_run)
    shutil.rmtree(glue_process.runs_folder(), ignore_errors=True)  # of a process that was killed
    atexit.register(_kill_all)
    clock.subscribe(_wait_until_finished)


def running() -> list[str]:
    """Ids of the runs that have not ended."""
    return list(_processes)


def _kill_all() -> None:
    for process in list(_processes.values()):
        process.kill()


def _wait_until_finished(_now: datetime.datetime) -> None:
    for process in list(_processes.values()) if clock.advancing() else []:
        while not process.hangs() and not process.ended.wait(LOOK_SECONDS):
            pass


def _start_job_run(data: dict[str, Any]) -> Any:
    name = data.get("JobName", "")
    job = glue._jobs.get(name)
    if job is None:
        return _no_entity(f"Failed to start job run due to missing metadata: {name}")
    if (kind := job.get("Command", {}).get("Name")) != "glueetl":
        text = f"jobs of type {kind} are not supported locally, only glueetl"
        return error_response_json("InvalidInputException", text)
    with _one_at_a_time:
        active = [run for run in glue._job_runs.get(name) or [] if run["JobRunState"] in UNFINISHED]
        if len(active) >= (job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns", 1):
            return error_response_json("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}")
        run = _start(job, data, f"jr_{secrets.token_hex(32)}", 0)
    return json_response({"JobRunId": run["Id"]})


def _start(job: dict[str, Any], data: dict[str, Any], first_id: str, attempt: int) -> dict[str, Any]:
    now = time.time()
    attempts = [first_id, *(f"{first_id}_attempt_{number}" for number in range(1, attempt + 1))]
    run = {
        "Id": attempts[-1],
        "Attempt": attempt,
        **({"PreviousRunId": attempts[-2]} if attempt else {}),
        "JobName": job["Name"],
        "StartedOn": now,
        "LastModifiedOn": now,
        "JobRunState": "STARTING",
        "Arguments": data.get("Arguments") or {},
        "PredecessorRuns": [],
        "ExecutionTime": 0,
        "Timeout": data.get("Timeout") or job.get("Timeout") or 480,
        "LogGroupName": glue_process.log_group(job, data.get("Arguments") or {}),
        **{field: value for field in SIZE_FIELDS if (value := data.get(field) or job.get(field))},
    }
    glue._job_runs[job["Name"]] = [run, *(glue._job_runs.get(job["Name"]) or [])]
    _processes[run["Id"]] = process = glue_process.Process(job, run)
    threading.Thread(target=_run, args=(job, run, data, process), name=run["Id"], daemon=True).start()
    return run


def _run(job: dict[str, Any], run: dict[str, Any], data: dict[str, Any], process: glue_process.Process) -> None:
    state, message = "FAILED", "localaws could not run the job; see its log"
    try:
        state, message = process.run()
    finally:
        _finish(run, state, message)
        if state in ("FAILED", "TIMEOUT") and run["Attempt"] < (job.get("MaxRetries") or 0):
            _start(job, data, run["Id"].partition("_attempt_")[0], run["Attempt"] + 1)
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
    rules.emit("aws.glue", "Glue Job State Change", {**detail, "message": message or text})


def _get_job_run(data: dict[str, Any]) -> Any:
    run = _find(data.get("JobName", ""), data.get("RunId", ""))
    return json_response({"JobRun": run}) if run else _no_entity(f"Job run {data.get('RunId')} not found")


def _get_job_runs(data: dict[str, Any]) -> Any:
    """Newest first, in pages, as AWS answers."""
    name = data.get("JobName", "")
    if name not in glue._jobs:
        return _no_entity(f"Job {name} not found")
    first = int(data.get("NextToken") or 0)
    last = first + int(data.get("MaxResults") or 200)
    runs = glue._job_runs.get(name) or []
    return json_response({"JobRuns": runs[first:last], **({"NextToken": str(last)} if last < len(runs) else {})})


def _batch_stop_job_run(data: dict[str, Any]) -> Any:
    name, stopped, refused = data.get("JobName", ""), [], []
    for run_id in data.get("JobRunIds") or []:
        run, entry = _find(name, run_id), {"JobName": name, "JobRunId": run_id}
        if run is None:
            refused.append({**entry, "ErrorDetail": _detail("EntityNotFoundException", f"Job run {run_id} not found")})
        elif run["JobRunState"] not in UNFINISHED or run_id not in _processes:
            text = f"Job run {run_id} is {run['JobRunState']} and cannot be stopped"
            refused.append({**entry, "ErrorDetail": _detail("IllegalJobRunStateException", text)})
        else:
            run["JobRunState"] = "STOPPING"
            with contextlib.suppress(KeyError):  # it may end by itself in this very moment
                _processes[run_id].stop()
            stopped.append(entry)
    return json_response({"SuccessfulSubmissions": stopped, "Errors": refused})


def _find(name: str, run_id: str) -> dict[str, Any] | None:
    return next((run for run in glue._job_runs.get(name) or [] if run["Id"] == run_id), None)


def _detail(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _no_entity(message: str) -> Any:
    return error_response_json("EntityNotFoundException", message)
