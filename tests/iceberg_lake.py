"""A lake whose table is an Iceberg table: the runs of partition files, with snapshots in the place of files.

It is small, and there to show that a run knows no format. Iceberg's catalog is SQLite, its files are on disk.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table as OfIceberg
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.update import AssertRefSnapshotId, SetPropertiesUpdate, SetSnapshotRefUpdate

from lake.contract.model import Contract
from lake.core.counts import NOTHING, Counts, total
from lake.core.s3 import PreconditionFailed, SourceGone, StoredObject
from lake.operations.refresh import Refresh
from lake.runs.context import RunContext
from lake.runs.manifest import Kind, Manifest
from lake.runs.run import Outcome, manifest_of
from lake.tables.base import Table, TableChange
from tests.memory_aws import MemoryPlace
from tests.place import SOURCE, TARGET
from tests.plain_work import Version, lines_of
from tests.wire import Wire

NAME = "lake.weather"
SCHEMA = pa.schema([("key", pa.string()), ("arrived", pa.string()), ("value", pa.int64())])
_MAIN, _WRITER = "main", "run-id"


@dataclass(frozen=True)
class SnapshotTable:
    """The table; ``wire`` is what its commits go through."""

    iceberg: OfIceberg
    wire: Wire

    def replace(self, change: TableChange, run_id: str) -> None:
        """Make the staged snapshot the one that readers see, if that is still the one of before."""
        if self.iceberg.snapshot_by_id(int(change.staged)) is None:
            raise SourceGone(change.staged)
        before = AssertRefSnapshotId.model_validate({"ref": _MAIN, "snapshot-id": int(change.before or 0)})
        shown = SetSnapshotRefUpdate.model_validate(
            {"type": SnapshotRefType.BRANCH, "ref-name": _MAIN, "snapshot-id": int(change.staged)}
        )
        written = SetPropertiesUpdate(updates={_WRITER: run_id})
        try:
            self.wire.through(
                "CommitTable", lambda: self.iceberg.catalog.commit_table(self.iceberg, (before,), (shown, written))
            )
        except CommitFailedException as failed:
            raise PreconditionFailed(change.key) from failed

    def written_by(self, _change: TableChange) -> str | None:
        """Return the run that the commit of the snapshot has named."""
        return self.iceberg.properties.get(_WRITER)

    def place(self, change: TableChange) -> str:
        """Return name and snapshot."""
        return f"{change.key}, snapshot {change.before},"


@dataclass(frozen=True, kw_only=True)
class IcebergContext(RunContext):
    """A context of runs whose tables are Iceberg's."""

    iceberg: SqlCatalog
    wire: Wire

    def table(self, dataset: str) -> Table:
        """Return the table as it is now."""
        assert dataset == TARGET.name
        return SnapshotTable(self.iceberg.load_table(NAME), self.wire)

    def rows(self, branch: str = _MAIN) -> dict[str, Version]:
        """Return what a reader of a branch sees."""
        table = self.iceberg.load_table(NAME)
        snapshot = table.snapshot_by_name(branch)
        found = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().to_pylist() if snapshot else []
        return {row["key"]: Version(row["key"], _order(row["arrived"]), row["value"], "") for row in found}


class IcebergPlace(MemoryPlace):
    """A lake in memory whose table is on disk."""

    lake: IcebergContext

    def __init__(self, folder: Path) -> None:
        self._iceberg = SqlCatalog("lake", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
        self._iceberg.create_namespace("lake")
        # A branch needs a snapshot to begin at.
        self._iceberg.create_table(NAME, SCHEMA).append(SCHEMA.empty_table())
        super().__init__()

    def lake_on(self, wire: Wire) -> IcebergContext:
        """The lake as a process sees it whose calls go through this wire."""
        return IcebergContext(**vars(super().lake_on(wire)), iceberg=self._iceberg, wire=wire)


@dataclass(frozen=True)
class IcebergRefresh(Refresh):
    """Lines of ``record`` become rows; all others are rejected, and only counted."""

    def stage(self, context: Any, manifest: Manifest) -> Outcome:
        """Write a snapshot on a branch of the run's name."""
        read = {stored: [version for version, _ in lines_of(context, stored)] for stored in manifest.objects}
        before, rows = context.rows(), dict(context.rows())
        for version in sorted((v for versions in read.values() for v in versions if v), key=lambda v: v.order):
            if version.key not in rows or rows[version.key].order < version.order:
                rows[version.key] = version
        by_object = {stored.key: _counts(stored.key, versions, before, rows) for stored, versions in read.items()}
        changes = () if rows == before else (_staged(context, manifest.run_id, list(rows.values())),)
        return Outcome(total(by_object.values()), changes, by_object)


def _staged(context: IcebergContext, branch: str, rows: list[Version]) -> TableChange:
    table = context.iceberg.load_table(NAME)
    shown = table.current_snapshot()
    assert shown
    table.manage_snapshots().create_branch(snapshot_id=shown.snapshot_id, branch_name=branch).commit()
    columns = [
        [v.key for v in rows],
        [f"{v.order[0]} {v.order[1]} {v.order[2]}" for v in rows],
        [v.value for v in rows],
    ]
    found = pa.Table.from_arrays([pa.array(column) for column in columns], schema=SCHEMA)
    # To delete nothing is a warning.
    (table.overwrite if table.scan().count() else table.append)(found, branch=branch)
    staged = table.snapshot_by_name(branch)
    assert staged
    ids = str(shown.snapshot_id), str(staged.snapshot_id)
    return TableChange(TARGET.name, NAME, "", *ids, len(rows))


def _counts(key: str, versions: list[Any], before: dict[str, Version], rows: dict[str, Version]) -> Counts:
    mine = [row for row in rows.values() if row.order[1] == key and row.key in {v.key for v in versions if v}]
    new = sum(row.key not in before for row in mine)
    replaced = sum(row.key in before and before[row.key] != row for row in mine)
    rejected = versions.count(None)
    reasons = {"malformed:line": rejected} if rejected else {}
    return Counts(len(versions), new, replaced, len(versions) - rejected - new - replaced, rejected, reasons)


def _order(text: str) -> tuple[str, str, int]:
    arrived, key, number = text.rsplit(" ", 2)
    return arrived, key, int(number)


@dataclass(frozen=True)
class IcebergUndo:
    """Show the snapshot again that was shown before a run."""

    kind: ClassVar[Kind] = "undo"
    claims: ClassVar[bool] = False
    run_id: str
    target: Contract = TARGET
    source: Contract = TARGET

    def inputs(self, context: RunContext) -> tuple[StoredObject, ...]:
        """Return the snapshot of before."""
        (change,) = manifest_of(context, self.target, self.run_id).partition_files
        return (StoredObject(str(change.before), "", 0, context.now()),)

    def stage(self, context: RunContext, _manifest: Manifest) -> Outcome:
        """Stage nothing: the snapshot is there."""
        (change,) = manifest_of(context, self.target, self.run_id).partition_files
        assert change.before
        back = replace(change, before=change.staged, staged=change.before)
        return Outcome(NOTHING, (back,), details={"undone": self.run_id})


REFRESH = IcebergRefresh(TARGET, SOURCE, lambda frame: frame)
