"""Read-only inventory of an environment: clock, resource names, datasets, freshness and runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from graphlib import TopologicalSorter
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from lake.contract import model
from lake.contract.model import Contract
from lake.core.counts import Counts
from lake.core.errors import LakeError
from lake.core.s3 import Location, Storage, StoredObject
from lake.environment.deployment import Platform
from lake.runs.ledger import Ledger

# The states of a Glue job run that has not ended.
UNFINISHED_STATES = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})


class NoJob(LakeError):
    """No deployed job does the operation; the message names the command that deploys one."""


@dataclass(frozen=True)
class Run:
    """One run of one dataset, from the ledger; ``reasons`` counts broken rules, possibly several for a record.

    ``details`` are facts about a repair: requester, reason, findings. ``drift`` counts records whose fields differ from
    the contract. ``size`` is the number of bytes read.
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
    partition_files: int = 0
    size: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unreconciled(self) -> int:
        """Return the number of records that are missing or surplus, without sign."""
        counts = (self.received, self.new, self.replaced, self.duplicate, self.quarantined)
        return Counts(*counts, self.reasons).unreconciled


@dataclass(frozen=True)
class Dataset:
    """One dataset; ``current_to`` is the moment from which its age counts, None before the first data."""

    contract: Contract
    objects: int
    size: int
    newest: datetime | None
    current_to: datetime | None
    last_run: Run | None

    @property
    def name(self) -> str:
        """Return the dataset's name."""
        return self.contract.name

    @property
    def limit(self) -> timedelta | None:
        """Return the maximum age of the newest data, None without a limit."""
        seconds = self.contract.freshness_seconds
        return None if seconds is None else timedelta(seconds=seconds)

    def age(self, now: datetime) -> timedelta | None:
        """Return the time since ``current_to``, None before the first data."""
        return None if self.current_to is None else max(now - self.current_to, timedelta())

    def state(self, now: datetime) -> str:
        """Return ``fresh``, ``stale``, ``empty`` (no data yet) or ``no limit``."""
        age = self.age(now)
        if age is None:
            return "empty"
        if self.limit is None:
            return "no limit"
        return "fresh" if age <= self.limit else "stale"


def now(platform: Platform) -> datetime:
    """Return the time of the platform (UTC), the clock of all other timestamps that are shown."""
    answer = platform.client("sts").get_caller_identity()
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)


def prefix(platform: Platform) -> str:
    """Return how the names of this project begin, in all environments."""
    return f"{platform.project}-"


def ours(platform: Platform, name: str) -> bool:
    """Return True if the name belongs to this project and environment."""
    return name.startswith(prefix(platform)) and name.endswith(f"-{platform.environment}")


def short(platform: Platform, name: str) -> str:
    """Return the name without the project's prefix and the environment's suffix."""
    return name.removeprefix(prefix(platform)).removesuffix(f"-{platform.environment}")


def parts(platform: Platform, kind: str) -> list[str]:
    """Return the names of all ``functions``, ``streams``, ``jobs`` or ``operations`` (``kind``) of all pipelines."""
    return [name for pipeline in platform.pipelines.values() for name in pipeline.get(kind, {}).values()]


def job_of(platform: Platform, dataset: str, operation: str) -> str:
    """Return the job that performs ``operation`` on the dataset: one of its own if there is one, else that of repairs.

    Raises NoJob when no deployed job of the pipeline repairs the dataset.
    """
    domain = model.load(dataset).domain
    pipeline = platform.pipelines.get(domain, {})
    name = pipeline.get("operations", {}).get(operation) or pipeline.get("repairs", {}).get(dataset)
    if name is None:
        raise NoJob(f"no deployed job of {domain} repairs {dataset}; deploy one with 'make apply PIPELINE={domain}'")
    return str(name)


def job_runs(client: Any, job: str, since: datetime) -> list[dict[str, Any]]:
    """Return the runs of a Glue job that started after ``since`` (UTC), newest first."""
    found: list[dict[str, Any]] = []
    for page in client.get_paginator("get_job_runs").paginate(JobName=job):
        for run in page["JobRuns"]:
            if run["StartedOn"] < since:
                return found
            found.append(run)
    return found


def curated() -> list[str]:
    """Return the names of the datasets that are made from others, each after its inputs."""
    made = {loaded.name: loaded for loaded in map(model.read, model.files()) if loaded.made_from}
    plain_first = sorted(made.values(), key=lambda loaded: len(loaded.inputs) > 0)
    order = {loaded.name: [other for other in loaded.inputs if other in made] for loaded in plain_first}
    return list(TopologicalSorter(order).static_order())


def rejecting() -> list[str]:
    """Return the names of the datasets that have a quarantine table."""
    return [name for name in curated() if model.load(name).has_quarantine]


def datasets(platform: Platform) -> list[Dataset]:
    """Return each curated dataset after those that it is made from; one that several share comes once."""
    names = [name for curated_name in curated() for name in (*model.load(curated_name).made_from, curated_name)]
    return [_dataset(platform, model.load(name)) for name in dict.fromkeys(names)]


def stored(platform: Platform, dataset: Contract) -> list[StoredObject]:
    """Return the current objects of the dataset."""
    return list(Storage(platform.client("s3")).list(_location(platform, dataset)))


def runs(platform: Platform, names: list[str]) -> list[Run]:
    """Return all runs of these datasets, newest first."""
    ledger = Ledger(platform.client("dynamodb"), platform.names["ledger"], lambda: datetime.now(UTC))
    found = [_run(record) for name in names for record in ledger.runs(name)]
    return sorted(found, key=lambda run: (run.started_at, run.run_id), reverse=True)


def _dataset(platform: Platform, dataset: Contract) -> Dataset:
    objects = stored(platform, dataset)
    last = runs(platform, [dataset.name])[:1] if dataset.made_from else []
    return Dataset(
        contract=dataset,
        objects=len(objects),
        size=sum(entry.size for entry in objects),
        newest=max((entry.modified for entry in objects), default=None),
        current_to=_completed(platform, dataset) if dataset.made_from else _newest(platform, dataset),
        last_run=last[0] if last else None,
    )


def _newest(platform: Platform, dataset: Contract) -> datetime | None:
    return Storage(platform.client("s3")).newest_of_last_folders(_location(platform, dataset))


def _location(platform: Platform, dataset: Contract) -> Location:
    return Location(platform.names["lake_bucket"], f"{dataset.path}/")


def _completed(platform: Platform, dataset: Contract) -> datetime | None:
    """Return when a refresh last succeeded, also one without data; a derived one has that of its oldest input."""
    moment = _lock(platform, dataset.name).get("completed_at")
    return datetime.fromisoformat(moment) if moment else None


def _lock(platform: Platform, dataset: str) -> dict[str, Any]:
    """Return the dataset's lock item; empty before its first run."""
    key = {"pk": {"S": f"dataset#{dataset}"}, "sk": {"S": "lock"}}
    answer = platform.client("dynamodb").get_item(TableName=platform.names["ledger"], Key=key, ConsistentRead=True)
    return {name: TypeDeserializer().deserialize(value) for name, value in answer.get("Item", {}).items()}


def _run(record: Mapping[str, Any]) -> Run:
    counts = ("received", "new", "replaced", "duplicate", "quarantined", "reasons", "drift")
    named = ("run_id", "dataset", "kind", "status", "reason", "partition_files", *counts)
    fields: dict[str, Any] = {name: record[name] for name in named}
    fields |= {name: datetime.fromisoformat(record[name]) for name in ("started_at", "ended_at")}
    # A run that failed before it was prepared has no details.
    return Run(**fields, size=record["bytes"], details=record.get("details", {}))
