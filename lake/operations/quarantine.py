"""Select, move and discard records of a dataset's quarantine table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lake.contract.model import Contract
from lake.core.counts import NOTHING
from lake.core.errors import LakeError
from lake.core.s3 import StoredObject
from lake.operations.context import SparkRunContext
from lake.records.reference import Reference
from lake.runs.manifest import Kind, Manifest
from lake.runs.run import Outcome
from lake.tables.base import TableChange
from lake.tables.partition_files import rewriting
from lake.tables.partition_files.file_names import object_key
from lake.tables.partition_files.staging import StagingArea

KEY = ["source_object", "source_line", "arrived_at"]


class SelectionUnclear(LakeError):
    """The arguments do not select any records."""


@dataclass(frozen=True)
class Selection:
    """A selection of quarantined records: those that match all given fields, or ``everything``.

    ``record`` is ``<source object>:<line>``; ``reason`` a rule's id, e.g. ``range:temperature_c``.
    """

    record: str = ""
    reason: str = ""
    source_object: str = ""
    run_id: str = ""
    everything: bool = False

    @staticmethod
    def of(arguments: Mapping[str, Any]) -> "Selection":
        """Return the selection in an operation's arguments; raises SelectionUnclear when there is none."""
        names = {field.name for field in fields(Selection)}
        chosen = Selection(**{name: value for name, value in arguments.items() if name in names})
        if chosen == Selection():
            raise SelectionUnclear("say which records: one record, a reason, an object, a run, or all of them")
        return chosen

    def condition(self) -> Column:
        """Return the selection as a condition on rows of the quarantine table.

        Raises NotARecord when ``record`` is not ``<source object>:<line>``.
        """
        condition = F.lit(True)
        if self.record:
            wanted = Reference.parse(self.record)
            condition &= (F.col("source_object") == wanted.source_object) & (F.col("source_line") == wanted.line)
        if self.reason:
            condition &= F.array_contains("reasons", self.reason)
        for column in ("source_object", "run_id"):
            if getattr(self, column):
                condition &= F.col(column) == getattr(self, column)
        return condition


def selected(context: SparkRunContext, target: Contract, selection: Selection) -> DataFrame:
    """Return the selected rows of the quarantine table of ``target``, with their partition files.

    Raises NotARecord when the selection names a record in another form than ``<source object>:<line>``.
    """
    return context.rows(target.quarantine()).filter(selection.condition())


def files_of(context: SparkRunContext, quarantine: Contract, rows: DataFrame) -> tuple[StoredObject, ...]:
    """Return the quarantine table's objects that hold these rows."""
    location = context.locations[quarantine.name]
    keys = {object_key(location.prefix, file) for file in rewriting.touched(rows)}
    return tuple(entry for entry in context.storage.list(location) if entry.key in keys)


def moved(area: StagingArea, target: Contract, leaving: DataFrame, coming: DataFrame) -> tuple[TableChange, ...]:
    """Stage the quarantine table of ``target`` without the rows ``leaving``; returns the changes to publish.

    Rows ``coming`` are added; of rows with an equal key they replace the old ones.
    """
    quarantine = target.quarantine()
    etags = rewriting.before(area, quarantine, rewriting.touched(leaving, coming))
    if not etags:
        return ()
    gone = leaving.select(*KEY).unionByName(coming.select(*KEY))
    kept = rewriting.existing(area, quarantine, etags).join(gone, KEY, "left_anti")
    return rewriting.staged(area, quarantine, etags, kept.unionByName(coming))


@dataclass(frozen=True)
class Discard:
    """Remove records from the quarantine table. Raw keeps them; the ledger keeps requester and ``reason``.

    ``by`` is the requester's IAM ARN.
    """

    kind: ClassVar[Kind] = "discard"
    claims: ClassVar[bool] = False
    target: Contract
    selection: Selection
    reason: str
    by: str

    @property
    def source(self) -> Contract:
        """Return the quarantine table."""
        return self.target.quarantine()

    def inputs(self, context: SparkRunContext) -> tuple[StoredObject, ...]:
        """Return the quarantine table's objects that hold a selected record."""
        return files_of(context, self.source, selected(context, self.target, self.selection))

    def stage(self, context: SparkRunContext, manifest: Manifest) -> Outcome:
        """Stage the quarantine table without the records. Nothing is validated, so nothing is counted as received."""
        leaving = selected(context, self.target, self.selection).persist()
        rows = leaving.select(*KEY).sort(*KEY).collect()
        records = [str(Reference(row["source_object"], row["source_line"])) for row in rows]
        changes = moved(context.staging_area(manifest.run_id), self.target, leaving, leaving.limit(0))
        leaving.unpersist()
        return Outcome(NOTHING, changes, details={"by": self.by, "why": self.reason, **named(records)})


# A row of the ledger may hold 400 KB; the quarantine's object versions hold the rest.
_NAMED_RECORDS = 1000


def named(records: Iterable[str]) -> dict[str, Any]:
    """Return the number of the records and the first of them, for the details of a run."""
    listed = list(records)
    return {"records": len(listed), "first_records": listed[:_NAMED_RECORDS]}
