"""Derive: make the days of a dataset anew from all rows that its inputs have for them."""

import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lake.contract.model import Contract, load
from lake.core.counts import NOTHING
from lake.core.errors import LakeError, ToleranceExceeded
from lake.core.s3 import StoredObject
from lake.operations import dataset_checks
from lake.operations.backfill import LossRefused, Window
from lake.operations.context import SparkRunContext
from lake.operations.derivation import days
from lake.records import rules
from lake.runs.manifest import Kind, Manifest
from lake.runs.run import Outcome
from lake.tables.partition_files import file_names, merge, recomputed
from lake.tables.partition_files.recomputed import Recomputed

# Gets all rows of the days in question, one DataFrame for each input, by the input's name.
Derivation = Callable[..., DataFrame]
_OUTSIDE = "outside:days"


class DerivationRefused(LakeError):
    """A function that does not make rows of its contract; the message says what to change. Nothing was published."""


@dataclass(frozen=True)
class Inputs:
    """The datasets that a derived one is made from, under one name."""

    contracts: tuple[Contract, ...]

    @property
    def name(self) -> str:
        """The names of the datasets, e.g. ``curated_weather, curated_sensor_readings``."""
        return ", ".join(each.name for each in self.contracts)


@dataclass(frozen=True)
class Derive:
    """Make the days of ``target`` anew whose inputs have changed since it was made of them.

    With a ``window`` all its days are made anew, whether they have changed or not, for ``by``, the requester's IAM ARN;
    without ``allow_loss`` such a run stops if the inputs do not give all present rows again.
    """

    claims: ClassVar[bool] = False
    target: Contract
    derivation: Derivation  # of which ``check_signature`` holds
    window: Window | None = None
    by: str = ""
    allow_loss: bool = True

    @property
    def kind(self) -> Kind:
        """Return ``refresh``, or ``backfill`` with a window."""
        return "backfill" if self.window else "refresh"

    @property
    def source(self) -> Inputs:
        """Return the inputs."""
        return Inputs(tuple(load(name) for name in self.target.inputs))

    def inputs(self, context: SparkRunContext) -> tuple[StoredObject, ...]:
        """Return the days of the inputs that the table is not made of, or those of the window; each day an object.

        The same days of all inputs come together, so that one run makes them.
        """
        listed = days.of_inputs(context.storage, self.source.contracts, context.locations)
        found = sorted(listed, key=lambda day: (days.day_of(day.key), day.key))
        if self.window:
            return tuple(day for day in found if self.window.first <= days.day_of(day.key) <= self.window.last)
        made_of = context.ledger.inputs(self.target.name)
        return tuple(day for day in found if made_of.get(day.key) != day.etag)

    def stage(self, context: SparkRunContext, manifest: Manifest) -> Outcome:
        """Stage the partition files that differ from what the inputs give today.

        Raises DerivationRefused when the function does not make rows of the contract, ToleranceExceeded when a row
        breaks a rule, LossRefused when rows would be lost and must not be.
        """
        context.catalog.check(self.target)
        area = context.staging_area(manifest.run_id)
        wanted = self._wanted(manifest)
        rows = _judged(self._computed(context, wanted), self.target, wanted, manifest.run_id)
        present = days.files_of(context.storage, context.locations[self.target.name], sorted(wanted))
        files = [file_names.of_key(context.locations[self.target.name].prefix, key) for key in present]
        found = recomputed.staged(area, self.target, rows, files)
        self._check(found)
        suspected = dataset_checks.found(area, self.target, found.changes)
        # A window says nothing of the days around it, which follow from the same inputs.
        made_of = () if self.window else manifest.objects
        counts = replace(NOTHING, received=found.rows, new=found.new, replaced=found.replaced, duplicate=found.equal)
        return Outcome(counts, found.changes, details={**self._details(found, wanted), **suspected}, made_of=made_of)

    def _wanted(self, manifest: Manifest) -> set[date]:
        """Return the days to make: a changed day tells on its neighbours."""
        changed = {days.day_of(day.key) for day in manifest.objects}
        return changed if self.window else days.with_neighbours(changed, self.target.neighbouring_days)

    def _computed(self, context: SparkRunContext, wanted: set[date]) -> DataFrame:
        read = sorted(days.with_neighbours(wanted, self.target.neighbouring_days))
        frames = {each.name: _rows(context, each, read) for each in self.source.contracts}
        try:
            rows = self.derivation(**frames)
        except AnalysisException as error:
            raise DerivationRefused(f"{self.target.name}: {error}") from error
        _check_columns(rows, self.target)
        return rows

    def _check(self, found: Recomputed) -> None:
        name = self.target.name
        if found.reasons:
            worst = ", ".join(f"{reason} {number}" for reason, number in Counter(found.reasons).most_common(5))
            raise ToleranceExceeded(
                f"{name}: {found.broken} of {found.rows + found.broken} computed rows break a rule ({worst}); "
                "no record is at fault but the function or the rule; nothing was published"
            )
        if found.twice:
            key = ", ".join(column.stored_name for column in self.target.key)
            raise DerivationRefused(
                f"{name}: {found.twice} rows have the key of another row ({key}); group by the key, or take a longer "
                "one; nothing was published"
            )
        if found.removed and not self.allow_loss:
            raise LossRefused(
                f"{name}: {found.removed} present rows are not what the inputs give today; nothing was published. If "
                "they may go, --allow-loss"
            )

    def _details(self, found: Recomputed, wanted: set[date]) -> dict[str, Any]:
        """Return what the ledger keeps: the days that were made, and the states of their rows as of a backfill."""
        made = {"first": min(wanted).isoformat(), "last": max(wanted).isoformat()}
        states = {"equal": found.equal, "changed": found.replaced, "missing": found.removed, "added": found.new}
        return {**({"by": self.by} if self.by else {}), **made, **states}


def check_signature(derivation: Derivation, target: Contract) -> None:
    """Raise DerivationRefused unless the function takes the inputs of the contract, by their names."""
    taken = inspect.signature(derivation).parameters
    if set(taken) != set(target.inputs):
        raise DerivationRefused(
            f"{target.name}: its function takes {', '.join(taken) or 'nothing'}; the contract's inputs are "
            f"{', '.join(target.inputs)}: name the arguments like them"
        )


def _rows(context: SparkRunContext, contract: Contract, read: list[date]) -> DataFrame:
    """Return all rows of an input on these days, with the columns that an analyst sees, ``date`` included."""
    location = context.locations[contract.name]
    keys = days.files_of(context.storage, location, read)
    rows = merge.read_files(context.spark, contract, location, keys).drop(file_names.FILE)
    (day,) = contract.partitions
    return rows.withColumn(day.name, F.to_date(contract.publish_granularity["date"]))


def _check_columns(rows: DataFrame, target: Contract) -> None:
    """Raise DerivationRefused unless the rows have the columns of the contract in its types; others are left out."""
    found = dict(rows.dtypes)
    for column in target.stored:
        if "lineage" in column.tags:
            continue
        if column.name not in found:
            raise DerivationRefused(
                f"{target.name}: its function gives no column {column.name}; it gives {', '.join(found)}"
            )
        if found[column.name] != column.physical_type:
            raise DerivationRefused(
                f"{target.name}.{column.name}: its function gives {found[column.name]}, the contract says "
                f"{column.physical_type}; cast it"
            )


def _judged(rows: DataFrame, target: Contract, wanted: set[date], run_id: str) -> DataFrame:
    """Return the rows of the ``wanted`` days with the reasons why one must not be published.

    A function may give rows of days around those: they are incomplete, and left out. A row of any other day is a fault.
    """
    day = F.to_date(target.publish_granularity["date"])
    read = days.with_neighbours(wanted, target.neighbouring_days)
    none = F.array().cast("array<string>")
    outside = F.when(~_one_of(day, read), F.array(F.lit(_OUTSIDE))).otherwise(none)
    complete = rows.filter(F.coalesce(~_one_of(day, read - wanted), F.lit(True)))
    return rules.with_reasons(complete.withColumn("run_id", F.lit(run_id)).withColumn("reasons", outside), target)


def _one_of(day: Column, wanted: set[date]) -> Column:
    return day.isin(*sorted(wanted)) if wanted else F.lit(False)
