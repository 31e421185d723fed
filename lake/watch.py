"""What one looks at to know how the lake is: datasets, runs, alarms."""

from datetime import UTC, datetime
from typing import Any

from lake import contract
from lake.ledger import Ledger
from lake.platform import Platform
from lake.storage import Location, Storage


def curated() -> list[str]:
    """The names of the datasets that runs write."""
    return [loaded.name for loaded in map(contract.read, contract.files()) if loaded.source]


def datasets(platform: Platform) -> list[dict[str, Any]]:
    """One row a dataset: objects, bytes, newest object, status of its last run."""
    return [
        _dataset(platform, contract.load(name)) for curated_name in curated() for name in _sources_first(curated_name)
    ]


def _sources_first(name: str) -> tuple[str, str]:
    return contract.load(name).source or "", name


def _dataset(platform: Platform, dataset: contract.Contract) -> dict[str, Any]:
    objects = stored(platform, dataset)
    last = runs(platform, [dataset.name])[:1]
    newest = max((entry.modified for entry in objects), default=None)
    return {
        "dataset": dataset.name,
        "objects": len(objects),
        "bytes": sum(entry.size for entry in objects),
        "newest": f"{newest:%Y-%m-%d %H:%M:%S}" if newest else "never",
        "last run": last[0]["status"] if last else "",
    }


def stored(platform: Platform, dataset: contract.Contract) -> list[Any]:
    """The dataset's objects."""
    return list(Storage(platform.client("s3")).list(Location(platform.names["lake_bucket"], f"{dataset.path}/")))


def runs(platform: Platform, names: list[str]) -> list[dict[str, Any]]:
    """One row a run of these datasets, newest first."""
    ledger = Ledger(platform.client("dynamodb"), platform.names["ledger"], lambda: datetime.now(UTC))
    records = [record for name in names for record in ledger.runs(name)]
    columns = ("run_id", "dataset", "status", "received", "new", "replaced", "duplicate", "quarantined", "reason")
    rows = [{column: record.get(column) for column in columns} for record in records]
    return sorted(rows, key=lambda row: str(row["run_id"]), reverse=True)


def alarms(platform: Platform) -> list[dict[str, Any]]:
    """One row an alarm of the environment."""
    pages = platform.client("cloudwatch").get_paginator("describe_alarms").paginate()
    found = [alarm for page in pages for alarm in page["MetricAlarms"]]
    ours = [alarm for alarm in found if alarm["AlarmName"].endswith(f"-{platform.environment}")]
    return [
        {"alarm": alarm["AlarmName"], "state": alarm["StateValue"], "reason": alarm.get("StateReason", "")}
        for alarm in ours
    ]
