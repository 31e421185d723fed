"""Measure the platform's billed usage. A service that does not answer affects only its own lines."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from lake.environment import alarms, inventory, partial_results, timeseries
from lake.environment.cost import GIGABYTE, TERABYTE, Usage, Window, athena_bytes, dpu_hours, firehose_bytes
from lake.environment.deployment import Platform
from lake.environment.timeseries import Metric

_HOUR = 3600
_LONGEST = timedelta(days=30)
_QUERIES_PER_CALL = 50


def deployed_at(platform: Platform) -> datetime:
    """Return the creation time of the ledger's table (UTC), which the first deployment creates."""
    table = platform.client("dynamodb").describe_table(TableName=platform.names["ledger"])["Table"]
    made: datetime = table["CreationDateTime"]
    return made.astimezone(UTC)


def window(platform: Platform) -> Window:
    """Return the time since the deployment, at most the last 30 days."""
    now = inventory.now(platform)
    return Window(max(deployed_at(platform), now - _LONGEST), now)


def measured(platform: Platform, during: Window) -> list[Usage]:
    """Return all billed usage that can be measured in the window."""
    found: list[Usage] = []
    for service, measure, prices in _MEASURES:
        part = partial_results.read(service, partial(_listed, measure, platform, during))
        missing = [Usage(service, "not measured", name, None, note=part.failure, failed=True) for name in prices]
        found += missing if part.value is None else part.value
    return found


def _listed(measure: "_Measure", platform: Platform, during: Window) -> list[Usage]:
    return list(measure(platform, during))


def _functions(platform: Platform, during: Window) -> Iterator[Usage]:
    # Lambda lists all functions of the account or those of one edge location.
    pages = platform.client("lambda").get_paginator("list_functions").paginate()
    functions = [
        entry for page in pages for entry in page["Functions"] if inventory.ours(platform, entry["FunctionName"])
    ]
    names = [entry["FunctionName"] for entry in functions]
    invocations = _sums(platform, during, [_metric("AWS/Lambda", "Invocations", FunctionName=name) for name in names])
    milliseconds = _sums(platform, during, [_metric("AWS/Lambda", "Duration", FunctionName=name) for name in names])
    for entry, number, duration in zip(functions, invocations, milliseconds, strict=True):
        name = inventory.short(platform, entry["FunctionName"])
        yield Usage("Lambda", f"{name}: requests", "lambda_requests", number)
        gigabyte_seconds = duration / 1000 * entry["MemorySize"] / 1024
        yield Usage("Lambda", f"{name}: {entry['MemorySize']} MB", "lambda_compute", gigabyte_seconds)


def _glue(platform: Platform, during: Window) -> Iterator[Usage]:
    client = platform.client("glue")
    for name in (*inventory.parts(platform, "jobs"), *inventory.parts(platform, "operations")):
        runs = [run for run in inventory.job_runs(client, name, during.start) if run.get("WorkerType")]
        for flex, price in ((False, "glue_dpu_hour"), (True, "glue_flex_dpu_hour")):
            billed = [run for run in runs if (run.get("ExecutionClass") == "FLEX") == flex]
            hours = sum(dpu_hours(run["WorkerType"], run["NumberOfWorkers"], run["ExecutionTime"]) for run in billed)
            if billed or not flex:
                what = f"{inventory.short(platform, name)}: {len(billed)} runs"
                yield Usage("Glue", what, price, hours, note="a run is a minute at least")


def _firehose(platform: Platform, during: Window) -> Iterator[Usage]:
    for name in inventory.parts(platform, "streams"):
        wanted = [
            _metric("AWS/Firehose", kind, DeliveryStreamName=name) for kind in ("IncomingRecords", "IncomingBytes")
        ]
        records, sizes = _read(platform, during, wanted)
        bytes_at = {point.at: point.value for point in sizes}
        billed = sum(firehose_bytes(point.value, bytes_at.get(point.at, 0.0)) for point in records)
        what = f"{inventory.short(platform, name)}: {timeseries.total(records):,.0f} records"
        yield Usage("Firehose", what, "firehose_ingested", billed / GIGABYTE, note="each record is rounded up to 5 KB")


def _athena(platform: Platform, during: Window) -> Iterator[Usage]:
    queries = list(_queries(platform, during.start))
    billed = [query["Statistics"].get("DataScannedInBytes", 0) for query in queries if _is_billed(query)]
    terabytes = sum(athena_bytes(scanned) for scanned in billed) / TERABYTE
    yield Usage("Athena", f"{len(billed)} queries", "athena_scan", terabytes, note="a query is 10 MB at least")


def _queries(platform: Platform, start: datetime) -> Iterator[dict[str, Any]]:
    client = platform.client("athena")
    pages = client.get_paginator("list_query_executions").paginate(WorkGroup=platform.names["workgroup"])
    for page in pages:
        names = page["QueryExecutionIds"]
        for first in range(0, len(names), _QUERIES_PER_CALL):
            chunk = names[first : first + _QUERIES_PER_CALL]
            for query in client.batch_get_query_execution(QueryExecutionIds=chunk)["QueryExecutions"]:
                if query["Status"]["SubmissionDateTime"] < start:
                    return
                yield query


def _is_billed(query: dict[str, Any]) -> bool:
    # Statements that define things are free, and so are those that failed.
    return bool(query.get("StatementType") != "DDL" and query["Status"]["State"] in ("SUCCEEDED", "CANCELLED"))


def _storage(platform: Platform, during: Window) -> Iterator[Usage]:
    for kind in ("lake_bucket", "results_bucket", "logs_bucket", "code_bucket"):
        listing = platform.client("s3").get_paginator("list_object_versions")
        pages = listing.paginate(Bucket=platform.names[kind])
        versions = [version for page in pages for version in page.get("Versions", [])]
        gigabytes = sum(version["Size"] for version in versions) / GIGABYTE
        written = sum(version["LastModified"] >= during.start for version in versions)
        yield Usage(
            "S3", f"{kind.replace('_', ' ')}: {len(versions):,} versions", "s3_storage", gigabytes, standing=True
        )
        yield Usage("S3", f"{kind.replace('_', ' ')}: versions written", "s3_put", written, note="one PUT each")


def _ledger(platform: Platform, during: Window) -> Iterator[Usage]:
    table = platform.names["ledger"]
    for kind, price in (
        ("ConsumedWriteCapacityUnits", "dynamodb_write"),
        ("ConsumedReadCapacityUnits", "dynamodb_read"),
    ):
        (points,) = _read(platform, during, [_metric("AWS/DynamoDB", kind, TableName=table)])
        what = f"{inventory.short(platform, table)}: {price.removeprefix('dynamodb_')}"
        yield _or_unknown("DynamoDB", what, price, points, 1)


def _logs(platform: Platform, during: Window) -> Iterator[Usage]:
    groups = platform.client("logs").get_paginator("describe_log_groups")
    pages = groups.paginate(logGroupNamePattern=inventory.prefix(platform))
    names = sorted(group["logGroupName"] for page in pages for group in page["logGroups"])
    # /aws/lambda/<function>, /aws-glue/<job>/output
    ours = [name for name in names if any(inventory.ours(platform, part) for part in name.split("/"))]
    found = _read(platform, during, [_metric("AWS/Logs", "IncomingBytes", LogGroupName=name) for name in ours])
    points = [point for group in found for point in group]
    yield _or_unknown("CloudWatch", f"{len(ours)} log groups", "cloudwatch_logs_ingested", points, GIGABYTE)


def _schedules(platform: Platform, during: Window) -> Iterator[Usage]:
    (points,) = _read(platform, during, [_metric("AWS/Scheduler", "InvocationAttemptCount", ScheduleGroup="default")])
    yield _or_unknown("Scheduler", "invocations of the default group", "scheduler_invocation", points, 1)


def _watching(platform: Platform, _during: Window) -> Iterator[Usage]:
    client = platform.client("cloudwatch")
    yield _standing("CloudWatch", "alarms", "cloudwatch_alarm", len(alarms.current(platform)))
    pages = client.get_paginator("list_dashboards").paginate(DashboardNamePrefix=platform.project)
    names = [entry["DashboardName"] for page in pages for entry in page["DashboardEntries"]]
    ours = [name for name in names if inventory.ours(platform, name)]
    yield _standing("CloudWatch", "dashboards", "cloudwatch_dashboard", len(ours))
    here = [{"Name": "Environment", "Value": platform.environment}]
    pages = client.get_paginator("list_metrics").paginate(Namespace=platform.project, Dimensions=here)
    metrics = [metric for page in pages for metric in page["Metrics"]]
    yield _standing("CloudWatch", "metrics of its own", "cloudwatch_metric", len(metrics))


def _keys(platform: Platform, _during: Window) -> Iterator[Usage]:
    # KMS lists all aliases of the account or those of one key.
    pages = platform.client("kms").get_paginator("list_aliases").paginate()
    aliases = [alias["AliasName"].removeprefix("alias/") for page in pages for alias in page["Aliases"]]
    yield _standing("KMS", "keys", "kms_key", sum(inventory.ours(platform, alias) for alias in aliases))


def _secrets(platform: Platform, _during: Window) -> Iterator[Usage]:
    by_name = {"Key": "name", "Values": [inventory.prefix(platform)]}
    pages = platform.client("secretsmanager").get_paginator("list_secrets").paginate(Filters=[by_name])
    names = [secret["Name"] for page in pages for secret in page["SecretList"]]
    yield _standing("Secrets Manager", "secrets", "secret", sum(inventory.ours(platform, name) for name in names))


_Measure = Callable[[Platform, Window], Iterator[Usage]]
# Each with the prices of the lines that are missing when it cannot be done.
_MEASURES: tuple[tuple[str, _Measure, tuple[str, ...]], ...] = (
    ("Glue", _glue, ("glue_dpu_hour",)),
    ("Lambda", _functions, ("lambda_requests", "lambda_compute")),
    ("Firehose", _firehose, ("firehose_ingested",)),
    ("Athena", _athena, ("athena_scan",)),
    ("S3", _storage, ("s3_storage", "s3_put")),
    ("DynamoDB", _ledger, ("dynamodb_write", "dynamodb_read")),
    ("CloudWatch", _logs, ("cloudwatch_logs_ingested",)),
    ("Scheduler", _schedules, ("scheduler_invocation",)),
    ("CloudWatch", _watching, ("cloudwatch_alarm", "cloudwatch_dashboard", "cloudwatch_metric")),
    ("KMS", _keys, ("kms_key",)),
    ("Secrets Manager", _secrets, ("secret",)),
)


def _standing(service: str, what: str, price: str, number: int) -> Usage:
    return Usage(service, f"{number} {what}", price, number, standing=True)


def _or_unknown(
    service: str, what: str, price: str, points: "list[timeseries.Point] | tuple[timeseries.Point, ...]", unit: int
) -> Usage:
    if not points:
        return Usage(service, what, price, None, note="CloudWatch has no such metric in this time")
    return Usage(service, what, price, timeseries.total(points) / unit)


def _metric(namespace: str, name: str, **dimensions: str) -> Metric:
    return Metric(namespace, name, dimensions, "Sum")


def _read(platform: Platform, during: Window, metrics: list[Metric]) -> list[tuple[timeseries.Point, ...]]:
    # A period begins on the hour; the one in which the platform was made counts.
    start = during.start.replace(minute=0, second=0, microsecond=0)
    return timeseries.read(platform.client("cloudwatch"), metrics, start, during.end, _HOUR)


def _sums(platform: Platform, during: Window, metrics: list[Metric]) -> list[float]:
    return [timeseries.total(points) for points in _read(platform, during, metrics)]
