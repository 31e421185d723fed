"""Replay: validate quarantined records again, from their raw lines, under the current contract."""

from dataclasses import dataclass, replace
from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.contract.model import Contract
from lake.core.counts import total
from lake.core.s3 import StoredObject
from lake.operations import key_overrides, quarantine
from lake.operations.context import SparkRunContext
from lake.operations.quarantine import KEY, Selection
from lake.operations.refresh import Transformation
from lake.records import typed, validation
from lake.runs.manifest import Kind, Manifest
from lake.runs.run import Outcome
from lake.tables.base import TableChange
from lake.tables.partition_files import staging
from lake.tables.partition_files.staging import StagingArea


@dataclass(frozen=True)
class Replay:
    """Validate selected quarantined records again; valid ones move to ``target``."""

    kind: ClassVar[Kind] = "replay"
    claims: ClassVar[bool] = False
    target: Contract
    source: Contract
    transformation: Transformation
    selection: Selection
    by: str

    def inputs(self, context: SparkRunContext) -> tuple[StoredObject, ...]:
        """Return the raw object versions that the records came from, as far as raw still has them."""
        rows = (
            quarantine.selected(context, self.target, self.selection).select("source_object", "arrived_at").distinct()
        )
        wanted = {(row["source_object"], row["arrived_at"].timestamp()) for row in rows.collect()}
        if not wanted:
            return ()
        versions = context.processed(self.target, self.source)
        return tuple(entry for entry in versions if (entry.key, entry.modified.timestamp()) in wanted)

    def stage(self, context: SparkRunContext, manifest: Manifest) -> Outcome:
        """Merge records that are valid now into the target.

        The others stay in quarantine, with their current reasons.
        """
        area = context.staging_area(manifest.run_id)
        rows = quarantine.selected(context, self.target, self.selection).persist()
        again = rows.join(_arrivals(context, manifest.objects), ["source_object", "arrived_at"], "left_semi").persist()
        raw = _lines(context, self.source, self.target, manifest.objects, again).persist()
        versions = key_overrides.schedule(context, self.target)
        validated = validation.validated(raw, self.target, self.transformation, versions).persist()
        by_object, drift = validation.counted(raw, validated)
        good = staging.staged(area, self.target, validation.accepted(validated, self.target, versions, manifest.run_id))
        bad = validation.rejected(validated, self.target, context.keys, manifest.run_id).persist()
        changes = (*good.changes, *_quarantine(area, self.target, again, bad))
        new, replaced = sum(good.new.values()), sum(good.replaced.values())
        duplicate = sum(good.incoming.values()) - new - replaced
        details = {"by": self.by, "records": rows.count(), "not_in_raw": rows.count() - again.count()}
        for frame in (rows, again, raw, validated, bad):
            frame.unpersist()
        counts = replace(total(by_object.values()), new=new, replaced=replaced, duplicate=duplicate, drift=drift)
        return Outcome(counts, changes, details=details)


def _arrivals(context: SparkRunContext, objects: tuple[StoredObject, ...]) -> DataFrame:
    rows = [(entry.key, entry.modified) for entry in objects]
    return context.spark.createDataFrame(rows, "source_object string, arrived_at timestamp")


def _lines(
    context: SparkRunContext, source: Contract, target: Contract, objects: tuple[StoredObject, ...], rows: DataFrame
) -> DataFrame:
    """Return the raw records of the quarantined rows; line 0 stands for all lines of an object."""
    raw = typed.read_raw(context.spark, source, target, context.locations[source.name].bucket, list(objects))
    named = rows.select("source_object", "arrived_at", F.col("source_line").alias("named_line"))
    is_meant = (
        (F.col("raw.source_object") == F.col("named.source_object"))
        & (F.col("raw.arrived_at") == F.col("named.arrived_at"))
        & ((F.col("named_line") == 0) | (F.col("raw.source_line") == F.col("named_line")))
    )
    return raw.alias("raw").join(F.broadcast(named).alias("named"), is_meant, "left_semi")


def _quarantine(area: StagingArea, target: Contract, again: DataFrame, bad: DataFrame) -> tuple[TableChange, ...]:
    """Stage the quarantine table after the replay. A record that fails as before keeps its row."""
    validation_columns = [*KEY, "reasons", "contract_version"]
    as_before = again.select(*validation_columns).intersect(bad.select(*validation_columns)).select(*KEY)
    leaving = again.join(as_before, KEY, "left_anti")
    coming = bad.join(as_before, KEY, "left_anti")
    return quarantine.moved(area, target, leaving, coming)
