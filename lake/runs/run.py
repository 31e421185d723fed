"""One run for one dataset: lock, finish what is unfinished, prepare, publish, commit.

The order is the protocol: each step may be repeated, and the next run completes a run that died between two steps.
The operation on the dataset is the run's work: a refresh from raw, a replay of the quarantine, a backfill.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from botocore.exceptions import BotoCoreError, ClientError

from lake.contract.model import Contract, load
from lake.core.counts import NOTHING, Counts, total
from lake.core.errors import (
    CountsNotReconciled,
    DatasetHeld,
    LakeError,
    NotPrepared,
    OutsideWriter,
    StagingExpired,
    summary_line,
)
from lake.core.s3 import StoredObject
from lake.runs import lease, publication
from lake.runs.context import RunContext
from lake.runs.ledger import Held, Lock
from lake.runs.manifest import Kind, Manifest, checksum, report, row
from lake.tables.base import TableChange
from lake.tables.catalog import folder_of

RUNS = "pipeline_runs"
# What may go wrong between lock and prepare, besides the engine's own errors. Anything else is a defect.
_FAILURES = (LakeError, BotoCoreError, ClientError)
logger = logging.getLogger(__name__)
Context = TypeVar("Context", bound=RunContext)
# A work that needs less of its context can be run with one that has more.
AnyContext = TypeVar("AnyContext", bound=RunContext, contravariant=True)


class Outcome(NamedTuple):
    """The result of staging: counts, and the ``partition_files`` to replace.

    ``by_object`` are the counts of each object that was read, by key; a work that claims its objects needs them.
    ``details`` are further facts for the ledger, such as the requester, the reason and the findings.
    ``made_of`` are the days of its inputs that a derived dataset is made of from now on, each with its digest.
    """

    counts: Counts
    partition_files: tuple[TableChange, ...]
    by_object: Mapping[str, Counts] = MappingProxyType({})
    details: Mapping[str, Any] = MappingProxyType({})
    made_of: tuple[StoredObject, ...] = ()


class Named(Protocol):
    """The name of what a work reads, one dataset or several."""

    @property
    def name(self) -> str:
        """Return the name that the ledger has."""


class Work(Protocol[AnyContext]):
    """The operation of a run on the dataset ``target``, with objects of ``source``.

    A work ``claims`` its objects when each of them must be processed exactly once. Work of the kind ``refresh`` is the
    regular flow of data, all other kinds are repairs.
    """

    @property
    def kind(self) -> Kind:
        """Return the kind of the run, as in pipeline_runs."""

    @property
    def claims(self) -> bool:
        """Return True if objects are claimed before they are read, and marked as processed by the commit."""

    @property
    def source(self) -> Named:
        """Return what is read: a dataset, or all inputs; the target itself for a work that reads nothing else."""

    @property
    def target(self) -> Contract:
        """Return the dataset to change; its quarantine table may change too."""

    def inputs(self, context: AnyContext) -> tuple[StoredObject, ...]:
        """Return the objects to read, those first that are to be read first; without any the run does nothing.

        A refresh reads as many as one run may, and leaves the others to the next.
        """

    def stage(self, context: AnyContext, manifest: Manifest) -> Outcome:
        """Write the results to the staging area of ``manifest.run_id``, where readers do not see them.

        Raises LakeError when the results must not be published.
        """


@runtime_checkable
class PostCommit(Protocol[AnyContext]):
    """A work with a post-commit step that only a repetition of the same work can complete."""

    def finalize(self, context: AnyContext, lock: Lock) -> None:
        """Do the post-commit step, while the lock is held.

        It must be idempotent: a retry completes what a crash left.
        """


class _Done(NamedTuple):
    """The counts of a run, None when somebody held the dataset, and how many objects it has left to the next one."""

    counts: Counts | None
    left: int = 0


def run(context: Context, work: Work[Context]) -> Counts:
    """Do the work under the dataset's lock and return its counts; zeros when there was nothing to do.

    A run that was prepared and died is finished first. Puts metrics only for a refresh: a repair is no flow of data.
    Raises LakeError when the work fails; then nothing was published. While another run holds the dataset a refresh does
    nothing; a repair waits for it, and raises DatasetHeld when that takes too long.
    """
    return _measured(context, work).counts or NOTHING


def run_all(context: Context, work: Work[Context]) -> Iterator[Counts]:
    """Do the work, run by run, until nothing waits or no further run may begin; yields the counts of each run.

    Raises what ``run`` raises; what the runs before have published stays.
    """
    while True:
        done = _measured(context, work)
        yield done.counts or NOTHING
        if not done.left:
            return
        said = f"{work.target.name}: {done.left} objects of {work.source.name} wait for the next run"
        if context.bounds.begins_before and context.now() >= context.bounds.begins_before:
            logger.warning("%s, which another start of the job begins: this one has no time for it", said)
            return
        logger.info(said)


def _measured(context: Context, work: Work[Context]) -> _Done:
    if work.kind != "refresh":
        return _locked(context, work)
    with context.metrics.of_run(work.target) as measured:
        done = _locked(context, work)
        measured.outcome = "skipped" if done.counts is None else "succeeded"
        measured.counts = done.counts or NOTHING
    return done


def preview(context: Context, work: Work[Context]) -> Outcome:
    """Stage the work without lock, publication or ledger record; returns the outcome that a run would have now.

    Raises LakeError where the run would fail.
    """
    unlocked = Lock(work.target.name, _new_run_id(context), 0, None)
    manifest = replace(_begun(context, unlocked, work), objects=_taken(context, work, work.inputs(context), {}))
    return work.stage(context, manifest) if manifest.objects else Outcome(NOTHING, ())


def _new_run_id(context: RunContext) -> str:
    return f"{context.now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def _taken(
    context: Context, work: Work[Context], waiting: tuple[StoredObject, ...], deaths: Mapping[StoredObject, int]
) -> tuple[StoredObject, ...]:
    """Return what this run reads of what waits: a repair is done wholly or not at all."""
    return context.bounds.first(waiting, deaths) if work.kind == "refresh" else waiting


def _free(context: RunContext, target: Contract) -> Lock:
    """Lock the dataset as soon as whoever holds it lets go; raises DatasetHeld when that takes too long."""
    run_id, end = _new_run_id(context), context.now() + context.bounds.waits
    lock = context.ledger.lock(target.name, run_id)
    if isinstance(lock, Held) and context.now() < end:
        logger.info("%s is held by run %s until %s; waiting for it", target.name, lock.owner, lock.until)
    while isinstance(lock, Held) and context.now() < end:
        context.pause()
        lock = context.ledger.lock(target.name, run_id)
    if isinstance(lock, Held):
        raise DatasetHeld(f"{target.name} is held by run {lock.owner} until {lock.until}; nothing was done, try again")
    return lock


def _locked(context: Context, work: Work[Context]) -> _Done:
    """Do the work; a refresh only if nobody holds the dataset: the next one does the same."""
    target = work.target
    lock = context.ledger.lock(target.name, _new_run_id(context)) if work.kind == "refresh" else _free(context, target)
    if isinstance(lock, Held):
        logger.warning("%s is held by run %s until %s; nothing to do here", target.name, lock.owner, lock.until)
        return _Done(None)
    try:
        if lock.unfinished:
            _settle(context, lock, target, lock.unfinished)
        done = _done(context, lock, work)
        if isinstance(work, PostCommit):
            with lease.beating(context.ledger, lock):
                work.finalize(context, lock)
        if work.kind == "refresh" and not done.left:
            context.ledger.complete(lock, target.inputs)
        return done
    finally:
        context.ledger.release(lock)


def abandon(context: RunContext, target: Contract, run_id: str, by: str) -> tuple[int, int]:
    """Abandon a prepared run for ``by``, the requester's IAM ARN; returns its partition files, published ones and all.

    Published files stay. Objects that it had claimed are read again by the next refresh, which puts the same rows where
    they already are. Waits for a run that holds the dataset; raises DatasetHeld when that takes too long, NotPrepared
    when there is no such run.
    """
    lock = _free(context, target)
    try:
        found = published(context, lock, target, run_id)
        _abandon(context, lock, target, run_id, f"abandoned by {by}")
    finally:
        context.ledger.release(lock)
    return found


def published(context: RunContext, lock: Lock, target: Contract, run_id: str) -> tuple[int, int]:
    """Return how many partition files a prepared run has published, and how many it has; raises NotPrepared."""
    if lock.unfinished != run_id:
        prepared = f"run {lock.unfinished} is" if lock.unfinished else "none is"
        raise NotPrepared(f"{target.name}: run {run_id} is not prepared and unfinished; {prepared}")
    changes = manifest_of(context, target, run_id).partition_files
    return sum(context.table(change.dataset).written_by(change) == run_id for change in changes), len(changes)


def _settle(context: RunContext, lock: Lock, target: Contract, run_id: str) -> None:
    """Finish a prepared run; one that cannot be finished any more is abandoned, so that it stops no other."""
    logger.warning("%s: finishing run %s, which was prepared and not committed", target.name, run_id)
    try:
        context.metrics.finished(target, finish(context, lock, target, run_id))
    except StagingExpired as expired:
        logger.error("%s", expired)
        _abandon(context, lock, target, run_id, summary_line(expired))


def _abandon(context: RunContext, lock: Lock, target: Contract, run_id: str, reason: str) -> None:
    manifest = manifest_of(context, target, run_id)
    _report(context, manifest, report(manifest, "ABANDONED", target.domain, reason))
    context.ledger.abandon(lock, run_id, reason)


def _done(context: Context, lock: Lock, work: Work[Context]) -> _Done:
    manifest, target = _begun(context, lock, work), work.target
    failures: tuple[type[Exception], ...] = (*_FAILURES, *context.engine_errors)
    try:
        waiting = work.inputs(context)
        if not waiting:
            logger.info("%s: no new object of %s", target.name, work.source.name)
            return _Done(NOTHING)
        deaths = context.ledger.deaths(lock, waiting) if work.claims else {}
        manifest = replace(manifest, objects=_taken(context, work, waiting, deaths))
        logger.info("%s: run %s reads %d objects", target.name, lock.owner, len(manifest.objects))
        if work.claims:
            manifest = replace(manifest, objects=context.ledger.claim(lock, manifest.objects, deaths))
        with lease.beating(context.ledger, lock):
            outcome = work.stage(context, manifest)
        _check(manifest, outcome)
        manifest = _with_outcome(manifest, outcome, context.now(), context.order)
        record = _recorded(context, target, manifest)
    except failures as error:
        _record_failure(context, manifest, target, error)
        if work.claims and manifest.objects and isinstance(error, LakeError):
            context.ledger.survived(lock)
        raise
    # When this fails, nobody knows whether the run is prepared: it is not called failed.
    context.ledger.prepare(lock, manifest.run_id, record)
    return _Done(finish(context, lock, target, manifest.run_id), len(waiting) - len(manifest.objects))


def _begun(context: Context, lock: Lock, work: Work[Context]) -> Manifest:
    started = context.now().isoformat()
    return Manifest(
        run_id=lock.owner,
        dataset=work.target.name,
        kind=work.kind,
        source=work.source.name,
        started_at=started,
        ended_at=started,
        fencing_token=lock.fencing_token,
        code_version=context.code_version,
        claimed=work.claims,
    )


def _with_outcome(manifest: Manifest, outcome: Outcome, ended: datetime, order: str) -> Manifest:
    return replace(
        manifest,
        ended_at=ended.isoformat(),
        counts=outcome.counts,
        by_object=dict(outcome.by_object),
        partition_files=outcome.partition_files,
        details={**outcome.details, **({"order": order} if order else {})},
        made_of=outcome.made_of,
    )


def _check(manifest: Manifest, outcome: Outcome) -> None:
    """Check that the counts of the run and of each object balance; raises CountsNotReconciled when they do not."""
    counts, by_object = outcome.counts, outcome.by_object
    wrong = sorted(key for key, part in by_object.items() if not part.is_reconciled)
    if wrong or not counts.is_reconciled:
        where = f", first in {wrong[0]}: {by_object[wrong[0]]}" if wrong else ""
        raise CountsNotReconciled(
            f"{manifest.dataset}: the counts do not add up, nothing was published: {counts}{where}", counts
        )
    read = {stored.key for stored in manifest.objects}
    if manifest.claimed and (by_object.keys() != read or total(by_object.values()) != counts):
        raise CountsNotReconciled(
            f"{manifest.dataset}: the counts of {len(by_object)} objects do not make those of the run, which has read "
            f"{len(read)} objects; nothing was published: {counts}",
            counts,
        )


def finish(context: RunContext, lock: Lock, target: Contract, run_id: str) -> Counts:
    """Publish and commit a prepared run, this one or one that died. Idempotent. Returns the run's counts.

    Raises what ``publication.publish`` raises, and OutsideWriter when the manifest has content that no run wrote. The
    run stays prepared then.
    """
    manifest = manifest_of(context, target, run_id)
    publication.publish(context, lock, manifest)
    _register(context, target, manifest)
    _report(context, manifest, report(manifest, "COMMITTED", target.domain))
    context.ledger.commit(manifest)
    logger.info("%s: run %s committed %s", target.name, run_id, manifest.counts)
    return manifest.counts


def _recorded(context: RunContext, target: Contract, manifest: Manifest) -> dict[str, Any]:
    """Put the manifest and return the run record for the ledger."""
    body = manifest.encoded()
    context.storage.put(context.manifests.bucket, _manifest_key(context, target, manifest.run_id), body)
    kept = {"manifest_sha256": checksum(body), "details": manifest.details}
    return {**report(manifest, "PREPARED", target.domain), **kept}


def _manifest_key(context: RunContext, target: Contract, run_id: str) -> str:
    return f"{context.manifests.prefix}{target.name}/{run_id}.json"


def manifest_of(context: RunContext, target: Contract, run_id: str) -> Manifest:
    """Return the manifest of a prepared or committed run; raises OutsideWriter when the checksum differs."""
    record = context.ledger.run(target.name, run_id)
    body = context.storage.read(context.manifests.bucket, _manifest_key(context, target, run_id))
    if checksum(body) != record["manifest_sha256"]:
        raise OutsideWriter(f"{target.name}: the manifest of run {run_id} is not the one in the ledger")
    return Manifest.decoded(body)


def _register(context: RunContext, target: Contract, manifest: Manifest) -> None:
    """Add the partitions of the written files and of the raw objects that were read to the catalog."""
    for dataset in {change.dataset for change in manifest.partition_files}:
        folders = [change.partition for change in manifest.partition_files if change.dataset == dataset]
        context.catalog.add_partitions(dataset, [folder for folder in folders if folder])
    if target.source is None:
        return
    source = load(target.source)
    prefix = context.locations[source.name].prefix
    arrived = [folder_of(source, prefix, stored.key) for stored in manifest.objects]
    context.catalog.add_partitions(source.name, [folder for folder in arrived if folder])


def _record_failure(context: RunContext, manifest: Manifest, target: Contract, error: Exception) -> None:
    counts = error.counts if isinstance(error, LakeError) else NOTHING
    failed = replace(manifest, ended_at=context.now().isoformat(), counts=counts)
    reported = report(failed, "FAILED", target.domain, summary_line(error))
    context.ledger.record_failure(target.name, manifest.run_id, reported)
    _report(context, failed, reported)


def _report(context: RunContext, manifest: Manifest, reported: Mapping[str, Any]) -> None:
    """Write the run's row of pipeline_runs; before the commit, because a prepared run is always committed later."""
    location = context.locations[RUNS]
    folder = f"date={manifest.started_at[:10]}"
    key = f"{location.prefix}{folder}/{manifest.run_id}_{manifest.dataset}.json"
    context.storage.put(location.bucket, key, row(reported, manifest))
    context.catalog.add_partitions(RUNS, [folder])
