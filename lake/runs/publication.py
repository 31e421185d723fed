"""Publish a prepared run: put its partition files, several at once, and go on where a run that died had stopped."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lake.core.errors import OutsideWriter, StagingExpired
from lake.core.s3 import PreconditionFailed, SourceGone
from lake.runs.context import RunContext
from lake.runs.ledger import Lock
from lake.runs.manifest import Manifest
from lake.tables.base import TableChange


def publish(context: RunContext, lock: Lock, manifest: Manifest) -> None:
    """Put all partition files of the run. Idempotent.

    Raises OutsideWriter when a partition file has content that no run wrote, LeaseLost when another run has taken over
    the lock, StagingExpired when a staged object is gone.
    """
    changes, step = manifest.partition_files, context.bounds.step
    done = lock.published if lock.unfinished == manifest.run_id else 0
    for start in range(done, len(changes), step):
        _Step(context, lock, manifest).put(changes[start : start + step], start)


class _Step:
    """Some partition files that are put at the same time, after the ledger has been told how many are there."""

    def __init__(self, context: RunContext, lock: Lock, manifest: Manifest) -> None:
        self._context = context
        self._lock = lock
        self._manifest = manifest

    def put(self, changes: Sequence[TableChange], published: int) -> None:
        self._lease_end = self._context.ledger.mark_published(self._lock, published)
        with ThreadPoolExecutor(self._context.bounds.at_once) as pool:
            for _ in pool.map(self._put, changes):
                pass

    def _put(self, change: TableChange) -> None:
        if self._context.now() >= self._lease_end:
            # Who has slept must not even try.
            self._context.ledger.renew(self._lock)
        put(self._context, self._manifest, change)


def put(context: RunContext, manifest: Manifest, change: TableChange) -> None:
    """Publish one change; skip it if this run has published it before, raise OutsideWriter if another writer has.

    Raises StagingExpired when it has not, and there is nothing left to publish.
    """
    table = context.table(change.dataset)
    try:
        table.replace(change, manifest.run_id)
    except PreconditionFailed as failed:
        writer = table.written_by(change)
        if writer == manifest.run_id or context.ledger.run(manifest.dataset, manifest.run_id)["status"] == "COMMITTED":
            return
        raise OutsideWriter(
            f"{table.place(change)} was changed by {writer or 'a writer outside the ledger'} after run "
            f"{manifest.run_id} had read it; put the version back or remove it, then run again"
        ) from failed
    except SourceGone as gone:
        if table.written_by(change) == manifest.run_id:
            return
        raise StagingExpired(
            f"{manifest.dataset}: run {manifest.run_id} was prepared at {manifest.ended_at} and cannot be finished: "
            f"{table.place(replace(change, key=change.staged))} is gone"
        ) from gone
