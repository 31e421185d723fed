"""How a command has something done: the pipeline's Glue job does it, the command waits and shows what came of it."""

import json
import sys
import time
import uuid
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.status import Status

from lake.cli.output import show
from lake.contract import model
from lake.core.errors import LakeError
from lake.core.s3 import Storage
from lake.environment import inventory
from lake.environment.deployment import Platform
from lake.operations.arguments import answer_key

_POLL_SECONDS = 1.0
_UNFINISHED = ("STARTING", "RUNNING", "STOPPING", "WAITING")
_COUNTS = ("received", "new", "replaced", "duplicate", "quarantined")


class JobDidNot(LakeError):
    """The job did not do what it was started for; the message is its reason."""


def caller(platform: Platform) -> str:
    """Who asks: the IAM ARN of a user, or of the role without the name of the session, which is a person's."""
    arn: str = platform.client("sts").get_caller_identity()["Arn"]
    if ":assumed-role/" not in arn:
        return arn
    account, role = arn.split(":")[4], arn.split("/")[1]
    return f"arn:aws:iam::{account}:role/{role}"


def answer(platform: Platform, dataset: str, operation: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Have an operation previewed or judged; the rows of its answer."""
    name = uuid.uuid4().hex
    _run(platform, dataset, operation, {**arguments, "answer": name, "preview": True})
    body = Storage(platform.client("s3")).read(platform.names["lake_bucket"], answer_key("staging/", name))
    rows: list[dict[str, Any]] = json.loads(body)
    return rows


def done(platform: Platform, dataset: str, operation: str, arguments: dict[str, Any]) -> list[inventory.Run]:
    """Have an operation done; its runs as the ledger has them, oldest first. None: there was nothing to do.

    Raises JobDidNot when the dataset is still locked by a run that died, for then nobody has even looked.
    """
    started = _run(platform, dataset, operation, arguments)
    found = [run for run in inventory.runs(platform, [dataset]) if run.started_at >= started and run.kind == operation]
    if not found and (held := inventory.held(platform, dataset)):
        raise JobDidNot(f"{dataset} is held by run {held}; nothing was done, try again then")
    return found[::-1]


def order(
    platform: Platform, dataset: str, operation: str, arguments: dict[str, Any], yes: bool, as_json: bool
) -> None:
    """Have it done, or without ``yes`` only previewed, and print a row for each run."""
    model.load(dataset)
    if yes:
        rows = [row_of_run(run) for run in done(platform, dataset, operation, arguments)]
    else:
        rows = [row_of(row) for row in answer(platform, dataset, operation, arguments)]
    show(rows, as_json, f"{operation.capitalize()} of {dataset}")
    if not yes and not as_json:
        print("Nothing was changed; --yes does it.")


def row_of(row: dict[str, Any]) -> dict[str, Any]:
    """What a preview found, as a row of the shape that runs have."""
    details = {name.replace("_", " "): value for name, value in row["details"].items() if isinstance(value, int)}
    counts = {name: row[name] for name in _COUNTS}
    return {"run": "preview", "kind": row["kind"], **counts, "units": row["units"], **details}


def row_of_run(run: inventory.Run) -> dict[str, Any]:
    """A run that has been done."""
    details = {name.replace("_", " "): value for name, value in run.details.items() if isinstance(value, int)}
    counts = {name: getattr(run, name) for name in _COUNTS}
    return {"run": run.run_id, "kind": run.kind, **counts, "units": run.units, **details}


def _run(platform: Platform, dataset: str, operation: str, arguments: dict[str, Any]) -> datetime:
    """Start the job and wait for its end; when it began to work. Raises JobDidNot with the job's reason."""
    client, job = platform.client("glue"), _job(platform, dataset, operation)
    said = {"dataset": dataset, "by": caller(platform), **arguments}
    given = {"--operation": operation, "--operation_arguments": json.dumps(said)}
    with _progress(f"{job}: {operation} of {dataset}"):
        run_id = _started(client, job, given)
        run = client.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        while run["JobRunState"] in _UNFINISHED:
            time.sleep(_POLL_SECONDS)
            run = client.get_job_run(JobName=job, RunId=run_id)["JobRun"]
    if run["JobRunState"] != "SUCCEEDED":
        raise JobDidNot(f"{job}, run {run_id}: {run.get('ErrorMessage', run['JobRunState'])}")
    started: datetime = run["StartedOn"]
    return started


def _started(client: Any, job: str, arguments: dict[str, str]) -> str:
    """Start the job as soon as no other run of it works."""
    while True:
        try:
            return str(client.start_job_run(JobName=job, Arguments=arguments)["JobRunId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConcurrentRunsExceededException":
                raise
            time.sleep(_POLL_SECONDS)


def _job(platform: Platform, dataset: str, operation: str) -> str:
    """The job of that operation where it has its own, else the one that writes the dataset; raises JobDidNot."""
    domain = model.load(dataset).domain
    pipeline = platform.names[domain]
    if operation in pipeline.get("operations", {}):
        return str(pipeline["operations"][operation])
    jobs = list(pipeline.get("jobs", {}).values())
    # Who repairs a quarantine may start the only job of a pipeline, and need not see what it is.
    writing = jobs if len(jobs) == 1 else [job for job in jobs if dataset in _written(platform, job)]
    if len(writing) != 1:
        found = "no job" if not writing else f"more than one job ({', '.join(writing)})"
        raise JobDidNot(f"{found} of {domain} writes {dataset}")
    return str(writing[0])


def _written(platform: Platform, job: str) -> dict[str, str]:
    """The datasets that a job writes, each with its place, as its arguments say."""
    arguments = platform.client("glue").get_job(JobName=job)["Job"]["DefaultArguments"]
    written: dict[str, str] = json.loads(arguments.get("--writes", "{}"))
    return written


def _progress(what: str) -> "AbstractContextManager[Status | None]":
    """A spinner on a terminal; elsewhere one line."""
    if sys.stderr.isatty():
        return Console(stderr=True).status(f"{what} …")
    print(f"{what} …", file=sys.stderr)
    return nullcontext()
