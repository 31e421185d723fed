"""Undo (rollback): a run that replaces the partition files of another run by their previous versions."""

import io
from dataclasses import dataclass
from typing import ClassVar

from pyarrow import parquet as arrow_parquet

from lake.contract.model import Contract
from lake.core.counts import NOTHING
from lake.core.errors import LakeError
from lake.core.s3 import Storage, StoredObject
from lake.operations import key_overrides
from lake.operations.context import SparkRunContext
from lake.runs.manifest import Kind, Manifest
from lake.runs.run import Outcome, manifest_of
from lake.tables.base import TableChange
from lake.tables.partition_files import writer as parquet
from lake.tables.partition_files.staging import StagingArea


class CannotUndo(LakeError):
    """The run cannot be undone; the message has the reason and the remedy."""


@dataclass(frozen=True)
class Undo:
    """Restore the partition files of ``run_id`` to their versions before it. ``by`` is the requester's IAM ARN.

    The objects that the run has read stay processed in the ledger: after the undo of a refresh, a backfill loads them.
    """

    kind: ClassVar[Kind] = "undo"
    claims: ClassVar[bool] = False
    target: Contract
    run_id: str
    by: str

    @property
    def source(self) -> Contract:
        """Return the dataset itself: its previous content is read from old versions of its objects."""
        return self.target

    def inputs(self, context: SparkRunContext) -> tuple[StoredObject, ...]:
        """Return the previous version of each partition file, or the run's own where there was none."""
        versions = (
            _versions(context, self.target, change, self.run_id) for change in self._undone(context).partition_files
        )
        return tuple(before or current for current, before in versions)

    def stage(self, context: SparkRunContext, manifest: Manifest) -> Outcome:
        """Stage the previous versions; raises CannotUndo when a later run has changed a partition file."""
        area = context.staging_area(manifest.run_id)
        changes = tuple(
            _put_back(context, area, self.target, change, self.run_id)
            for change in self._undone(context).partition_files
        )
        return Outcome(NOTHING, changes, details={"by": self.by, "undone": self.run_id})

    def _undone(self, context: SparkRunContext) -> Manifest:
        try:
            status = context.ledger.run(self.target.name, self.run_id)["status"]
        except KeyError as error:
            raise CannotUndo(
                f"{self.target.name} has no run {self.run_id}; see 'lake runs {self.target.name}'"
            ) from error
        if status != "COMMITTED":
            raise CannotUndo(f"run {self.run_id} is {status}: it has changed nothing")
        return manifest_of(context, self.target, self.run_id)


def _versions(
    context: SparkRunContext, target: Contract, change: TableChange, run_id: str
) -> tuple[StoredObject, StoredObject | None]:
    """Return the version that the run has written, and the one before it."""
    bucket = context.locations[change.dataset].bucket
    versions = context.storage.versions_of(bucket, change.key)
    writer = context.storage.written_by(bucket, change.key)
    if writer != run_id:
        since = f"changed since by run {writer}; undo that first" if writer else "not what a run has put"
        raise CannotUndo(f"{target.name}: s3://{bucket}/{change.key} is {since}; nothing was changed")
    if change.before is None:
        # There was no object; versions of before belong to one that somebody has deleted.
        return versions[0], None
    if len(versions) < 2 or versions[1].etag != change.before:
        raise CannotUndo(
            f"{target.name}: S3 does not hold what s3://{bucket}/{change.key} was before run {run_id}; old versions "
            "are kept for 30 days, after that a backfill from raw is the way back"
        )
    return versions[0], versions[1]


def _put_back(
    context: SparkRunContext, area: StagingArea, target: Contract, change: TableChange, run_id: str
) -> TableChange:
    current, before = _versions(context, target, change, run_id)
    bucket = area.locations[change.dataset].bucket
    body = (
        context.storage.read(bucket, change.key, before.version)
        if before
        else _empty(context.storage, bucket, change.key)
    )
    staged = f"{area.folder(change.dataset).prefix}{change.key.replace('/', '_')}"
    context.storage.put(bucket, staged, body)
    rows = arrow_parquet.read_metadata(io.BytesIO(body)).num_rows if _is_partition_file(change.key) else 0
    return TableChange(change.dataset, change.key, change.partition, current.etag, staged, rows)


def _empty(storage: Storage, bucket: str, key: str) -> bytes:
    """Return the content that stands for a missing object: data is replaced, never deleted."""
    return parquet.without_rows_of(storage.read(bucket, key)) if _is_partition_file(key) else key_overrides.NO_OVERRIDES


def _is_partition_file(key: str) -> bool:
    """Return True if the object holds rows; other objects are overrides of key versions."""
    return key.endswith(".parquet")
