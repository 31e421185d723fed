"""A deployed lake on localaws, and what people, schedules and data do to it."""

# ruff: noqa: S608 - what stands in the statements are constants of tests and drills

import functools
import gzip
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from lake.core.s3 import Location
from lake.environment import athena, deployment, inventory
from localaws.client import LocalAws

REPOSITORY = Path(__file__).parents[1]
# For what hangs only: how fast this machine is decides nothing.
RUN_DEADLINE_SECONDS = 3600
# CloudWatch believes the last real data point until it is three periods of five minutes old.
FORGOTTEN_SECONDS = 1260
# CloudWatch looks at an alarm once a minute: until then it does not ring.
LOOK_SECONDS = 60


class Unfinished(Exception):
    """A job run did not end in time."""


@dataclass(frozen=True)
class Invocation:
    """The response of a function; ``error`` is the FunctionError, empty when it succeeded."""

    payload: Any
    error: str


@dataclass(frozen=True)
class Lake(LocalAws):
    """dev, deployed in a localaws.

    ``terraform_data`` is the folder where Terraform keeps its plugins (TF_DATA_DIR). ``pipeline`` is the one that
    functions, job and stream belong to; empty for any.
    """

    terraform_data: Path
    pipeline: str = ""

    @functools.cached_property
    def names(self) -> dict[str, Any]:
        """Terraform's output object ``platform``."""
        value = self.client("ssm").get_parameter(Name=f"/lake/{deployment.project()}/dev")["Parameter"]["Value"]
        return dict(json.loads(value))

    @functools.cached_property
    def pipelines(self) -> dict[str, dict[str, Any]]:
        """The registration of each deployed pipeline, by its name."""
        return deployment.registered(self.client("ssm"), f"/lake/{deployment.project()}/dev/pipelines")

    @property
    def platform(self) -> deployment.Platform:
        """The lake as the commands of `lake` see it."""
        return deployment.Platform("dev", self.names, self, self.pipelines)

    @property
    def bucket(self) -> str:
        """The lake's bucket."""
        return str(self.names["lake_bucket"])

    @property
    def job(self) -> str:
        """The name of the pipeline's job, of which it has one."""
        return self.part("jobs")

    @property
    def stream(self) -> str:
        """The name of the pipeline's delivery stream, of which it has one."""
        return self.part("streams")

    def of(self, pipeline: str) -> Self:
        """This lake as one pipeline has it: functions, job and stream are those of the pipeline."""
        return replace(self, pipeline=pipeline)

    def reset_simulators(self) -> None:
        """Let every service outside AWS answer again."""
        for name in self.ask("health")["simulators"]:
            self.break_simulator(name)

    def part(self, kind: str, name: str | None = None) -> str:
        """The full name of the pipeline's part of that kind and short name, of the only one without a name."""
        return deployment.part(self.pipelines, kind, name, self.pipeline or None)

    def function(self, name: str) -> str:
        """The full name of one of the pipeline's functions."""
        return self.part("functions", name)

    def ringing(self) -> set[str]:
        """The names of the alarms in state ALARM."""
        return {
            alarm["AlarmName"]
            for alarm in self.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
        }

    def wait_until_alarms_are_over(self) -> None:
        """Let time pass when a failure that some test wanted is still news, or becomes news with the next look."""
        self.advance(LOOK_SECONDS)
        if self.ringing():
            self.advance(FORGOTTEN_SECONDS)

    def command(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the repository as its administrator would; standard error is part of what it says."""
        kept = {name: value for name, value in self.process_environment().items() if not name.startswith("TF_VAR_")}
        without = {name: value for name, value in kept.items() if name not in ("CONFIRM", "ALERT_EMAIL")}
        environment = {**without, "TF_DATA_DIR": str(self.terraform_data), **variables}
        return subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=RUN_DEADLINE_SECONDS,
        )

    def terraform(self, action: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run scripts.terraform for dev: make has one exit code for all that goes wrong, this has Terraform's."""
        return self.command(sys.executable, "-m", "scripts.terraform", action, "--env", "dev", **variables)

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        """Call a function of the pipeline, once, and wait for its answer."""
        patient = Config(read_timeout=RUN_DEADLINE_SECONDS, retries={"total_max_attempts": 1})
        client = self.client("lambda", patient)
        called = {"FunctionName": self.function(function), "Qualifier": "live"}
        answer = client.invoke(**called, Payload=json.dumps(event).encode())
        return Invocation(json.load(answer["Payload"]), answer.get("FunctionError", ""))

    def send_event(self, function: str, event: dict[str, Any]) -> None:
        """Call a function of the pipeline as a schedule does, without waiting for its answer."""
        called = {"FunctionName": self.function(function), "Qualifier": "live"}
        self.client("lambda").invoke(**called, InvocationType="Event", Payload=json.dumps(event).encode())

    def start_job(self) -> str:
        """Start the pipeline's job; the run's id."""
        return str(self.client("glue").start_job_run(JobName=self.job)["JobRunId"])

    def ended(self, run_id: str, job: str | None = None) -> dict[str, Any]:
        """Wait for the end of a run of the pipeline's job, or of ``job``; raises Unfinished when it takes too long."""
        client = self.client("glue")
        deadline = time.monotonic() + RUN_DEADLINE_SECONDS
        while time.monotonic() < deadline:
            run: dict[str, Any] = client.get_job_run(JobName=job or self.job, RunId=run_id)["JobRun"]
            if run["JobRunState"] not in inventory.UNFINISHED_STATES:
                return run
            time.sleep(0.2)
        raise Unfinished(f"the run {run_id} did not end within {RUN_DEADLINE_SECONDS} s")

    def run_job(self) -> dict[str, Any]:
        """Start the pipeline's job and wait for the end of the run."""
        return self.ended(self.start_job())

    def pseudonym_key(self) -> str:
        """The secret with the versions of the pseudonym key, read as its keeper: the administrator cannot."""
        made = self.client("sts").assume_role(RoleArn=self.names["key_role"], RoleSessionName="test")["Credentials"]
        keys = (made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
        session = boto3.Session(*keys, region_name=self.names["region"])
        client = session.client("secretsmanager", endpoint_url=self.endpoint)
        return str(client.get_secret_value(SecretId=self.names["pseudonym_key"])["SecretString"])

    def job_log_groups(self, job: str | None = None) -> tuple[str, ...]:
        """The log groups of a job by its full name, of the pipeline's only one without."""
        return tuple(f"/aws-glue/{job or self.job}/{kind}" for kind in ("output", "error"))

    def job_log(self, run_id: str) -> str:
        """Return all log messages of a run of the pipeline's job."""
        client = self.client("logs")
        pages = [
            page
            for group in self.job_log_groups()
            for page in client.get_paginator("filter_log_events").paginate(
                logGroupName=group, logStreamNamePrefix=run_id
            )
        ]
        return "\n".join(event["message"] for page in pages for event in page["events"])

    def query(self, sql: str) -> list[tuple[str | None, ...]]:
        """Ask Athena in the analytics workgroup."""
        return list(athena.query(self.client("athena"), self.names["workgroup"], self.names["database"], sql).rows)

    def objects(self, prefix: str, bucket: str | None = None) -> dict[str, dict[str, Any]]:
        """Key to entry of each object below a prefix."""
        place = Location(bucket or self.bucket, prefix)
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.prefix)
        return {entry["Key"]: entry for page in pages for entry in page.get("Contents", [])}

    def etags(self, prefix: str) -> dict[str, tuple[str, datetime]]:
        """Key to what shows that an object was written again."""
        return {key: (entry["ETag"], entry["LastModified"]) for key, entry in self.objects(prefix).items()}

    def read(self, key: str, bucket: str | None = None) -> bytes:
        """An object's bytes, unpacked when they are a gzip file."""
        body: bytes = self.client("s3").get_object(Bucket=bucket or self.bucket, Key=key)["Body"].read()
        return gzip.decompress(body) if key.endswith(".gz") else body

    def put(self, key: str, *lines: str | dict[str, Any]) -> None:
        """Write an object by hand, as somebody with an editor would."""
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=text.encode())

    def runs(self, dataset: str) -> list[dict[str, int | str]]:
        """Status and counts of each reported run of a dataset, oldest first, from pipeline_runs."""
        counts = ("received", "new", "replaced", "duplicate", "quarantined")
        columns = ", ".join(f'"{name}"' for name in counts)
        sql = f"SELECT status, {columns} FROM pipeline_runs WHERE dataset = '{dataset}' ORDER BY run_id"
        return [
            {"status": str(row[0]), **{name: int(value or 0) for name, value in zip(counts, row[1:], strict=True)}}
            for row in self.query(sql)
        ]
