"""Backfill: rebuild the partition files of some days from raw, and replace those that differ from the table."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, ClassVar

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lake.contract.model import Contract
from lake.core.counts import NOTHING
from lake.core.errors import LakeError
from lake.core.s3 import StoredObject
from lake.operations import key_overrides, quarantine
from lake.operations.context import SparkRunContext
from lake.operations.quarantine import KEY as LINEAGE
from lake.operations.refresh import Transformation
from lake.pseudonyms.keys import KeyVersion
from lake.records import typed, validation
from lake.runs.manifest import Kind, Manifest
from lake.runs.run import Outcome
from lake.tables.base import TableChange
from lake.tables.partition_files import file_names, merge, rewriting
from lake.tables.partition_files.file_names import FILE
from lake.tables.partition_files.staging import StagingArea

_STATES = ("equal", "changed", "missing", "added")


class LossRefused(LakeError):
    """The backfill would remove rows that raw does not yield again; nothing was published."""


@dataclass(frozen=True)
class Window:
    """Days of event time (UTC), ``first`` and ``last`` included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise LakeError(f"the window ends on {self.last}, before it begins on {self.first}")

    def chunks(self, days: int) -> "Iterator[Window]":
        """Yield the window in pieces of ``days`` days; the last one may be shorter."""
        first = self.first
        while first <= self.last:
            yield Window(first, min(first + timedelta(days=days - 1), self.last))
            first += timedelta(days=days)

    def holds(self, file: str) -> bool:
        """Return True if the partition file ``file``, e.g. ``2026-11-20_h13``, belongs to a day of the window."""
        return self.first.isoformat() <= file[:10] <= self.last.isoformat()

    def condition(self) -> Column:
        """Return the condition of ``holds`` for the column of partition files."""
        return F.substring(FILE, 1, 10).between(self.first.isoformat(), self.last.isoformat())


@dataclass(frozen=True)
class Backfill:
    """Rebuild the partition files of the ``window`` from all processed raw objects.

    All objects are read, because only their lines tell which records fall into the window. Without ``allow_loss`` the
    run stops if raw does not yield all present rows. ``by`` is the requester's IAM ARN.
    """

    kind: ClassVar[Kind] = "backfill"
    claims: ClassVar[bool] = False
    target: Contract
    source: Contract
    transformation: Transformation
    window: Window
    by: str
    allow_loss: bool = False

    def inputs(self, context: SparkRunContext) -> tuple[StoredObject, ...]:
        """Return all raw object versions that a committed run has processed."""
        return context.processed(self.target, self.source)

    def keys(self, context: SparkRunContext) -> tuple[KeyVersion, ...]:
        """Return the key versions, by event time, that tokens are made with."""
        return key_overrides.schedule(context, self.target)

    def matched_by(self) -> list[str]:
        """Return the columns by which a present row and a rebuilt one are the same record."""
        return [column.stored_name for column in self.target.key]

    def details(self) -> dict[str, Any]:
        """Return the facts that the ledger keeps besides the findings."""
        return {"by": self.by, "first": self.window.first.isoformat(), "last": self.window.last.isoformat()}

    def stage(self, context: SparkRunContext, manifest: Manifest) -> Outcome:
        """Stage the partition files that differ from what raw makes today.

        Raises LossRefused when rows would be lost and ``allow_loss`` is not set.
        """
        area = context.staging_area(manifest.run_id)
        bucket = context.locations[self.source.name].bucket
        raw = typed.read_raw(context.spark, self.source, self.target, bucket, list(manifest.objects))
        keys = self.keys(context)
        validated = validation.validated(raw, self.target, self.transformation, keys).persist()
        accepted = validation.accepted(validated, self.target, keys, manifest.run_id)
        accepted = accepted.filter(self.window.condition()).persist()
        etags = _etags(area, self.target, self.window, accepted)
        compared = _compared(rewriting.existing(area, self.target, etags), accepted, self.target, self.matched_by())
        compared = compared.persist()
        found = Counter({row["state"]: row["count"] for row in compared.groupBy("state").count().collect()})
        if found["missing"] and not self.allow_loss:
            raise LossRefused(_refusal(self.target, self.window, found))
        lost = compared.filter("state = 'missing'").select(*(f"now.{name}" for name in LINEAGE))
        rejected = validation.rejected(validated, self.target, context.keys, manifest.run_id)
        coming = rejected.join(lost, LINEAGE, "left_semi").persist()
        leaving = context.rows(self.target.quarantine()).join(accepted.select(*LINEAGE), LINEAGE, "left_semi")
        changes = (*_changes(area, self.target, etags, compared), *quarantine.moved(area, self.target, leaving, coming))
        good, bad = accepted.count(), coming.count()
        for frame in (validated, accepted, compared, coming):
            frame.unpersist()
        new, replaced = found["added"], found["changed"]
        counts = replace(NOTHING, received=good + bad, new=new, replaced=replaced, quarantined=bad)
        counts = replace(counts, duplicate=good - new - replaced)
        return Outcome(counts, changes, details={**self.details(), **{state: found[state] for state in _STATES}})


def _etags(area: StagingArea, target: Contract, window: Window, accepted: DataFrame) -> dict[str, str | None]:
    """Return the window's partition files, present and future, with their ETags (None: no object)."""
    location = area.locations[target.name]
    there = {file_names.of_key(location.prefix, entry.key) for entry in area.storage.list(location)}
    wanted = {file for file in there if window.holds(file)} | set(rewriting.touched(accepted))
    return rewriting.before(area, target, sorted(wanted))


def _compared(existing: DataFrame, accepted: DataFrame, target: Contract, matched_by: list[str]) -> DataFrame:
    """Return one row for each record: ``now`` and ``then`` as structs, its unit, its ``state``."""
    columns = [column.stored_name for column in target.stored]
    latest = merge.merged(existing.limit(0), accepted, target).select(*columns, FILE)
    now = existing.select(F.struct("*").alias("now"), *matched_by)
    then = latest.select(F.struct("*").alias("then"), *matched_by)
    # A row that is as it was has another run only.
    said = [name for name in columns if name != "run_id"]
    is_equal = F.struct(*(f"now.{name}" for name in said)).eqNullSafe(F.struct(*(f"then.{name}" for name in said)))
    state = F.when(F.col("now").isNull(), "added").when(F.col("then").isNull(), "missing")
    return (
        now.join(then, matched_by, "full")
        .withColumn("state", state.when(is_equal, "equal").otherwise("changed"))
        .withColumn(FILE, F.coalesce(f"now.{FILE}", f"then.{FILE}"))
        .drop(*matched_by)
    )


def _changes(
    area: StagingArea, target: Contract, etags: dict[str, str | None], compared: DataFrame
) -> tuple[TableChange, ...]:
    """Stage the partition files in which a row differs; equal rows keep the id of the run that wrote them."""
    differing = rewriting.touched(compared.filter("state <> 'equal'"))
    if not differing:
        return ()
    row = F.when(F.col("state") == "equal", F.col("now")).otherwise(F.col("then")).alias("row")
    kept = compared.filter(F.col(FILE).isin(differing) & (F.col("state") != "missing"))
    rows = kept.select(row).select("row.*")
    return rewriting.staged(area, target, {file: etags[file] for file in differing}, rows)


def _refusal(target: Contract, window: Window, found: Counter[str]) -> str:
    numbers = ", ".join(f"{found[state]} {state}" for state in _STATES)
    return (
        f"{target.name}: {found['missing']} rows between {window.first} and {window.last} cannot be built again from "
        f"raw ({numbers}); nothing was published. Raw may have expired, or the contract rejects them now; if they may "
        "go, --allow-loss"
    )
