"""Estimate by how much a Terraform plan changes the monthly cost, at a documented base load."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lake.environment import cost
from lake.environment.cost import GIGABYTE, HOURS_A_MONTH, Usage

_MINUTES_A_MONTH = HOURS_A_MONTH * 60
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}


@dataclass(frozen=True)
class Change:
    """A resource that a plan adds, changes or removes, and what it costs a month before and after (USD)."""

    address: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        """USD a month; negative when it becomes cheaper."""
        return self.after - self.before


@dataclass(frozen=True)
class Difference:
    """All changes that have a price, and the types of those that have none, with their number.

    ``unpriced`` are resources that cost nothing by standing there, or that are billed by use that nothing foretells.
    """

    changes: tuple[Change, ...]
    unpriced: Mapping[str, int]

    @property
    def usd_a_month(self) -> float:
        """The sum of all differences."""
        return sum(change.difference for change in self.changes)

    @property
    def summary(self) -> str:
        """The difference in one sentence."""
        if not self.changes:
            return "Nothing that has a price changes."
        return f"{self.usd_a_month:+.2f} USD a month at the base load, by {len(self.changes)} priced resources."


def difference(plan: Mapping[str, Any]) -> Difference:
    """Return what the plan (JSON of ``terraform show -json``) adds and removes a month.

    Raises NoPrice for a worker of Glue whose size is not known.
    """
    changes, unpriced = [], dict[str, int]()
    for entry in plan.get("resource_changes", ()):
        if entry.get("mode") == "data" or set(entry["change"]["actions"]) <= {"no-op", "read"}:
            continue
        if entry["type"] not in _PRICED:
            unpriced[entry["type"]] = unpriced.get(entry["type"], 0) + 1
            continue
        before, after = (_usd(entry["type"], entry["change"].get(side)) for side in ("before", "after"))
        if before != after:
            changes.append(Change(entry["address"], before, after))
    ordered = sorted(changes, key=lambda change: (-abs(change.difference), change.address))
    return Difference(tuple(ordered), dict(sorted(unpriced.items())))


def assumptions() -> list[str]:
    """Return the sentences that every reader of a difference needs: load, prices, what is left out."""
    loads = [f"{name.replace('_', ' ')}: {load['why']}" for name, load in base_load().items()]
    return [
        f"Base load: {'; '.join(loads)}.",
        f"Prices of {cost.book()['region']}, each with source and date in lake/environment/prices.yaml.",
        "Left out: storage, queries, requests of tables and buckets, and what `lake cost` leaves out.",
    ]


@cache
def base_load() -> dict[str, dict[str, Any]]:
    """Return base_load.yaml: kind of resource => how much it is used a month, and why that much."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(
        (Path(__file__).parent / "base_load.yaml").read_text(encoding="utf-8")
    )
    return found


def _usd(kind: str, values: Mapping[str, Any] | None) -> float:
    if values is None:
        return 0.0
    amounts = ((usage, cost.price(usage.price)) for usage in _PRICED[kind](values))
    return sum((usage.amount or 0.0) * price.usd / price.per for usage, price in amounts)


def _standing(price: str) -> "_Usages":
    def usages(_values: Mapping[str, Any]) -> Iterator[Usage]:
        yield Usage("", "", price, 1, standing=True)

    return usages


def _alarm(values: Mapping[str, Any]) -> Iterator[Usage]:
    # An alarm of metric math is billed for each metric that it reads.
    metrics = [query for query in values.get("metric_query") or () if query.get("metric")]
    yield Usage("", "", "cloudwatch_alarm", max(len(metrics), 1), standing=True)


def _function(values: Mapping[str, Any]) -> Iterator[Usage]:
    load = base_load()["function"]
    invocations = float(load["invocations_a_month"])
    gigabytes = float(values.get("memory_size") or 128) / 1024
    yield Usage("", "", "lambda_requests", invocations)
    yield Usage("", "", "lambda_compute", invocations * load["seconds"] * gigabytes)


def _job(values: Mapping[str, Any]) -> Iterator[Usage]:
    at_once = [of.get("max_concurrent_runs") or 1 for of in values.get("execution_property") or ()]
    load = base_load()["job_by_hand" if max(at_once, default=1) > 1 else "job"]
    price = "glue_flex_dpu_hour" if values.get("execution_class") == "FLEX" else "glue_dpu_hour"
    worker, workers = str(values.get("worker_type") or "G.1X"), int(values.get("number_of_workers") or 2)
    yield Usage("", "", price, load["runs_a_month"] * cost.dpu_hours(worker, workers, load["seconds"]))


def _stream(_values: Mapping[str, Any]) -> Iterator[Usage]:
    load = base_load()["stream"]
    records = float(load["records_a_month"])
    yield Usage("", "", "firehose_ingested", cost.firehose_bytes(records, records * load["bytes_each"]) / GIGABYTE)


def _schedule(values: Mapping[str, Any]) -> Iterator[Usage]:
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", str(values.get("schedule_expression")))
    by_load = float(base_load()["schedule"]["invocations_a_month"])
    invocations = _MINUTES_A_MONTH / (int(rate[1]) * _MINUTES[rate[2]]) if rate else by_load
    yield Usage("", "", "scheduler_invocation", invocations)


def _log_group(_values: Mapping[str, Any]) -> Iterator[Usage]:
    yield Usage("", "", "cloudwatch_logs_ingested", float(base_load()["log_group"]["gigabytes_a_month"]))


_Usages = Callable[[Mapping[str, Any]], Iterator[Usage]]
_PRICED: Mapping[str, _Usages] = {
    "aws_cloudwatch_dashboard": _standing("cloudwatch_dashboard"),
    "aws_cloudwatch_log_group": _log_group,
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_glue_job": _job,
    "aws_kinesis_firehose_delivery_stream": _stream,
    "aws_kms_key": _standing("kms_key"),
    "aws_lambda_function": _function,
    "aws_scheduler_schedule": _schedule,
    "aws_secretsmanager_secret": _standing("secret"),
}
