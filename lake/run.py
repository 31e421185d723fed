"""One run for one dataset: lock, finish what is unfinished, prepare, publish, commit.

The order is the protocol; each step may be repeated, and a death between any two of them is mended by the next run.
What a run does to the dataset is its work: a refresh from raw, a replay of the quarantine, a backfill.
"""

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from botocore.exceptions import BotoCoreError, ClientError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lake import heartbeat
from lake.catalog import Catalog, folder_of
from lake.contract import Contract, load
from lake.errors import CountsDoNotAdd, DatasetHeld, LakeError, OutsideWriter, sentence
from lake.keys import KeyVersion
from lake.ledger import Held, Ledger, Lock
from lake.manifest import NOTHING, Counts, Kind, Manifest, UnitChange, checksum, report, row, total
from lake.metrics import Metrics
from lake.storage import Location, PreconditionFailed, Storage, StoredObject

RUNS = "pipeline_runs"
# What may go wrong between lock and prepare; anything else is a defect and shows as one.
_FAILURES = (LakeError, BotoCoreError, ClientError, Py4JError, PySparkException)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lake:
    """What a run works with. ``locations`` maps each dataset that the job reads or writes to its place."""

    spark: SparkSession
    storage: Storage
    ledger: Ledger
    catalog: Catalog
    metrics: Metrics
    locations: dict[str, Location]
    staging: Location
    manifests: Location
    keys: tuple[KeyVersion, ...]
    code_version: str
    now: Callable[[], datetime]


class Outcome(NamedTuple):
    """What staging has counted and what publishing would change.

    ``by_object`` are the counts of each object that was read, by key. A work that claims its objects counts each.
    ``details`` are what else the ledger keeps of the run: who asked for it and why, what it has found.
    """

    counts: Counts
    units: tuple[UnitChange, ...]
    by_object: Mapping[str, Counts] = MappingProxyType({})
    details: Mapping[str, Any] = MappingProxyType({})


class Work(Protocol):
    """What a run does to its dataset, ``target``, with objects of ``source``.

    A work ``claims`` its objects when each of them is to be processed once and never again.
    """

    @property
    def kind(self) -> Kind:
        """What pipeline_runs calls it."""

    @property
    def claims(self) -> bool:
        """Whether the objects are claimed before they are read and closed by the commit."""

    @property
    def source(self) -> Contract:
        """The dataset whose objects are read; the target itself for a work that only looks at that."""

    @property
    def target(self) -> Contract:
        """The dataset whose units change; its quarantine may change with it."""

    def inputs(self, lake: Lake) -> tuple[StoredObject, ...]:
        """The objects that the run reads; none: there is nothing to do."""

    def stage(self, lake: Lake, manifest: Manifest) -> Outcome:
        """Write to the staging area of ``manifest.run_id``; nothing is visible yet.

        Raises LakeError when it must not come to that.
        """


@runtime_checkable
class Concluding(Protocol):
    """A work that has more to do than to replace units, which no other run can finish for it."""

    def conclude(self, lake: Lake, lock: Lock) -> None:
        """Do it, after the commit and still under the lock. Who repeats the work does what was left."""


def run(lake: Lake, work: Work) -> Counts:
    """Do the work under the dataset's lock. Raises LakeError when it cannot, then nothing was published.

    Only work that claims what has arrived is measured: a repair is no flow of data.
    """
    if not work.claims:
        return _locked(lake, work)
    with lake.metrics.of_run(work.target) as measured:
        measured.counts = _locked(lake, work)
    return measured.counts


def preview(lake: Lake, work: Work) -> Outcome:
    """What a run would do now: staged like one, but nothing is locked, published or written down."""
    unlocked = Lock(work.target.name, _new_run_id(lake), 0, None)
    manifest = replace(_begun(lake, unlocked, work), objects=work.inputs(lake))
    return work.stage(lake, manifest) if manifest.objects else Outcome(NOTHING, ())


def _new_run_id(lake: Lake) -> str:
    return f"{lake.now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def _locked(lake: Lake, work: Work) -> Counts:
    target, run_id = work.target, _new_run_id(lake)
    lock = lake.ledger.lock(target.name, run_id)
    if isinstance(lock, Held) and isinstance(work, Concluding):
        raise DatasetHeld(f"{target.name} is held by run {lock.owner} until {lock.until}; nothing was done, try again")
    if isinstance(lock, Held):
        logger.warning("%s is held by run %s until %s; nothing to do here", target.name, lock.owner, lock.until)
        return NOTHING
    try:
        if lock.unfinished:
            logger.warning("%s: finishing run %s, which was prepared and not committed", target.name, lock.unfinished)
            lake.metrics.finished(target, finish(lake, lock, target, lock.unfinished))
        counts = _done(lake, lock, work)
        if isinstance(work, Concluding):
            with heartbeat.beating(lake.ledger, lock):
                work.conclude(lake, lock)
        if work.claims:
            lake.ledger.complete(lock)
        return counts
    finally:
        lake.ledger.release(lock)


def _done(lake: Lake, lock: Lock, work: Work) -> Counts:
    manifest, target = _begun(lake, lock, work), work.target
    try:
        manifest = replace(manifest, objects=work.inputs(lake))
        if not manifest.objects:
            logger.info("%s: no new object of %s", target.name, work.source.name)
            return NOTHING
        logger.info("%s: run %s reads %d objects", target.name, lock.owner, len(manifest.objects))
        if work.claims:
            lake.ledger.claim(lock, manifest.objects)
        with heartbeat.beating(lake.ledger, lock):
            outcome = work.stage(lake, manifest)
        _check(manifest, outcome)
        manifest = _with_outcome(manifest, outcome, lake.now())
        record = _recorded(lake, target, manifest)
    except _FAILURES as error:
        _record_failure(lake, manifest, target, error)
        raise
    # When this fails, nobody knows whether the run is prepared: it is not called failed.
    lake.ledger.prepare(lock, manifest.run_id, record)
    return finish(lake, lock, target, manifest.run_id)


def _begun(lake: Lake, lock: Lock, work: Work) -> Manifest:
    started = lake.now().isoformat()
    return Manifest(
        run_id=lock.owner,
        dataset=work.target.name,
        kind=work.kind,
        source=work.source.name,
        started_at=started,
        ended_at=started,
        epoch=lock.epoch,
        code_version=lake.code_version,
        claimed=work.claims,
    )


def _with_outcome(manifest: Manifest, outcome: Outcome, ended: datetime) -> Manifest:
    return replace(
        manifest,
        ended_at=ended.isoformat(),
        counts=outcome.counts,
        by_object=dict(outcome.by_object),
        units=outcome.units,
        details=dict(outcome.details),
    )


def _check(manifest: Manifest, outcome: Outcome) -> None:
    """Every record is accounted for, in the run and in each object; else raises CountsDoNotAdd."""
    counts, by_object = outcome.counts, outcome.by_object
    wrong = sorted(key for key, part in by_object.items() if not part.add_up)
    if wrong or not counts.add_up:
        where = f", first in {wrong[0]}: {by_object[wrong[0]]}" if wrong else ""
        raise CountsDoNotAdd(
            f"{manifest.dataset}: the counts do not add up, nothing was published: {counts}{where}", counts
        )
    read = {stored.key for stored in manifest.objects}
    if manifest.claimed and (by_object.keys() != read or total(by_object.values()) != counts):
        raise CountsDoNotAdd(
            f"{manifest.dataset}: the counts of {len(by_object)} objects do not make those of the run, which has read "
            f"{len(read)} objects; nothing was published: {counts}",
            counts,
        )


def finish(lake: Lake, lock: Lock, target: Contract, run_id: str) -> Counts:
    """Publish and commit a prepared run, ours or one that died; every step may be repeated. Returns its counts."""
    manifest = manifest_of(lake, target, run_id)
    for change in manifest.units:
        # Right before the write: who has slept must not even try.
        lake.ledger.renew(lock)
        _publish(lake, manifest, change)
    _register(lake, target, manifest)
    _report(lake, manifest, report(manifest, "COMMITTED", target.domain))
    lake.ledger.commit(manifest)
    logger.info("%s: run %s committed %s", target.name, run_id, manifest.counts)
    return manifest.counts


def _recorded(lake: Lake, target: Contract, manifest: Manifest) -> dict[str, Any]:
    """Put the manifest; returns what the ledger says of the run."""
    body = manifest.encoded()
    lake.storage.put(lake.manifests.bucket, _manifest_key(lake, target, manifest.run_id), body)
    kept = {"manifest_sha256": checksum(body), "details": manifest.details}
    return {**report(manifest, "PREPARED", target.domain), **kept}


def _manifest_key(lake: Lake, target: Contract, run_id: str) -> str:
    return f"{lake.manifests.prefix}{target.name}/{run_id}.json"


def manifest_of(lake: Lake, target: Contract, run_id: str) -> Manifest:
    """The manifest of a prepared or committed run; raises OutsideWriter when it is not the one that was written."""
    record = lake.ledger.run(target.name, run_id)
    body = lake.storage.read(lake.manifests.bucket, _manifest_key(lake, target, run_id))
    if checksum(body) != record["manifest_sha256"]:
        raise OutsideWriter(f"{target.name}: the manifest of run {run_id} is not the one in the ledger")
    return Manifest.decoded(body, target.source or "")


def _publish(lake: Lake, manifest: Manifest, change: UnitChange) -> None:
    """Replace one unit. One that has changed since was put by this run before, or by a stranger."""
    bucket = lake.locations[change.dataset].bucket
    try:
        lake.storage.replace(bucket, change.staged, change.key, change.before, manifest.run_id)
    except PreconditionFailed as failed:
        writer = lake.storage.written_by(bucket, change.key)
        if writer == manifest.run_id or lake.ledger.run(manifest.dataset, manifest.run_id)["status"] == "COMMITTED":
            return
        raise OutsideWriter(
            f"s3://{bucket}/{change.key} was changed by {writer or 'a writer outside the ledger'} after run "
            f"{manifest.run_id} had read it; put the version back or remove it, then run again"
        ) from failed


def _register(lake: Lake, target: Contract, manifest: Manifest) -> None:
    """Partitions of what was written, and of the raw objects that were read."""
    for dataset in {change.dataset for change in manifest.units}:
        lake.catalog.add_partitions(dataset, [unit.partition for unit in manifest.units if unit.dataset == dataset])
    source = load(target.source or "")
    prefix = lake.locations[source.name].prefix
    folders = [folder_of(source, prefix, stored.key) for stored in manifest.objects]
    lake.catalog.add_partitions(source.name, [folder for folder in folders if folder])


def _record_failure(lake: Lake, manifest: Manifest, target: Contract, error: Exception) -> None:
    counts = error.counts if isinstance(error, LakeError) else NOTHING
    failed = replace(manifest, ended_at=lake.now().isoformat(), counts=counts)
    reported = report(failed, "FAILED", target.domain, sentence(error))
    lake.ledger.record_failure(target.name, manifest.run_id, reported)
    _report(lake, failed, reported)


def _report(lake: Lake, manifest: Manifest, reported: Mapping[str, Any]) -> None:
    """One row of pipeline_runs; written before the commit, because a prepared run will be committed by somebody."""
    location = lake.locations[RUNS]
    folder = f"date={manifest.started_at[:10]}"
    key = f"{location.prefix}{folder}/{manifest.run_id}_{manifest.dataset}.json"
    lake.storage.put(location.bucket, key, row(reported, manifest))
    lake.catalog.add_partitions(RUNS, [folder])
