"""Run an operation in the pipeline's Glue job and wait for its result."""

import json
import sys
import time
import uuid
from contextlib import AbstractContextManager, nullcontext
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
_MOST_POLLS = 1800
_COUNTS = ("received", "new", "replaced", "duplicate", "quarantined")


class JobDidNot(LakeError):
    """The Glue job has failed; the message is its reason."""


def caller(platform: Platform) -> str:
    """Return the caller's IAM ARN; of a role without the session's name, which may be a person's."""
    arn: str = platform.client("sts").get_caller_identity()["Arn"]
    if ":assumed-role/" not in arn:
        return arn
    account, role = arn.split(":")[4], arn.split("/")[1]
    return f"arn:aws:iam::{account}:role/{role}"


def answer(platform: Platform, dataset: str, operation: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a preview or a validation in the job; returns its result rows."""
    name = uuid.uuid4().hex
    _run(platform, dataset, operation, {**arguments, "answer": name, "preview": True})
    body = Storage(platform.client("s3")).read(
        platform.names["lake_bucket"], answer_key(f"staging/{model.load(dataset).domain}/", name)
    )
    rows: list[dict[str, Any]] = json.loads(body)
    return rows


def done(platform: Platform, dataset: str, operation: str, arguments: dict[str, Any]) -> list[inventory.Run]:
    """Run an operation in the job; returns its runs from the ledger, oldest first, none if nothing was to do.

    Raises JobDidNot with the job's reason, such as another run that holds the dataset.
    """
    order = uuid.uuid4().hex
    _run(platform, dataset, operation, {**arguments, "order": order})
    return [run for run in inventory.runs(platform, [dataset]) if run.details.get("order") == order][::-1]


def submit(
    platform: Platform, dataset: str, operation: str, arguments: dict[str, Any], yes: bool, as_json: bool
) -> None:
    """Run an operation, or without ``yes`` its preview, and print a row for each run."""
    model.load(dataset)
    if yes:
        rows = [row_of_run(run) for run in done(platform, dataset, operation, arguments)]
    else:
        rows = [row_of(row) for row in answer(platform, dataset, operation, arguments)]
    show(rows, as_json, f"{operation.capitalize()} of {dataset}")
    if not yes and not as_json:
        print("Nothing was changed; --yes does it.")


def row_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return a preview's result as a row of the same shape as runs."""
    details = {name.replace("_", " "): value for name, value in row["details"].items() if isinstance(value, int)}
    counts = {name: row[name] for name in _COUNTS}
    return {"run": "preview", "kind": row["kind"], **counts, "partition files": row["partition_files"], **details}


def row_of_run(run: inventory.Run) -> dict[str, Any]:
    """Return a committed run as a row."""
    details = {name.replace("_", " "): value for name, value in run.details.items() if isinstance(value, int)}
    counts = {name: getattr(run, name) for name in _COUNTS}
    return {"run": run.run_id, "kind": run.kind, **counts, "partition files": run.partition_files, **details}


def _run(platform: Platform, dataset: str, operation: str, arguments: dict[str, Any]) -> None:
    """Start the job and wait for its end, which its time limit bounds; raises JobDidNot with the job's reason."""
    client, job = platform.client("glue"), inventory.job_of(platform, dataset, operation)
    said = {"dataset": dataset, "by": caller(platform), **arguments}
    given = {"--operation": operation, "--operation_arguments": json.dumps(said)}
    with _progress(f"{job}: {operation} of {dataset}"):
        run_id = _started(client, job, given)
        run = client.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        while run["JobRunState"] in inventory.UNFINISHED_STATES:
            time.sleep(_POLL_SECONDS)
            run = client.get_job_run(JobName=job, RunId=run_id)["JobRun"]
    if run["JobRunState"] != "SUCCEEDED":
        raise JobDidNot(f"{job}, run {run_id}: {run.get('ErrorMessage', run['JobRunState'])}")


def _started(client: Any, job: str, arguments: dict[str, str]) -> str:
    """Start the job; returns the run id.

    While as many runs as it may have are active it waits, and raises JobDidNot when that takes too long.
    """
    for _ in range(_MOST_POLLS):
        try:
            return str(client.start_job_run(JobName=job, Arguments=arguments)["JobRunId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConcurrentRunsExceededException":
                raise
            time.sleep(_POLL_SECONDS)
    raise JobDidNot(f"{job} has had all the runs that it may have for half an hour; nothing was done, try again")


def _progress(what: str) -> "AbstractContextManager[Status | None]":
    """A spinner on a terminal; elsewhere one line."""
    if sys.stderr.isatty():
        return Console(stderr=True).status(f"{what} …")
    print(f"{what} …", file=sys.stderr)
    return nullcontext()
