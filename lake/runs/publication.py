"""Publish a prepared run: put its partition files, several at once, and go on where a run that died had stopped."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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
        _put_at_once(context, lock, manifest, changes[start : start + step], start)


def _put_at_once(
    context: RunContext, lock: Lock, manifest: Manifest, changes: Sequence[TableChange], published: int
) -> None:
    """Tell the ledger how many are there, then put these at the same time."""
    lease_end = context.ledger.mark_published(lock, published)

    def put_one(change: TableChange) -> None:
        if context.now() >= lease_end:
            # Who has slept must not even try.
            context.ledger.renew(lock)
        put(context, manifest, change)

    with ThreadPoolExecutor(context.bounds.at_once) as pool:
        list(pool.map(put_one, changes))


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
            f"{change.staged}, which was to become {table.place(change)}, is gone"
        ) from gone
