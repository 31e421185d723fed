"""A refresh: what is new in raw becomes rows of the target, and rows of its quarantine."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame

from lake import frames, staging
from lake.contract import Contract
from lake.errors import CountsDoNotAdd, NoRawData, ToleranceExceeded
from lake.manifest import NOTHING, Counts, Manifest, UnitChange
from lake.run import Lake, run
from lake.storage import StoredObject

Transformation = Callable[[DataFrame], DataFrame]
# How many raw objects a failed run names; enough to find the producer.
WORST_OBJECTS = 3
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refresh:
    """Bring ``target`` up to what ``source`` holds."""

    target: Contract
    source: Contract
    transformation: Transformation

    def inputs(self, lake: Lake) -> tuple[StoredObject, ...]:
        """The raw objects that no committed run holds; raises NoRawData when there has never been one."""
        place = lake.locations[self.source.name]
        stored = list(lake.storage.list(place))
        if not stored:
            raise NoRawData(
                f"{self.source.name}: no raw data has ever arrived in {place.uri}; check that its producer runs"
            )
        known = lake.ledger.objects(self.target.name)
        return tuple(entry for entry in stored if (entry.key, entry.etag) not in known)

    def stage(self, lake: Lake, manifest: Manifest) -> tuple[Counts, tuple[UnitChange, ...]]:
        """Judge, pseudonymise and stage what the objects hold."""
        return _staged(lake, manifest, self.target, self.source, self.transformation)


def refresh(lake: Lake, target: Contract, source: Contract, transformation: Transformation) -> Counts:
    """Bring ``target`` up to what ``source`` holds. Raises LakeError when it cannot, then nothing was published."""
    return run(lake, Refresh(target, source, transformation))


def _staged(
    lake: Lake, manifest: Manifest, target: Contract, source: Contract, transformation: Transformation
) -> tuple[Counts, tuple[UnitChange, ...]]:
    """Judge, pseudonymise and stage what the objects hold; nothing is visible yet, and it may not come to that."""
    twin, run_id = target.quarantine(), manifest.run_id
    for contract in (target, twin):
        lake.catalog.check(contract)
    area = staging.Area(lake.spark, lake.storage, lake.staging, lake.locations, run_id)
    bucket = lake.locations[source.name].bucket
    raw = frames.read_raw(lake.spark, source, bucket, list(manifest.objects)).persist()
    judged = staging.judged(raw, source, target, transformation).persist()
    try:
        counts = staging.counted(raw, judged)
        _say_drift(target, source, counts)
        _check_tolerance(target, counts, judged)
        good = staging.staged(area, target, staging.accepted(judged, target, lake.keys, run_id))
        bad = staging.staged(area, twin, staging.rejected(judged, target, lake.keys, run_id))
    except CountsDoNotAdd as error:
        raise CountsDoNotAdd(str(error), replace(NOTHING, received=counts.received)) from error
    finally:
        judged.unpersist()
        raw.unpersist()
    counts = replace(counts, new=good.new, replaced=good.replaced, duplicate=good.duplicate)
    if not counts.add_up:
        raise CountsDoNotAdd(f"{target.name}: the counts do not add up, nothing was published: {counts}", counts)
    return counts, (*good.changes, *bad.changes)


def _say_drift(target: Contract, source: Contract, counts: Counts) -> None:
    for change, records in counts.drift.items():
        logger.warning(
            "%s: schema drift in %s: %s in %d of %d records", target.name, source.name, change, records, counts.received
        )


def _check_tolerance(target: Contract, counts: Counts, judged: DataFrame) -> None:
    if target.tolerates(counts.quarantined, counts.received):
        return
    worst = ", ".join(f"{reason} {number}" for reason, number in Counter(counts.reasons).most_common(5))
    objects = ", ".join(staging.worst_objects(judged, WORST_OBJECTS))
    raise ToleranceExceeded(
        f"{target.name}: validation FAILED: {counts.quarantined} of {counts.received} records broke a rule ({worst}), "
        f"most of them in {objects}; the contract tolerates {target.tolerance:.0%} or {target.tolerated_records} "
        "records; nothing was published",
        counts,
    )
