"""Commands as somebody types them, with the job's work done in this process; sensors, which have pseudonyms."""

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from lake.cli import backfill, job_requests, quarantine
from lake.core.s3 import Location
from lake.environment.deployment import Platform
from lake.operations.context import SparkRunContext
from lake.operations.job import Job, JobRequest
from lake.operations.registry import DatasetJob, perform
from tests.place import MESSAGES, READINGS, SECRET, SOURCE, TARGET, Place

FOLDER = "raw/iot-sensors/year=2026/month=11/day=20"


@dataclass(frozen=True)
class Sensors:
    """The sensors' datasets in a place."""

    lake: SparkRunContext
    place: Place

    def put(self, name: str, *lines: str) -> None:
        body = "\n".join(lines).encode()
        self.place.aws.client("s3").put_object(Bucket=self.place.bucket, Key=f"{FOLDER}/{name}", Body=body)

    def perform(self, operation: str = "refresh", **arguments: Any) -> list[dict[str, Any]]:
        """What the job does when it is started with that operation."""
        dataset_job = DatasetJob(READINGS, MESSAGES, lambda raw: raw.selectExpr("*", "'PASS' AS quality_score"))
        return perform(self.lake, dataset_job, operation, {"by": "arn:aws:iam::1:role/r", **arguments})

    def tokens(self) -> list[tuple[str, str, float]]:
        """Token, day and hour, temperature of each row."""
        rows = self.place.rows(READINGS)
        found = [(row["sensor_id_hash"], f"{row['timestamp']:%dT%H}", row["temperature_c"]) for row in rows]
        return sorted(found, key=lambda row: (row[1], row[0]))


def message(sensor: str, day: int, hour: int, temperature: float = 5.0) -> str:
    """One raw message of a sensor."""
    return json.dumps(
        {
            "sensor_id": sensor, "city": "Paris", "timestamp": f"2026-11-{day:02d}T{hour:02d}:00:00Z",
            "temperature_c": temperature, "humidity_pct": 40.0, "aqi": 12, "battery_level": 80.0,
        }
    )  # fmt: skip


@pytest.fixture
def sensors(place: Place) -> Sensors:
    """The sensors' datasets beside those of the weather."""
    return Sensors(place.lake, place)


@pytest.fixture
def platform(place: Place) -> Platform:
    """The place, as a deployed platform."""
    secret = place.aws.client("secretsmanager").create_secret(Name=place.bucket, SecretString=SECRET)
    names = {"lake_bucket": place.bucket, "ledger": place.bucket, "pseudonym_key": secret["ARN"]}
    pipelines = {"weather_iot": {"repairs": {TARGET.name: job(place)}}}
    return Platform("dev", names, SimpleNamespace(client=place.aws.client), pipelines)


def job(place: Place) -> str:
    """The name of a deployed job; it is never started."""
    trust = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = place.aws.client("iam").create_role(RoleName=place.bucket, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    command = {"Name": "glueetl", "ScriptLocation": f"s3://{place.bucket}/job.py"}
    made = place.aws.client("glue").create_job(
        Name=place.bucket, Role=role, Command=command, WorkerType="G.2X", NumberOfWorkers=3
    )
    return str(made["Name"])


@pytest.fixture
def commanded(place: Place, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The place, which commands find; what they start is done at once."""
    staging = Location(place.bucket, f"staging/{TARGET.domain}/")

    def run(_platform: Platform, dataset: str, operation: str, arguments: dict[str, Any]) -> None:
        job = Job(
            replace(place.lake, staging=staging, order=arguments.get("order", "")),
            JobRequest(operation, {"dataset": dataset, "by": "arn:aws:iam::1:role/r", **arguments}),
        )
        job.run(DatasetJob(TARGET, SOURCE, place.transformation))
        job.finish()

    for module in (quarantine, backfill):
        monkeypatch.setattr(module, "load", lambda _: platform)
    monkeypatch.setattr(job_requests, "_run", run)
    return place
