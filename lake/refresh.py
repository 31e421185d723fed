"""One run for one dataset: claim, finish what is unfinished, prepare, publish, commit.

The order is the protocol; each step may be repeated, and a death between any two of them is mended by the next run.
"""

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from lake import frames, staging
from lake.catalog import Catalog, folder_of
from lake.contract import Contract, load
from lake.errors import CountsDoNotAdd, LakeError, NoRawData, OutsideWriter, ToleranceExceeded
from lake.ledger import Held, Ledger, Lock
from lake.manifest import NOTHING, Counts, Manifest, UnitChange, checksum, line, report
from lake.metrics import Metrics
from lake.privacy import KeyVersion
from lake.storage import Location, PreconditionFailed, Storage, StoredObject

Transformation = Callable[[DataFrame], DataFrame]
RUNS = "pipeline_runs"
# How many raw objects a failed run names; enough to find the producer.
WORST_OBJECTS = 3
# What may go wrong between claim and prepare; anything else is a defect and shows as one.
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


def refresh(lake: Lake, target: Contract, source: Contract, transformation: Transformation) -> Counts:
    """Bring ``target`` up to what ``source`` holds. Raises LakeError when it cannot, then nothing was published."""
    with lake.metrics.of_run(target) as run:
        run.counts = _refresh(lake, target, source, transformation)
    return run.counts


def _refresh(lake: Lake, target: Contract, source: Contract, transformation: Transformation) -> Counts:
    run_id = f"{lake.now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
    lock = lake.ledger.lock(target.name, run_id)
    if isinstance(lock, Held):
        logger.warning("%s is held by run %s until %s; nothing to do here", target.name, lock.owner, lock.until)
        return NOTHING
    try:
        if lock.unfinished:
            logger.warning("%s: finishing run %s, which was prepared and not committed", target.name, lock.unfinished)
            lake.metrics.finished(target, finish(lake, lock, target, lock.unfinished))
        counts = _process_new(lake, lock, target, source, transformation)
        lake.ledger.complete(lock)
        return counts
    finally:
        lake.ledger.release(lock)


def _process_new(lake: Lake, lock: Lock, target: Contract, source: Contract, transformation: Transformation) -> Counts:
    started = lake.now().isoformat()
    manifest = Manifest(lock.owner, target.name, started, started, lock.epoch, lake.code_version, (), NOTHING, ())
    try:
        manifest = replace(manifest, objects=_new_objects(lake, target, source))
        if not manifest.objects:
            logger.info("%s: no new raw object", target.name)
            return NOTHING
        logger.info("%s: run %s reads %d raw objects", target.name, lock.owner, len(manifest.objects))
        counts, changes = _staged(lake, manifest, target, source, transformation)
    except _FAILURES as error:
        _record_failure(lake, manifest, target, error)
        raise
    manifest = replace(manifest, ended_at=lake.now().isoformat(), counts=counts, units=changes)
    _prepare(lake, lock, target, manifest)
    return finish(lake, lock, target, manifest.run_id)


def _staged(
    lake: Lake, manifest: Manifest, target: Contract, source: Contract, transformation: Transformation
) -> tuple[Counts, tuple[UnitChange, ...]]:
    """Judge, pseudonymise and stage what the objects hold; nothing is visible yet, and it may not come to that."""
    twin, run_id = target.quarantine(), manifest.run_id
    for contract in (target, twin):
        lake.catalog.check(contract)
    area = staging.Area(lake.spark, lake.storage, lake.staging, lake.locations, run_id)
    bucket = lake.locations[source.name].bucket
    raw = frames.read_raw(lake.spark, source, bucket, list(manifest.objects)).persist()
    judged = staging.judged(raw, source, target, transformation).persist()
    try:
        counts = staging.counted(raw, judged)
        _check_tolerance(target, counts, judged)
        good = staging.staged(area, target, staging.accepted(judged, target, lake.keys, run_id))
        bad = staging.staged(area, twin, staging.rejected(judged, target, lake.keys, run_id))
    except CountsDoNotAdd as error:
        raise CountsDoNotAdd(str(error), replace(NOTHING, received=counts.received)) from error
    finally:
        judged.unpersist()
        raw.unpersist()
    counts = replace(counts, new=good.new, replaced=good.replaced, duplicate=good.duplicate)
    if not counts.add_up:
        raise CountsDoNotAdd(f"{target.name}: the counts do not add up, nothing was published: {counts}", counts)
    return counts, (*good.changes, *bad.changes)


def _check_tolerance(target: Contract, counts: Counts, judged: DataFrame) -> None:
    if target.tolerates(counts.quarantined, counts.received):
        return
    worst = ", ".join(f"{reason} {number}" for reason, number in Counter(counts.reasons).most_common(5))
    objects = ", ".join(staging.worst_objects(judged, WORST_OBJECTS))
    raise ToleranceExceeded(
        f"{target.name}: validation FAILED: {counts.quarantined} of {counts.received} records broke a rule ({worst}), "
        f"most of them in {objects}; the contract tolerates {target.tolerance:.0%} or {target.tolerated_records} "
        "records; nothing was published",
        counts,
    )


def finish(lake: Lake, lock: Lock, target: Contract, run_id: str) -> Counts:
    """Publish and commit a prepared run, ours or one that died; every step may be repeated. Returns its counts."""
    manifest = _manifest(lake, target, run_id)
    for change in manifest.units:
        _publish(lake, manifest, change)
        lake.ledger.renew(lock)
    _register(lake, target, manifest)
    _report(lake, report(manifest, "COMMITTED", target.domain))
    lake.ledger.commit(target.name, run_id, manifest.objects)
    logger.info("%s: run %s committed %s", target.name, run_id, manifest.counts)
    return manifest.counts


def _new_objects(lake: Lake, target: Contract, source: Contract) -> tuple[StoredObject, ...]:
    stored = list(lake.storage.list(lake.locations[source.name]))
    if not stored:
        raise NoRawData(
            f"{source.name}: no raw data has ever arrived in {lake.locations[source.name].uri}; "
            "check that its producer runs"
        )
    known = lake.ledger.objects(target.name)
    return tuple(entry for entry in stored if (entry.key, entry.etag) not in known)


def _prepare(lake: Lake, lock: Lock, target: Contract, manifest: Manifest) -> None:
    body = manifest.encoded()
    lake.storage.put(lake.manifests.bucket, _manifest_key(lake, target, manifest.run_id), body)
    record = {**report(manifest, "PREPARED", target.domain), "manifest_sha256": checksum(body)}
    lake.ledger.prepare(lock, manifest.run_id, record)


def _manifest_key(lake: Lake, target: Contract, run_id: str) -> str:
    return f"{lake.manifests.prefix}{target.name}/{run_id}.json"


def _manifest(lake: Lake, target: Contract, run_id: str) -> Manifest:
    record = lake.ledger.run(target.name, run_id)
    body = lake.storage.read(lake.manifests.bucket, _manifest_key(lake, target, run_id))
    if checksum(body) != record["manifest_sha256"]:
        raise OutsideWriter(f"{target.name}: the manifest of run {run_id} is not the one in the ledger")
    return Manifest.decoded(body)


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
    row = report(failed, "FAILED", target.domain, str(error).strip().partition("\n")[0])
    lake.ledger.record_failure(target.name, manifest.run_id, row)
    _report(lake, row)


def _report(lake: Lake, row: Mapping[str, Any]) -> None:
    """One row of pipeline_runs; written before the commit, because a prepared run will be committed by somebody."""
    location = lake.locations[RUNS]
    folder = f"date={row['started_at'][:10]}"
    lake.storage.put(location.bucket, f"{location.prefix}{folder}/{row['run_id']}_{row['dataset']}.json", line(row))
    lake.catalog.add_partitions(RUNS, [folder])
