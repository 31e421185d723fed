"""Refresh (incremental load): validate unprocessed raw objects and merge them into the table or its quarantine."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from pyspark.sql import DataFrame

from lake.contract.model import Contract
from lake.core.counts import NOTHING, Counts, total
from lake.core.errors import CountsNotReconciled, NoRawData, ToleranceExceeded
from lake.core.s3 import StoredObject
from lake.operations import dataset_checks, key_overrides
from lake.operations.context import SparkRunContext
from lake.records import drift, typed, validation
from lake.records.received import Received
from lake.runs.context import RunContext
from lake.runs.manifest import Kind, Manifest
from lake.runs.run import Outcome
from lake.tables.catalog import folder_of
from lake.tables.partition_files import staging
from lake.tables.partition_files.staging import Staged

Transformation = Callable[[DataFrame], DataFrame]
# How many raw objects a failed run names; enough to find the producer.
WORST_OBJECTS = 3
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refresh:
    """Load all unprocessed objects of ``source`` into ``target``."""

    kind: ClassVar[Kind] = "refresh"
    claims: ClassVar[bool] = True
    target: Contract
    source: Contract
    transformation: Transformation

    def inputs(self, context: RunContext) -> tuple[StoredObject, ...]:
        """Return the unprocessed raw objects, by folder; raises NoRawData when the source has never received one.

        Objects of one folder are of one day, which is written once if one run reads them all.
        """
        place = context.locations[self.source.name]
        stored = list(context.storage.list(place))
        if not stored:
            raise NoRawData(
                f"{self.source.name}: no raw data has ever arrived in {place.uri}; check that its producer runs"
            )
        known = context.ledger.objects(self.target.name)
        new = [entry for entry in stored if known.is_unprocessed(entry)]
        return tuple(sorted(new, key=lambda entry: (folder_of(self.source, place.prefix, entry.key) or "", entry.key)))

    def stage(self, context: SparkRunContext, manifest: Manifest) -> Outcome:
        """Validate, pseudonymise and stage the objects' records.

        Raises ToleranceExceeded when more records break a rule than the contract tolerates, CountsNotReconciled when
        not every record was counted.
        """
        return _staged(context, manifest, self.target, self.source, self.transformation)


def _staged(
    context: SparkRunContext, manifest: Manifest, target: Contract, source: Contract, transformation: Transformation
) -> Outcome:
    """Validate, pseudonymise and stage the objects' records; raises LakeError when they must not be published."""
    quarantine, run_id = target.quarantine(), manifest.run_id
    for contract in (target, quarantine):
        context.catalog.check(contract)
    area = staging.StagingArea(context.spark, context.storage, context.staging, context.locations, run_id)
    bucket = context.locations[source.name].bucket
    received = Received(context.spark.sparkContext)
    raw = typed.read_raw(context.spark, source, target, bucket, list(manifest.objects), received)
    schedule = key_overrides.schedule(context, target)
    validated = validation.validated(raw, target, transformation, schedule)
    units = validation.judged(validated, target, schedule, context.keys, run_id)
    try:
        found = staging.staged_each(area, (target, quarantine), units)
    except CountsNotReconciled as error:
        count = sum(received.records.values())
        raise CountsNotReconciled(str(error), replace(NOTHING, received=count)) from error
    good, bad = found[target.name], found[quarantine.name]
    by_object = {stored.key: NOTHING for stored in manifest.objects} | {
        key: _counts(number, key, good, bad) for key, number in received.records.items()
    }
    changes = drift.found(received.shapes)
    counts = replace(total(by_object.values()), drift=changes)
    _say_drift(target, source, changes, counts.received)
    _check_tolerance(target, by_object, changes)
    suspected = dataset_checks.found(area, target, good.changes)
    return Outcome(counts, (*good.changes, *bad.changes), by_object, suspected)


def _say_drift(target: Contract, source: Contract, found: Mapping[str, int], received: int) -> None:
    if found:
        changes = drift.said(found, f"{{}} in {{}} of {received} records")
        logger.warning("%s: schema drift in %s: %s", target.name, source.name, changes)


def _counts(received: int, key: str, good: Staged, bad: Staged) -> Counts:
    """Return what became of the records of one object."""
    accepted, new, replaced = good.incoming.get(key, 0), good.new.get(key, 0), good.replaced.get(key, 0)
    reasons = dict(sorted(bad.reasons.get(key, {}).items()))
    return Counts(received, new, replaced, accepted - new - replaced, bad.incoming.get(key, 0), reasons)


def _check_tolerance(target: Contract, by_object: Mapping[str, Counts], found: Mapping[str, int]) -> None:
    counts = replace(total(by_object.values()), drift=found)
    if target.tolerates(counts.quarantined, counts.received):
        return
    worst = ", ".join(f"{reason} {number}" for reason, number in Counter(counts.reasons).most_common(5))
    worst_first = sorted(by_object, key=lambda key: (-by_object[key].quarantined, key))
    objects = ", ".join(key for key in worst_first[:WORST_OBJECTS] if by_object[key].quarantined)
    raise ToleranceExceeded(
        f"{target.name}: validation FAILED: {counts.quarantined} of {counts.received} records broke a rule ({worst}), "
        f"most of them in {objects}; the contract tolerates {target.tolerance:.0%} or {target.tolerated_records} "
        "records; nothing was published",
        counts,
    )
