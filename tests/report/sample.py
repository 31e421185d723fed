"""A lake to draw: a busy one, with trouble in it and with markup in everything that comes from outside."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from drills import runbook
from lake.contract import model
from lake.environment import cost
from lake.environment.alarms import Alarm, Change
from lake.environment.cost import Usage, Window
from lake.environment.health import State
from lake.environment.inventory import Dataset, Run
from lake.environment.partial_results import PartialResult
from lake.environment.timeseries import Point
from lake.report import flow
from lake.report.flow import Step, Steps
from lake.report.model import Flow, Reason, Report

RUNBOOK = runbook.load()
NOW = datetime(2026, 11, 21, 12, 30, 5, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script><img src=http://example.com/x.png onerror=alert(1)>'
RAW, CURATED = ("raw_iot_sensors", "raw_weather"), ("curated_sensor_readings", "curated_weather")
DERIVED = "curated_city_hours"
NAMES = (RAW[0], CURATED[0], RAW[1], CURATED[1], DERIVED)
SHORT = """
    alerts-unheard
    batch-ingest-duration batch-ingest-errors batch-ingest-throttles reconciliation curated-sensor-readings-freshness
    curated-city-hours-freshness
    curated-weather-freshness dead-letters firehose-delivery firehose-freshness firehose-refused-records
    glue-erase-failures glue-transform-failures key-unusable lock-age quarantine-ratio raw-iot-sensors-freshness
    schema-drift raw-weather-freshness stream-generate-duration stream-generate-errors stream-generate-throttles
    stream-validate-errors watch-errors watch-heartbeat
""".split()  # noqa: SIM905 - words


def busy() -> Report:
    """Days of operation, two alarms ringing, one failed run, one stale dataset."""
    datasets = [_dataset(name) for name in NAMES]
    return Report(
        state=State(
            "dev",
            NOW,
            PartialResult("bucket, ledger, contracts", datasets),
            PartialResult("CloudWatch", _alarms()),
        ),
        since=NOW - timedelta(days=7),
        account="000000000000",
        region="us-east-1",
        flow=PartialResult("Lambda, Firehose, Glue, CloudWatch; records by Athena", _flow(datasets)),
        freshness=PartialResult("CloudWatch", {name: _ages(name) for name in NAMES}),
        ratios=PartialResult("CloudWatch", {CURATED[1]: _ratios()}),
        runs=PartialResult("ledger", runs()),
        quarantine={
            CURATED[0]: PartialResult("Athena", [Reason("pattern:sensor_id", 1204, "2026-11-21 11:58")]),
            CURATED[1]: PartialResult(
                "Athena", [Reason("range:aqi", 31, "2026-11-21 06:00"), Reason(HOSTILE, 2, HOSTILE)]
            ),
        },
        changes=PartialResult("CloudWatch", _changes()),
        cost=PartialResult("usage", _estimate()),
    )  # fmt: skip


def empty() -> Report:
    """A lake that was deployed a minute ago."""
    datasets = [Dataset(model.load(name), 0, 0, None, None, None) for name in NAMES]
    nothing: Mapping[str, tuple[Point, ...]] = {}
    quiet = [replace(alarm, state="INSUFFICIENT_DATA", since=NOW) for alarm in _alarms()]
    return replace(
        busy(),
        state=State("dev", NOW, PartialResult("bucket", datasets), PartialResult("CloudWatch", quiet)),
        flow=PartialResult("Lambda", _flow(datasets, records=0, stale="")),
        freshness=PartialResult("CloudWatch", nothing),
        ratios=PartialResult("CloudWatch", nothing),
        runs=PartialResult("ledger", []),
        quarantine={name: PartialResult("Athena", []) for name in CURATED},
        changes=PartialResult("CloudWatch", []),
        cost=PartialResult("usage", cost.estimate([], Window(NOW, NOW))),
    )


def unreadable() -> Report:
    """A lake of which nothing can be read."""
    denied = PartialResult[None]("somewhere", None, f"ClientError: AccessDenied {HOSTILE}")
    return Report(
        state=State(
            "dev", NOW, PartialResult("bucket", None, denied.failure), PartialResult("CloudWatch", None, denied.failure)
        ),
        since=NOW - timedelta(days=7),
        account="000000000000",
        region="us-east-1",
        flow=PartialResult("Lambda", None, denied.failure),
        freshness=PartialResult("CloudWatch", None, denied.failure),
        ratios=PartialResult("CloudWatch", None, denied.failure),
        runs=PartialResult("ledger", None, denied.failure),
        quarantine={name: PartialResult("Athena", None, denied.failure) for name in CURATED},
        changes=PartialResult("CloudWatch", None, denied.failure),
        cost=PartialResult("usage", None, denied.failure),
    )


def runs() -> list[Run]:
    """Two days of hourly runs, newest first."""
    found = [_run(name, hour) for hour in range(48) for name in CURATED]
    failed = replace(
        found[4], status="FAILED", received=180, new=0, quarantined=60, reason=f"validation FAILED: {HOSTILE}"
    )
    return [*found[:4], failed, *found[5:]]


def _run(name: str, hour: int) -> Run:
    start = NOW - timedelta(hours=hour, minutes=20)
    received = 180 if name == CURATED[0] else 746 + 40 * (hour % 7)
    bad, twice, again = hour % 5 * 3, hour % 3 * 11, hour % 4 * 17
    counts = (received, received - bad - twice - again, again, twice, bad)
    run_id = f"{start:%Y%m%dT%H%M%SZ}-{hour:08x}"
    return Run(run_id, name, "COMMITTED", start, start + timedelta(seconds=14 + hour), *counts, {}, None)


def _dataset(name: str) -> Dataset:
    ages = dict(
        zip(
            NAMES,
            (
                timedelta(minutes=4),
                timedelta(hours=3),
                timedelta(hours=7),
                timedelta(minutes=19),
                timedelta(minutes=19),
            ),
            strict=True,
        )
    )
    last = next((run for run in runs() if run.dataset == name), None)
    return Dataset(model.load(name), 12_480, 48_200_000, NOW, NOW - ages[name], last)


def _alarms() -> list[Alarm]:
    since = {
        "curated-sensor-readings-freshness": NOW - timedelta(hours=1),
        "quarantine-ratio": NOW - timedelta(minutes=9),
    }
    found = [
        Alarm(
            f"aws-datalake-platform-{short}-dev", RUNBOOK.sections[short].link, "ALARM" if short in since else "OK",
            since.get(short, NOW - timedelta(days=9)), f"Threshold Crossed: [0.0833] > {HOSTILE}",
            f"Something about {short} is wrong. What to do: {RUNBOOK.sections[short].link}", 0.05,
        )
        for short in SHORT
    ]  # fmt: skip
    return sorted(found, key=lambda alarm: alarm.state)


def _changes() -> list[Change]:
    name, other = (
        f"aws-datalake-platform-{short}-dev" for short in ("curated-sensor-readings-freshness", "quarantine-ratio")
    )
    moments = [
        (name, 1, "OK", "ALARM"),
        (name, 30, "ALARM", "OK"),
        (name, 41, "OK", "ALARM"),
        (other, 0.15, "OK", "ALARM"),
    ]
    found = [Change(alarm, NOW - timedelta(hours=hours), old, new, HOSTILE) for alarm, hours, old, new in moments]
    return sorted(found, key=lambda change: change.at, reverse=True)


def _hours() -> list[datetime]:
    return [
        NOW.replace(minute=0, second=0) - timedelta(hours=hour) for hour in range(160, -1, -1) if not 60 < hour < 70
    ]


def _ages(name: str) -> tuple[Point, ...]:
    limit = model.load(name).freshness_seconds or 0
    return tuple(Point(at, limit * (0.45 + 0.3 * math.sin(number / 7))) for number, at in enumerate(_hours()))


def _ratios() -> tuple[Point, ...]:
    return tuple(Point(at, 0.004 + 0.08 * (number % 50 == 49)) for number, at in enumerate(_hours()))


def without_table(name: str) -> Report:
    """The busy lake, after somebody has deleted a table."""
    report = busy()
    return replace(report, flow=PartialResult("Lambda", _flow(report.state.datasets.value or [], missing=name)))


def _flow(datasets: list[Dataset], records: int = 1_234_567, stale: str = CURATED[0], missing: str = "") -> Flow:
    counted = {name: PartialResult("Athena", records) for name in (*NAMES, *(f"quarantine_{name}" for name in CURATED))}
    if missing:
        counted[missing] = PartialResult("Athena", None, "QueryFailed: TABLE_NOT_FOUND")
    steps = Steps(
        functions=(
            Step("batch-ingest", (RAW[1],), ("1 calls in 24 h", "none failed")),
            Step("stream-generate", ("iot-firehose",), ("288 calls in 24 h", "3 failed"), bad=True),
        ),
        streams=(Step("iot-firehose", (RAW[0],), ("4,320 records in 24 h", "2 refused", "through stream-validate")),),
        jobs=(
            Step(
                "transform", (*CURATED, DERIVED, *(f"quarantine_{name}" for name in CURATED)), ("SUCCEEDED", "21 s")
            ),
        ),
        reads={"transform": RAW},
    )  # fmt: skip
    return flow.flow(steps, {dataset.name: dataset for dataset in datasets}, counted, {stale: "stale"})


def _estimate() -> cost.Estimate:
    usages = [
        Usage("Glue", "transform: 312 runs", "glue_dpu_hour", 10.4, note="a run is a minute at least"),
        Usage("CloudWatch", "22 alarms", "cloudwatch_alarm", 22, standing=True),
        Usage("CloudWatch", "34 metrics of its own", "cloudwatch_metric", 34, standing=True),
        Usage("KMS", "2 keys", "kms_key", 2, standing=True),
        Usage("Lambda", "watch: requests", "lambda_requests", 8640),
        Usage("DynamoDB", "ledger: write", "dynamodb_write", None, note=HOSTILE),
    ]
    return cost.estimate(usages, Window(NOW - timedelta(days=13), NOW))
