"""What one looks at to know how the lake is: its clock, its names, datasets and runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from lake.contract import model
from lake.contract.model import Contract
from lake.core.s3 import Location, Storage, StoredObject
from lake.environment.deployment import PROJECT, Platform
from lake.runs.ledger import Ledger

LAST_FOLDERS = 3


@dataclass(frozen=True)
class Run:
    """One run for one dataset, as the ledger has it; ``reasons`` counts broken rules, several to a record.

    ``details`` are what a repair has left about itself: who asked for it and why, what it has found.
    ``drift`` counts records whose fields are not the contract's; nothing for runs of before it was counted.
    ``size`` are the bytes that it has read.
    """

    run_id: str
    dataset: str
    status: str
    started_at: datetime
    ended_at: datetime
    received: int
    new: int
    replaced: int
    duplicate: int
    quarantined: int
    reasons: Mapping[str, int]
    reason: str | None
    drift: Mapping[str, int] = field(default_factory=dict)
    kind: str = "refresh"
    units: int = 0
    size: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unaccounted(self) -> int:
        """Records that were received and became nothing."""
        return self.received - self.new - self.replaced - self.duplicate - self.quarantined


@dataclass(frozen=True)
class Dataset:
    """One dataset; ``current_to`` is what its freshness counts from, None when nothing has ever come."""

    contract: Contract
    objects: int
    size: int
    newest: datetime | None
    current_to: datetime | None
    last_run: Run | None

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.contract.name

    @property
    def limit(self) -> timedelta | None:
        """How old its newest data may be."""
        seconds = self.contract.freshness_seconds
        return None if seconds is None else timedelta(seconds=seconds)

    def age(self, now: datetime) -> timedelta | None:
        """How long nothing has come."""
        return None if self.current_to is None else max(now - self.current_to, timedelta())

    def state(self, now: datetime) -> str:
        """``fresh``, ``stale``, ``empty`` (nothing yet) or ``no limit``."""
        age = self.age(now)
        if age is None:
            return "empty"
        if self.limit is None:
            return "no limit"
        return "fresh" if age <= self.limit else "stale"


def now(platform: Platform) -> datetime:
    """What time it is where the platform runs, UTC: every other moment that is shown was taken from that clock."""
    answer = platform.client("sts").get_caller_identity()
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)


def ours(platform: Platform, name: str) -> bool:
    """Whether a name is one that Terraform gave in this environment."""
    return name.startswith(f"{PROJECT}-") and name.endswith(f"-{platform.environment}")


def short(platform: Platform, name: str) -> str:
    """A name without what all names share."""
    return name.removeprefix(f"{PROJECT}-").removesuffix(f"-{platform.environment}")


def parts(platform: Platform, kind: str) -> list[str]:
    """The names of all ``functions``, ``streams``, ``jobs`` or ``operations`` (jobs that do one) of the pipelines."""
    return [name for pipeline in platform.pipelines.values() for name in pipeline.get(kind, {}).values()]


def job_runs(client: Any, job: str, since: datetime) -> list[dict[str, Any]]:
    """The runs of a Glue job that started since then, newest first."""
    found: list[dict[str, Any]] = []
    for page in client.get_paginator("get_job_runs").paginate(JobName=job):
        for run in page["JobRuns"]:
            if run["StartedOn"] < since:
                return found
            found.append(run)
    return found


def curated() -> list[str]:
    """The names of the datasets that runs write."""
    return [loaded.name for loaded in map(model.read, model.files()) if loaded.source]


def datasets(platform: Platform) -> list[Dataset]:
    """Each curated dataset after the raw one that it is made from; a raw one that several share comes once."""
    names = [name for curated_name in curated() for name in (model.load(curated_name).source or "", curated_name)]
    return [_dataset(platform, model.load(name)) for name in dict.fromkeys(names)]


def stored(platform: Platform, dataset: Contract) -> list[StoredObject]:
    """The dataset's objects."""
    return list(Storage(platform.client("s3")).list(Location(platform.names["lake_bucket"], f"{dataset.path}/")))


def runs(platform: Platform, names: list[str]) -> list[Run]:
    """The runs of these datasets, newest first."""
    ledger = Ledger(platform.client("dynamodb"), platform.names["ledger"], lambda: datetime.now(UTC))
    found = [_run(record) for name in names for record in ledger.runs(name)]
    return sorted(found, key=lambda run: (run.started_at, run.run_id), reverse=True)


def _dataset(platform: Platform, dataset: Contract) -> Dataset:
    objects = stored(platform, dataset)
    last = runs(platform, [dataset.name])[:1] if dataset.source else []
    return Dataset(
        contract=dataset,
        objects=len(objects),
        size=sum(entry.size for entry in objects),
        newest=max((entry.modified for entry in objects), default=None),
        current_to=_completed(platform, dataset) if dataset.source else newest_of_last_folders(objects),
        last_run=last[0] if last else None,
    )


def newest_of_last_folders(objects: list[StoredObject]) -> datetime | None:
    """The newest object of the last days, found as the function ``watch`` finds it.

    A correction of an old day does not make a dataset fresh, nor does an object under a day to come hide the others.
    """
    folders: dict[tuple[str, ...], datetime] = {}
    for entry in objects:
        folder = tuple(entry.key.split("/")[:-1])
        folders[folder] = max(entry.modified, folders.get(folder, entry.modified))
    return max((folders[folder] for folder in sorted(folders)[-LAST_FOLDERS:]), default=None)


def held(platform: Platform, dataset: str) -> str:
    """Which run holds the dataset and until when; empty when none does."""
    item = _lock(platform, dataset)
    return (
        f"{item['owner']} until {item['lease_until']}"
        if item.get("lease_until", "") > now(platform).isoformat()
        else ""
    )


def _completed(platform: Platform, dataset: Contract) -> datetime | None:
    """When a refresh last ended well, also one that found nothing new."""
    moment = _lock(platform, dataset.name).get("completed_at")
    return datetime.fromisoformat(moment) if moment else None


def _lock(platform: Platform, dataset: str) -> dict[str, Any]:
    """The dataset's lock item; empty before its first run."""
    key = {"pk": {"S": f"dataset#{dataset}"}, "sk": {"S": "lock"}}
    answer = platform.client("dynamodb").get_item(TableName=platform.names["ledger"], Key=key, ConsistentRead=True)
    return {name: TypeDeserializer().deserialize(value) for name, value in answer.get("Item", {}).items()}


def _run(record: Mapping[str, Any]) -> Run:
    counts = ("received", "new", "replaced", "duplicate", "quarantined", "reasons")
    fields: dict[str, Any] = {name: record[name] for name in ("run_id", "dataset", "status", "units", *counts)}
    # Runs of before there were other kinds have none.
    fields["kind"] = record.get("kind", "refresh")
    fields |= {name: datetime.fromisoformat(record[name]) for name in ("started_at", "ended_at")}
    seen = {name: record.get(name, {}) for name in ("drift", "details")}
    return Run(**fields, reason=record.get("reason"), size=record["bytes"], **seen)
