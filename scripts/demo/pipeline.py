"""A pipeline as its demo sees it: what it has deployed, and what a step of the demo may do with that."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from lake.environment import inventory
from lake.environment.deployment import Platform
from localaws.client import LocalAws

POLL_SECONDS = 0.5


class DemoFailed(Exception):
    """A step did not do what it should; the message says which and why."""


@dataclass(frozen=True)
class Pipeline:
    """A deployed pipeline; ``progress`` is shown what a step that takes long is doing."""

    platform: Platform
    name: str
    progress: Callable[[str], None] = lambda _text: None

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Call a function by its short name, e.g. ``ingest``, and return its answer. Raises DemoFailed."""
        name = self.platform.part("functions", function, self.name)
        # The function may take longer than a client's default patience, and a repeated call would be a second one.
        patient = Config(read_timeout=180, retries={"total_max_attempts": 1})
        client = self.platform.session.client("lambda", config=patient)
        answer = client.invoke(FunctionName=name, Qualifier="live", Payload=json.dumps(event).encode())
        payload: dict[str, Any] = json.load(answer["Payload"])
        if "FunctionError" in answer:
            raise DemoFailed(f"{name} failed: {payload.get('errorMessage', payload)}")
        return payload

    def run_job(self, job: str) -> int:
        """Run a Glue job by its short name to its end; returns its seconds. Raises DemoFailed with its own message."""
        client, name = self.platform.client("glue"), self.platform.part("jobs", job, self.name)
        run_id = client.start_job_run(JobName=name)["JobRunId"]
        unfinished = inventory.UNFINISHED_STATES
        while (run := client.get_job_run(JobName=name, RunId=run_id)["JobRun"])["JobRunState"] in unfinished:
            self.progress(run["JobRunState"])
            time.sleep(POLL_SECONDS)
        if run["JobRunState"] != "SUCCEEDED":
            why = run.get("ErrorMessage", "without a message")
            raise DemoFailed(f"the run of {name} ended {run['JobRunState']}: {why}")
        return int(run["ExecutionTime"])

    def put_once(self, key: str, text: str) -> None:
        """Write an object of the lake's bucket, unless it is there already."""
        client, bucket = self.platform.client("s3"), self.platform.names["lake_bucket"]
        try:
            client.put_object(Bucket=bucket, Key=key, Body=text.encode(), IfNoneMatch="*")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
                raise

    def deliver(self) -> None:
        """Have the delivery streams store what they have buffered. Raises DemoFailed when they cannot."""
        if undelivered := LocalAws.here().flush():
            raise DemoFailed(f"{undelivered} records could not be delivered")


@dataclass(frozen=True)
class Step:
    """A step of a demo; ``work`` runs again without harm, and what it returns, as JSON, stands in the summary."""

    title: str
    work: Callable[[Pipeline], Any]


@dataclass(frozen=True)
class Demo:
    """The steps of a pipeline's demo, in order, and ``questions`` to its tables: title => SQL that has rows."""

    steps: tuple[Step, ...]
    questions: dict[str, str]
