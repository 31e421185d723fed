"""A deployed dev platform, and what tests do with it and ask it."""

# ruff: noqa: S608 - what stands in the statements are constants of the tests

import functools
import gzip
import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.config import Config

from lake import athena
from tests.local_aws import REPOSITORY, LocalAws

DEADLINE_SECONDS = 120
# CloudWatch believes the last real data point until it is three periods of five minutes old.
FORGOTTEN_SECONDS = 1260
UNFINISHED = ("STARTING", "RUNNING", "STOPPING", "WAITING")


@dataclass(frozen=True)
class Invocation:
    """What a function answered; ``error`` is the FunctionError, empty when it succeeded."""

    payload: Any
    error: str


@dataclass(frozen=True)
class Deployed(LocalAws):
    """dev in this session's localaws. ``said`` collects all that Terraform has printed."""

    terraform_data: Path = Path()
    said: list[str] = field(default_factory=list)

    @functools.cached_property
    def names(self) -> dict[str, Any]:
        """Terraform's output object ``platform``."""
        value = self.client("ssm").get_parameter(Name="/lake/aws-datalake-platform/dev")["Parameter"]["Value"]
        return dict(json.loads(value))

    @property
    def bucket(self) -> str:
        """The lake's bucket."""
        return str(self.names["lake_bucket"])

    @property
    def now(self) -> datetime:
        """What time it is there."""
        return datetime.fromisoformat(self._request("clock")["now"])

    def advance_to_minute(self, minute: int) -> None:
        """Let time pass until the clock shows that minute of an hour."""
        now = self.now
        wait = timedelta(minutes=(minute - now.minute) % 60 or 60) - timedelta(seconds=now.second)
        self.advance(int(wait.total_seconds()) + 1)

    def wait_until_alarms_are_over(self) -> None:
        """Let time pass when a failure that some test wanted is still news."""
        if self.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]:
            self.advance(FORGOTTEN_SECONDS)

    def command(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the repository as its administrator would."""
        kept = {name: value for name, value in self.process_environment().items() if not name.startswith("TF_VAR_")}
        without = {name: value for name, value in kept.items() if name not in ("CONFIRM", "ALERT_EMAIL")}
        environment = {**without, "TF_DATA_DIR": str(self.terraform_data), **variables}
        return subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=600
        )

    def terraform(self, action: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run scripts/terraform.py for dev."""
        done = self.command(sys.executable, "scripts/terraform.py", action, "--env", "dev", **variables)
        self.said.append(done.stdout + done.stderr)
        return done

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        """Call a function of the pipeline, once, and wait for its answer."""
        name = self.names["weather_iot"]["functions"][function]
        patient = Config(read_timeout=180, retries={"total_max_attempts": 1})
        client = self.session.client("lambda", endpoint_url=self.endpoint, config=patient)
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return Invocation(json.load(answer["Payload"]), answer.get("FunctionError", ""))

    def break_open_meteo(self, *faults: dict[str, Any]) -> None:
        """Replace the faults of the replayed API; without any it is whole again."""
        address = f"{self._request('health')['open_meteo']}/_faults"
        with urllib.request.urlopen(address, json.dumps(faults).encode(), timeout=10) as answer:
            assert len(json.load(answer)) == len(faults)

    def flush(self) -> None:
        """Deliver what the streams hold, without letting time pass."""
        assert self._request("flush", {})["undelivered"] == 0

    @property
    def job(self) -> str:
        """The transform job's name."""
        return str(self.names["weather_iot"]["jobs"]["transform"])

    def start_job(self) -> str:
        """Start the transform job; the run's id."""
        return str(self.client("glue").start_job_run(JobName=self.job)["JobRunId"])

    def ended(self, run_id: str) -> dict[str, Any]:
        """Wait for the end of a run."""
        client = self.client("glue")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            run: dict[str, Any] = client.get_job_run(JobName=self.job, RunId=run_id)["JobRun"]
            if run["JobRunState"] not in UNFINISHED:
                return run
            time.sleep(0.2)
        raise AssertionError(f"the run {run_id} did not end")

    def run_job(self) -> dict[str, Any]:
        """Start the transform job and wait for the end of the run."""
        return self.ended(self.start_job())

    def job_log(self, run_id: str) -> str:
        """All that a run has logged."""
        client = self.client("logs")
        groups = ("/aws-glue/jobs/output", "/aws-glue/jobs/error")
        pages = [
            page
            for group in groups
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
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket or self.bucket, Prefix=prefix)
        return {entry["Key"]: entry for page in pages for entry in page.get("Contents", [])}

    def etags(self, prefix: str) -> dict[str, tuple[str, datetime]]:
        """Key to what shows that an object was written again."""
        return {key: (entry["ETag"], entry["LastModified"]) for key, entry in self.objects(prefix).items()}

    def read(self, key: str, bucket: str | None = None) -> bytes:
        """An object's bytes, unpacked when they are a gzip file."""
        body: bytes = self.client("s3").get_object(Bucket=bucket or self.bucket, Key=key)["Body"].read()
        return gzip.decompress(body) if key.endswith(".gz") else body

    def records(self, key: str) -> list[dict[str, Any]]:
        """The records of a newline-delimited object, of which every line ends."""
        body = self.read(key)
        assert body.endswith(b"\n")
        return [json.loads(line) for line in body.splitlines()]

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


def weather_record(city: str, moment: str, temperature: float) -> dict[str, Any]:
    """A raw weather record that somebody wrote by hand; ``moment`` is ISO 8601, UTC."""
    return {
        "ingestion_id": "by hand", "city": city, "latitude": 64.1, "longitude": -21.9, "timestamp": moment,
        "temperature_c": temperature, "humidity_pct": 80, "ingested_at": datetime.now(UTC).isoformat(),
    }  # fmt: skip


def deploy(aws: LocalAws, folder: Path) -> Deployed:
    """Build, make the state, apply dev."""
    deployed = Deployed(aws.home, aws.port, aws.environment, folder / "terraform")
    # Right after the hourly schedule's minute: nearly an hour may pass until it fires, so no test meets it by chance.
    deployed.advance_to_minute(11)
    built = deployed.command(sys.executable, "scripts/build.py")
    assert built.returncode == 0, built.stderr
    bootstrapped = deployed.command("bash", "terraform/bootstrap.sh")
    assert bootstrapped.returncode == 0, bootstrapped.stderr
    assert bootstrapped.stdout.count("created") == 2
    applied = deployed.terraform("apply")
    assert applied.returncode == 0, applied.stdout[-3000:] + applied.stderr
    return deployed
