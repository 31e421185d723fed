"""Fill the report from a platform. Parts are read independently; a failed one does not affect the others."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lake.contract import model
from lake.environment import alarms, athena, cost, health, inventory, partial_results, timeseries, usage
from lake.environment.cost import Estimate
from lake.environment.deployment import Platform
from lake.environment.health import State
from lake.environment.partial_results import PartialResult
from lake.environment.timeseries import Metric, Point
from lake.report import flow
from lake.report.flow import Step, Steps
from lake.report.model import HISTORY, Flow, Reason, Report

_HOUR = 3600
_FIVE_MINUTES = 300
_DAY = timedelta(days=1)
_QUERIES_AT_ONCE = 4


def report(platform: Platform) -> Report:
    """Return the report of this moment. Raises only when the platform does not answer at all."""
    seen = health.load(platform)
    since = _since(platform, seen.now)
    identity = platform.client("sts").get_caller_identity()
    answers = _ask(platform, {**_counting(), **_reasoning()})
    return Report(
        state=seen,
        since=since,
        account=identity["Account"],
        region=platform.session.region_name,
        flow=partial_results.read(
            "Lambda, Firehose, Glue, CloudWatch; records by Athena", lambda: _flow(platform, seen, answers)
        ),
        freshness=_history(
            platform, "Freshness", [dataset.name for dataset in seen.datasets.value or []], since, seen.now
        ),
        ratios=_history(platform, "QuarantineRatio", inventory.rejecting(), since, seen.now),
        runs=partial_results.read("ledger", lambda: inventory.runs(platform, inventory.curated())),
        quarantine={name: _reasons(answers[f"reasons {name}"]) for name in inventory.rejecting()},
        changes=partial_results.read("CloudWatch", lambda: alarms.changes(platform, since)),
        cost=partial_results.read(
            "usage as the services tell it, lake/environment/prices.yaml", lambda: _cost(platform)
        ),
    )


def _counting() -> dict[str, str]:
    """A statement for each table of the flow, by its name."""
    names = [name for loaded in map(model.load, inventory.curated()) for name in (*loaded.made_from, loaded.name)]
    names += [model.load(name).quarantine().name for name in inventory.rejecting()]
    return {name: f"SELECT count(*) FROM {name}" for name in names}  # noqa: S608 - from the contracts


def _reasoning() -> dict[str, str]:
    tables = {name: model.load(name).quarantine().name for name in inventory.rejecting()}
    sql = (
        "SELECT reason, count(*) AS records, date_format(max(arrived_at), '%Y-%m-%d %H:%i') AS newest FROM {} "
        "CROSS JOIN UNNEST(reasons) AS broken (reason) GROUP BY reason ORDER BY records DESC, reason"
    )
    return {f"reasons {name}": sql.format(quarantine) for name, quarantine in tables.items()}


def _ask(platform: Platform, statements: Mapping[str, str]) -> dict[str, PartialResult[athena.Answer]]:
    client, names = platform.client("athena"), platform.names

    def ask(sql: str) -> PartialResult[athena.Answer]:
        return partial_results.read("Athena", lambda: athena.query(client, names["workgroup"], names["database"], sql))

    with ThreadPoolExecutor(_QUERIES_AT_ONCE) as pool:
        return dict(zip(statements, pool.map(ask, statements.values()), strict=True))


def _reasons(answer: PartialResult[athena.Answer]) -> PartialResult[list[Reason]]:
    if answer.value is None:
        return PartialResult(answer.source, None, answer.failure)
    rows = [Reason(str(rule), int(records or 0), str(newest)) for rule, records, newest in answer.value.rows]
    return PartialResult(answer.source, rows)


def _counted(answer: PartialResult[athena.Answer]) -> PartialResult[int]:
    if answer.value is None:
        return PartialResult(answer.source, None, answer.failure)
    return PartialResult(answer.source, int(answer.value.rows[0][0] or 0))


def _since(platform: Platform, now: datetime) -> datetime:
    """A week ago, or the deployment; the first hours of a lake fill no week."""
    deployed = partial_results.read("DynamoDB", lambda: usage.deployed_at(platform))
    return max(now - HISTORY, deployed.value or now - HISTORY)


def _history(
    platform: Platform, name: str, datasets: list[str], since: datetime, now: datetime
) -> PartialResult[Mapping[str, tuple[Point, ...]]]:
    about = [{"Environment": platform.environment, "Dataset": dataset} for dataset in datasets]
    metrics = [Metric(platform.project, name, dimensions, "Maximum") for dimensions in about]
    period = _HOUR if now - since > _DAY else _FIVE_MINUTES
    start = datetime.fromtimestamp(since.timestamp() // period * period, UTC)

    def read() -> Mapping[str, tuple[Point, ...]]:
        found = timeseries.read(platform.client("cloudwatch"), metrics, start, now, period)
        return dict(zip(datasets, found, strict=True))

    return partial_results.read(
        f"CloudWatch, {platform.project} {name}, the greatest of each {period // 60} minutes", read
    )


def _cost(platform: Platform) -> Estimate:
    window = usage.window(platform)
    return cost.estimate(usage.measured(platform, window), window)


def _flow(platform: Platform, seen: State, answers: Mapping[str, PartialResult[athena.Answer]]) -> Flow:
    datasets = {dataset.name: dataset for dataset in seen.datasets.value or []}
    states = {name: dataset.state(seen.now) for name, dataset in datasets.items()}
    records = {name: _counted(answers[name]) for name in _counting()}
    return flow.flow(_steps(platform, seen.now), datasets, records, states)


def _steps(platform: Platform, now: datetime) -> Steps:
    jobs = {
        name: partial_results.read("Glue", _bound(flow.job_ends, platform, name))
        for name in inventory.parts(platform, "jobs")
    }
    reads = {inventory.short(platform, name): ends.value[0] if ends.value else () for name, ends in jobs.items()}
    streams = tuple(_stream(platform, name, now) for name in inventory.parts(platform, "streams"))
    functions = tuple(_function(platform, name, now) for name in inventory.parts(platform, "functions"))
    helpers = {stream.helper for stream in streams}
    return Steps(
        functions=tuple(function for function in functions if function.name not in helpers),
        streams=streams,
        jobs=tuple(_job(platform, name, ends, now) for name, ends in jobs.items()),
        reads=reads,
    )


def _function(platform: Platform, name: str, now: datetime) -> Step:
    feeds = partial_results.read("Lambda", _bound(flow.function_feeds, platform, name))
    calls, errors = _sums(platform, now, "AWS/Lambda", {"FunctionName": name}, ("Invocations", "Errors"))
    lines = (f"{flow.counted(calls, 'call')} in 24 h", f"{errors:,.0f} failed" if errors else "none failed")
    return _step(platform, name, feeds, lines, bad=errors > 0)


def _stream(platform: Platform, name: str, now: datetime) -> Step:
    ends = partial_results.read("Firehose", _bound(flow.stream_ends, platform, name))
    feeds = PartialResult(ends.source, ends.value[0] if ends.value else None, ends.failure)
    wanted = ("IncomingRecords", "DeliveryToS3.Records")
    came, went = _sums(platform, now, "AWS/Firehose", {"DeliveryStreamName": name}, wanted)
    about = {"Environment": platform.environment, "DeliveryStreamName": name}
    (refused,) = _sums(platform, now, platform.project, about, ("RecordsRefused",))
    lines = (
        f"{flow.counted(came, 'record')} in 24 h",
        f"{went:,.0f} delivered{f', {refused:,.0f} refused' if refused else ''}",
    )
    helper = inventory.short(platform, ends.value[1]) if ends.value else ""
    step = _step(platform, name, feeds, (*lines, f"through {helper}") if helper else lines, bad=refused > 0)
    return replace(step, helper=helper)


def _job(
    platform: Platform, name: str, ends: PartialResult[tuple[tuple[str, ...], tuple[str, ...]]], now: datetime
) -> Step:
    feeds = PartialResult(ends.source, ends.value[1] if ends.value else None, ends.failure)
    last = partial_results.read("Glue", lambda: inventory.job_runs(platform.client("glue"), name, now - HISTORY)[:1])
    if not last.value:
        return _step(
            platform, name, feeds, ("has not run",) if last.value is not None else ("not readable",), bad=False
        )
    (run,) = last.value
    started = run["StartedOn"].astimezone(UTC)
    lines = (run["JobRunState"], f"{started:%m-%d %H:%M}, {run['ExecutionTime']} s")
    return _step(platform, name, feeds, lines, bad=run["JobRunState"] in ("ERROR", "FAILED", "TIMEOUT", "STOPPED"))


def _step(
    platform: Platform, name: str, feeds: PartialResult[tuple[str, ...]], lines: tuple[str, ...], bad: bool
) -> Step:
    if feeds.value is None:
        lines = ("not readable", feeds.failure.partition(":")[0])
    return Step(
        inventory.short(platform, name), feeds.value or (), lines, bad or feeds.value is None, failure=feeds.failure
    )


def _sums(
    platform: Platform, now: datetime, namespace: str, dimensions: Mapping[str, str], names: tuple[str, ...]
) -> list[float]:
    metrics = [Metric(namespace, name, dimensions, "Sum") for name in names]
    start = (now - _DAY).replace(minute=0, second=0, microsecond=0)
    return [
        timeseries.total(points)
        for points in timeseries.read(platform.client("cloudwatch"), metrics, start, now, _HOUR)
    ]


def _bound(call: Callable[[Platform, str], Any], platform: Platform, name: str) -> Callable[[], Any]:
    return lambda: call(platform, name)
