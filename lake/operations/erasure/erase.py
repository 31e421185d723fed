"""Erase all stored records of one data subject, old object versions included: the only operation that changes raw.

The first part is an ordinary run that removes rows and rejected records. The post-commit step, under the same lock,
rewrites raw objects with the subject's lines emptied, so that other lines keep their numbers, and deletes versions
that hold the subject. Each step is idempotent; repeating the command after a crash completes the erasure.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pyspark.sql import DataFrame

from lake.contract.model import Contract
from lake.core.counts import NOTHING
from lake.core.s3 import Location, StoredObject
from lake.operations import quarantine
from lake.operations.context import SparkRunContext
from lake.operations.erasure import search
from lake.operations.erasure.data_subject import DataSubject
from lake.operations.erasure.search import Lines, Search
from lake.operations.quarantine import KEY
from lake.pseudonyms import spark
from lake.records import failed_deliveries
from lake.runs import audits
from lake.runs.ledger import Lock
from lake.runs.manifest import Kind, Manifest
from lake.runs.run import Outcome
from lake.tables.base import TableChange
from lake.tables.partition_files import rewriting
from lake.tables.partition_files.staging import StagingArea

# Every prefix of the lake's bucket that is neither a dataset's nor given to the job: objects that the runbook has moved
# there, and what Glue leaves. What is here has its retention in terraform/platform/buckets.tf, and the other way round.
PUT_ASIDE = ("set-aside/", "glue-temp/")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """Objects that hold the subject, besides rows and rejected records.

    ``raw``, ``failed_deliveries`` and ``aside`` are objects as they stand, and old versions of raw that runs read
    again; their lines will be emptied. ``old`` are versions that nobody reads. ``unread`` are raw objects that no run
    has read: they stay.
    """

    raw: Lines
    failed_deliveries: Lines
    aside: Lines
    old: tuple[StoredObject, ...]
    unread: tuple[StoredObject, ...]
    unreadable: frozenset[str]

    @property
    def objects(self) -> tuple[StoredObject, ...]:
        """Return all objects that erasing changes or deletes."""
        return (*self.raw, *self.failed_deliveries, *self.aside, *self.old)

    @property
    def counts(self) -> dict[str, int]:
        """Return the numbers of lines and objects, by the names that the ledger and the command show."""
        lines = {"raw_lines": self.raw, "failed_deliveries": self.failed_deliveries, "put_aside_lines": self.aside}
        others = {"old_versions": self.old, "unread_objects": self.unread, "unreadable_objects": self.unreadable}
        return {
            **{name: sum(map(len, found.values())) for name, found in lines.items()},
            **{name: len(entries) for name, entries in others.items()},
        }


@dataclass
class Erase:
    """Remove all records of a subject from ``target``, its quarantine, ``source`` and failed deliveries.

    ``encrypted`` is the identifier, encrypted under ``key_version`` because job arguments are logged. ``errors`` is the
    location of the failed deliveries of ``stream``. ``by`` is the requester's IAM ARN.
    """

    kind: ClassVar[Kind] = "erase"
    claims: ClassVar[bool] = False
    target: Contract
    source: Contract
    encrypted: str
    key_version: int
    stream: str
    errors: Location
    by: str
    _found: Found | None = field(default=None, init=False, repr=False)
    _decrypted: DataSubject | None = field(default=None, init=False, repr=False)

    def inputs(self, context: SparkRunContext) -> tuple[StoredObject, ...]:
        """Return all object versions that hold a record of the subject."""
        found, rows, rejected = self._all(context, self._subject(context))
        self._found = found
        files = quarantine.files_of(context, self.target, rows)
        return (*files, *quarantine.files_of(context, self.target.quarantine(), rejected), *found.objects)

    def stage(self, context: SparkRunContext, manifest: Manifest) -> Outcome:
        """Stage the partition files without the subject; raw and old versions stay until ``finalize``."""
        subject = self._subject(context)
        found, rows, rejected = self._all(context, subject)
        area = context.staging_area(manifest.run_id)
        rows, rejected = rows.persist(), rejected.persist()
        moved = quarantine.moved(area, self.target, rejected, rejected.limit(0))
        changes = (*_without(area, self.target, rows), *moved)
        details = {"rows": rows.count(), "quarantined_records": rejected.count(), **found.counts}
        for frame in (rows, rejected):
            frame.unpersist()
        return Outcome(NOTHING, changes, details={**details, **self._said(context, subject)})

    def finalize(self, context: SparkRunContext, lock: Lock) -> None:
        """Empty the subject's lines, then permanently delete the versions that held them and all staged objects."""
        self._settle(context, lock)
        subject = self._subject(context)
        found = self._search(context, subject)
        for stored, numbers in found.raw.items():
            self._rewrite_raw(context, lock, stored, numbers)
        for stored, numbers in found.failed_deliveries.items():
            self._rewrite_failed_deliveries(context, lock, stored, numbers)
        for stored, numbers in found.aside.items():
            context.ledger.renew(lock)
            _rewritten(context, lock, context.staging.bucket, stored, numbers)
        staged = (entry for place in self._staging(context) for entry in context.storage.versions(place))
        gone = [*found.objects, *staged]
        for stored in gone:
            context.storage.remove(context.staging.bucket, stored)
        said = {"run_id": lock.owner, **found.counts, "removed_versions": len(gone), **self._said(context, subject)}
        audits.write(context.storage, context.staging.bucket, self.target.name, "erased", context.now(), said)
        logger.info("%s: run %s has deleted %d versions for good", self.target.name, lock.owner, len(gone))

    def _subject(self, context: SparkRunContext) -> DataSubject:
        if self._decrypted is None:
            payload = spark.decrypted(context.spark, self.target, context.keys, self.key_version, self.encrypted)
            self._decrypted = DataSubject.of(self.target, payload.decode())
        return self._decrypted

    def _said(self, context: SparkRunContext, subject: DataSubject) -> dict[str, Any]:
        return {"by": self.by, "tokens": subject.tokens(context.keys)}

    def _all(self, context: SparkRunContext, subject: DataSubject) -> tuple[Found, DataFrame, DataFrame]:
        """Return the subject's objects, rows and rejected records, also those without a payload."""
        found, searching = self._found or self._search(context, subject), Search(context, subject)
        rows = context.rows(self.target).filter(searching.is_row(self.target))
        rejected = context.rows(self.target.quarantine())
        lines = [(stored.key, number, stored.modified) for stored, numbers in found.raw.items() for number in numbers]
        schema = "source_object string, source_line bigint, arrived_at timestamp"
        named = rejected.join(context.spark.createDataFrame(lines, schema), KEY, "left_semi").select(*rejected.columns)
        return found, rows, searching.rejected(self.target, rejected).union(named).dropDuplicates(KEY)

    def _search(self, context: SparkRunContext, subject: DataSubject) -> Found:
        searching = Search(context, subject)
        raw, messages, aside = self._raw(context), _as_they_stand(context, self.errors), _put_aside(context)
        lines = searching.lines(context.staging.bucket, raw.all)
        delivery_lines = searching.lines(self.errors.bucket, messages.all, failed_deliveries.message)
        aside_lines = searching.lines(context.staging.bucket, aside.all)
        everywhere = {**lines, **delivery_lines, **aside_lines}
        old = [entry for entry in (*raw.old, *messages.old, *aside.old) if entry in everywhere]
        return Found(
            raw=_in_order(raw.current, lines),
            failed_deliveries={entry: delivery_lines[entry] for entry in messages.current if entry in delivery_lines},
            aside={entry: aside_lines[entry] for entry in aside.current if entry in aside_lines},
            old=(*old, *searching.old_files(self.target), *searching.old_rejected(self.target)),
            unread=tuple(entry for entry in raw.unread if entry in lines),
            unreadable=frozenset(searching.unreadable),
        )

    def _raw(self, context: SparkRunContext) -> "_Versions":
        """Sort raw versions: those that runs read again, those that no run reads, and unprocessed ones."""
        place, known = context.locations[self.source.name], context.ledger.objects(self.target.name).processed
        processed = {(entry.key, entry.version): entry for entry in context.processed(self.target, self.source)}
        before = {(entry.key, entry.version) for entry in context.storage.old_versions(place)}
        others = [entry for entry in context.storage.versions(place) if (entry.key, entry.version) not in processed]
        unprocessed = {
            entry.key: entry
            for entry in others
            if (entry.key, entry.etag) not in known and (entry.key, entry.version) not in before
        }
        return _Versions(
            current=[entry for entry in processed.values() if entry.key not in unprocessed],
            old=[entry for entry in others if entry != unprocessed.get(entry.key)],
            # Unprocessed objects are not rewritten: their ETag must still match what the next refresh lists.
            unread=[*unprocessed.values(), *(entry for entry in processed.values() if entry.key in unprocessed)],
        )

    def _staging(self, context: SparkRunContext) -> list[Location]:
        """Return the staging areas of the dataset. Their runs are over, because this run holds the lock."""
        names = (self.target.name, self.target.quarantine().name)
        return [Location(context.staging.bucket, f"{context.staging.prefix}{name}/") for name in names]

    def _settle(self, context: SparkRunContext, lock: Lock) -> None:
        """Settle rewrites that a crashed erasure left in flight: record whether each object has its new content."""
        known, bucket = context.ledger.objects(self.target.name), context.locations[self.source.name].bucket
        for key, (before, run_id) in known.rewriting.items():
            etag = context.storage.etag(bucket, key)
            is_new = etag and (key, etag) not in known.processed and context.storage.written_by(bucket, key) == run_id
            if etag and is_new:
                context.ledger.rewritten(lock, before, etag)
            else:
                context.ledger.not_rewritten(lock, key)

    def _rewrite_raw(
        self, context: SparkRunContext, lock: Lock, stored: StoredObject, numbers: Collection[int]
    ) -> None:
        context.ledger.begin_rewriting(lock, stored)
        etag = _rewritten(context, lock, context.locations[self.source.name].bucket, stored, numbers)
        context.ledger.rewritten(lock, stored, etag)

    def _rewrite_failed_deliveries(
        self, context: SparkRunContext, lock: Lock, stored: StoredObject, numbers: Collection[int]
    ) -> None:
        context.ledger.renew(lock)
        etag = _rewritten(context, lock, self.errors.bucket, stored, numbers)
        context.ledger.carry_on(failed_deliveries.partition(self.stream), "redelivered", stored, etag)


@dataclass(frozen=True)
class _Versions:
    """Object versions: those that runs read again, those that no run reads, and unprocessed ones."""

    current: list[StoredObject]
    old: list[StoredObject]
    unread: list[StoredObject]

    @property
    def all(self) -> list[StoredObject]:
        """All of them."""
        return [*self.current, *self.old, *self.unread]


def _as_they_stand(context: SparkRunContext, place: Location) -> _Versions:
    """Objects that no run reads."""
    old = set(context.storage.old_versions(place))
    return _Versions([entry for entry in context.storage.versions(place) if entry not in old], list(old), [])


def _put_aside(context: SparkRunContext) -> _Versions:
    places = [_as_they_stand(context, Location(context.staging.bucket, prefix)) for prefix in PUT_ASIDE]
    return _Versions(
        [entry for place in places for entry in place.current], [entry for place in places for entry in place.old], []
    )


def _rewritten(
    context: SparkRunContext, lock: Lock, bucket: str, stored: StoredObject, numbers: Collection[int]
) -> str:
    """Overwrite the object with these lines emptied; returns the new ETag."""
    body = search.without(context.storage.read(bucket, stored.key, stored.version), numbers)
    return context.storage.rewrite(bucket, stored.key, body, context.storage.etag(bucket, stored.key), lock.owner)


def _in_order(versions: list[StoredObject], lines: Lines) -> Lines:
    """Each object with a line of the subject and its later versions, oldest first: the newest is put last again."""
    found: Lines = {}
    keys = {stored.key for stored in versions if stored in lines}
    for stored in sorted((entry for entry in versions if entry.key in keys), key=lambda entry: entry.modified):
        if stored in lines or any(earlier.key == stored.key for earlier in found):
            found[stored] = lines.get(stored, ())
    return found


def _without(area: StagingArea, target: Contract, rows: DataFrame) -> tuple[TableChange, ...]:
    """Stage the partition files that hold these rows without them."""
    etags = rewriting.before(area, target, rewriting.touched(rows))
    if not etags:
        return ()
    key = [column.stored_name for column in target.key]
    kept = rewriting.existing(area, target, etags).join(rows.select(*key), key, "left_anti")
    return rewriting.staged(area, target, etags, kept)
