"""The demo's data path: what makes raw data, what turns it into tables, what is measured on the way."""

import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from lake.contract import model
from lake.environment import athena, inventory
from lake.environment.deployment import Platform
from lake.report import page
from scripts.demo.queries import QUESTIONS

# One hour of sensor messages, always the same, so that a second demo brings nothing new.
FIRST_MESSAGE = datetime(2026, 11, 20, 12, tzinfo=UTC)
MESSAGES = 12
BROKEN = "raw/weather/date=2026-11-20/hand_written.json"
LAYERS = ("raw_weather", "raw_iot_sensors", "curated_weather", "curated_sensor_readings")


class DemoFailed(Exception):
    """A step did not do what it should; the message says which and why."""


def ingest(platform: Platform) -> dict[str, Any]:
    """Fetch the weather of every city, as the daily schedule does."""
    return _invoke(platform, platform.pipelines["weather_iot"]["functions"]["batch_ingest"], {})


def generate(platform: Platform) -> int:
    """An hour of sensor messages, as the five-minute schedule sends them. Returns the number of messages."""
    moments = [FIRST_MESSAGE + number * timedelta(minutes=5) for number in range(MESSAGES)]
    answers = [
        _invoke(
            platform,
            platform.pipelines["weather_iot"]["functions"]["stream_generate"],
            {"time": f"{moment:%Y-%m-%dT%H:%M:%SZ}"},
        )
        for moment in moments
    ]
    return sum(answer["records_sent"] for answer in answers)


def put_broken_record(platform: Platform) -> None:
    """Somebody writes a file by hand: a temperature of 999 degrees, and a line that is no JSON."""
    record = {
        "ingestion_id": "by hand", "city": "Paris", "latitude": 48.8566, "longitude": 2.3522, "temperature_c": 999.0,
        "timestamp": "2026-11-20T12:00", "ingested_at": "2026-11-20T12:00:00+00:00",
    }  # fmt: skip
    body = f"{json.dumps(record)}\nnot JSON at all\n".encode()
    try:
        platform.client("s3").put_object(Bucket=platform.names["lake_bucket"], Key=BROKEN, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
            raise


def transform(platform: Platform, progress: Callable[[str], None]) -> int:
    """Run the Glue job to its end; returns its seconds. Raises DemoFailed with the job's own message."""
    client, job = platform.client("glue"), platform.pipelines["weather_iot"]["jobs"]["transform"]
    run_id = client.start_job_run(JobName=job)["JobRunId"]
    while True:
        run = client.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        if run["JobRunState"] not in ("STARTING", "RUNNING", "STOPPING", "WAITING"):
            break
        progress(run["JobRunState"])
        time.sleep(0.5)
    if run["JobRunState"] != "SUCCEEDED":
        raise DemoFailed(f"the job run ended {run['JobRunState']}: {run.get('ErrorMessage', 'without a message')}")
    return int(run["ExecutionTime"])


def draw(platform: Platform, output: Path) -> None:
    """The page of lake report; raises DemoFailed with the parts that it could not show."""
    failures = page.write(platform, output)
    if failures:
        raise DemoFailed("the page could not show " + ", ".join(f"{part} ({why})" for part, why in failures.items()))


def hops(platform: Platform) -> list[dict[str, Any]]:
    """Objects, bytes and records of each dataset; the records are counted by Athena."""
    names = [*LAYERS, *(model.load(name).quarantine().name for name in inventory.curated())]
    return [_hop(platform, name) for name in names]


def counts(platform: Platform) -> list[dict[str, Any]]:
    """received = new + replaced + duplicate + quarantined, over all runs of a dataset; raises DemoFailed otherwise."""
    rows = []
    for name in inventory.curated():
        runs = [run for run in inventory.runs(platform, [name]) if run.status == "COMMITTED"]
        row: dict[str, Any] = {"dataset": name, "runs": len(runs)}
        for column in ("received", "new", "replaced", "duplicate", "quarantined"):
            row[column] = sum(getattr(run, column) for run in runs)
        if row["received"] != row["new"] + row["replaced"] + row["duplicate"] + row["quarantined"]:
            raise DemoFailed(f"the counts do not add up: {row}")
        rows.append(row)
    return rows


def answers(platform: Platform) -> dict[str, athena.Answer]:
    """Question to answer; raises DemoFailed for one that has no rows."""
    found = {question: _ask(platform, sql) for question, sql in QUESTIONS.items()}
    empty = [question for question, answer in found.items() if not answer.rows]
    if empty:
        raise DemoFailed(f"no rows for: {', '.join(empty)}")
    return found


def content(platform: Platform) -> dict[str, dict[str, Any]]:
    """Rows of each curated table and a digest of what they say, without which run wrote them."""
    return {name: _content(platform, name) for name in inventory.curated()}


def _content(platform: Platform, name: str) -> dict[str, Any]:
    dataset = model.load(name)
    said = [f'"{column.stored_name}"' for column in dataset.stored if "lineage" not in column.tags]
    key = ", ".join(f'"{column.stored_name}"' for column in dataset.key)
    rows = _ask(platform, f"SELECT {', '.join(said)} FROM {name} ORDER BY {key}").rows  # noqa: S608 - from the contract
    return {"rows": len(rows), "sha256": hashlib.sha256(json.dumps(rows).encode()).hexdigest()}


def _hop(platform: Platform, name: str) -> dict[str, Any]:
    loaded = [model.load(curated) for curated in inventory.curated()]
    twins = {dataset.quarantine().name: dataset.quarantine() for dataset in loaded}
    dataset = twins.get(name) or model.load(name)
    objects = inventory.stored(platform, dataset)
    records = int(_ask(platform, f"SELECT count(*) FROM {name}").rows[0][0] or 0)  # noqa: S608 - from the contract
    return {"dataset": name, "objects": len(objects), "bytes": sum(entry.size for entry in objects), "records": records}


def _ask(platform: Platform, sql: str) -> athena.Answer:
    return athena.query(platform.client("athena"), platform.names["workgroup"], platform.names["database"], sql)


def _invoke(platform: Platform, function: str, event: dict[str, Any]) -> dict[str, Any]:
    # The function may take longer than a client's default patience, and a repeated call would be a second one.
    client = platform.session.client("lambda", config=Config(read_timeout=180, retries={"total_max_attempts": 1}))
    answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    payload: dict[str, Any] = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise DemoFailed(f"{function} failed: {payload.get('errorMessage', payload)}")
    return payload
