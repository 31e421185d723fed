"""Estimate what a backfill reads and costs, from listings and the ledger; starts nothing."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lake.contract import model
from lake.contract.model import Contract
from lake.core.s3 import Location, Storage, StoredObject
from lake.environment import cost, inventory
from lake.environment.deployment import Platform
from lake.operations.arguments import DAYS_IN_A_RUN
from lake.runs.ledger import Ledger

_STARTING_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """The estimate for a window. ``rows`` are those of the last run that wrote each partition file."""

    first: date
    last: date
    runs: int
    partition_files: int
    file_bytes: int
    objects_read: int
    bytes_read: int
    scan_bytes: int
    seconds: float
    usd: float

    def row(self) -> dict[str, Any]:
        """Return the plan as a row that a command prints."""
        return {
            "window": f"{self.first} to {self.last}",
            "runs": self.runs,
            "partition files now": self.partition_files,
            "their bytes": self.file_bytes,
            "objects to read": self.objects_read,
            "bytes to read": self.bytes_read,
            "bytes to scan": self.scan_bytes,
            "estimated minutes": math.ceil(self.seconds / 60),
            "estimated USD": f"{self.usd:.2f}",
        }


def plan(platform: Platform, dataset: str, first: date, last: date, days: int = DAYS_IN_A_RUN) -> Plan:
    """Return the estimate for a backfill from ``first`` to ``last``, both included, in runs of ``days`` days.

    Each of its runs reads all raw objects, for a derived dataset the days of its inputs. Raises NoJob when no deployed
    job writes the dataset.
    """
    target = model.load(dataset)
    client = Storage(platform.client("s3"))
    bucket = platform.names["lake_bucket"]
    read = [entry for name in target.made_from for entry in _read(platform, model.load(name), target, first, last)]
    files = [
        entry for entry in client.list(Location(bucket, f"{target.path}/")) if _holds(target, entry.key, first, last)
    ]
    runs = math.ceil(((last - first).days + 1) / days)
    read_bytes, file_bytes = sum(entry.size for entry in read), sum(entry.size for entry in files)
    scan = (runs if target.source else 1) * read_bytes + file_bytes
    seconds = _STARTING_SECONDS + scan / _bytes_a_second(platform, dataset)
    usd = _dpu_hours(platform, dataset, seconds) * cost.price("glue_dpu_hour").usd
    return Plan(first, last, runs, len(files), file_bytes, len(read), read_bytes, scan, seconds, usd)


def _read(platform: Platform, made_from: Contract, target: Contract, first: date, last: date) -> list[StoredObject]:
    """Return what a run reads: all processed raw objects, or of an input the partition files of the window."""
    client, place = Storage(platform.client("s3")), Location(platform.names["lake_bucket"], f"{made_from.path}/")
    if not target.source:
        return [entry for entry in client.list(place) if _holds(made_from, entry.key, first, last)]
    known = Ledger(platform.client("dynamodb"), platform.names["ledger"], _now).objects(target.name).processed
    return [entry for entry in client.versions(place) if (entry.key, entry.etag) in known]


def _holds(target: Contract, key: str, first: date, last: date) -> bool:
    day = key.removeprefix(f"{target.path}/date=")[:10]
    return first.isoformat() <= day <= last.isoformat()


def _dpu_hours(platform: Platform, dataset: str, seconds: float) -> float:
    """Return what the deployed job is billed for a run of this length."""
    name = inventory.job_of(platform, dataset, "backfill")
    job = platform.client("glue").get_job(JobName=name)["Job"]
    return cost.dpu_hours(job["WorkerType"], job["NumberOfWorkers"], seconds)


def _bytes_a_second(platform: Platform, dataset: str) -> float:
    """Return the read rate of past runs in bytes per second; 1 MB/s if they took less than a second in total."""
    past = [run for run in inventory.runs(platform, [dataset]) if run.status == "COMMITTED" and run.size]
    seconds = sum((run.ended_at - run.started_at) / timedelta(seconds=1) for run in past)
    return sum(run.size for run in past) / seconds if seconds >= 1 else 1e6


def _now() -> datetime:
    return datetime.now(UTC)
