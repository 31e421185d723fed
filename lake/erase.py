"""Erase: all that is stored of one subject goes, old versions included. The one exception to raw being immutable.

Rows and rejected records leave their units as in any run. What no other run may do follows under the same lock: raw
objects get content in which the subject's lines are empty, so that every other line keeps its number, and versions
that hold the subject are deleted. Each step may be repeated; who repeats the command after a death erases what is left.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pyspark.sql import DataFrame

from lake import arrivals, privacy, quarantine, refused, rewriting, search
from lake.contract import Contract
from lake.data_subject import DataSubject
from lake.ledger import Lock
from lake.manifest import NOTHING, Kind, Manifest, UnitChange
from lake.quarantine import KEY
from lake.run import Lake, Outcome
from lake.search import Lines, Search
from lake.staging import Area
from lake.storage import Location, StoredObject

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What is stored of the subject besides rows and rejected records.

    ``raw`` and ``refused`` are objects as they stand, and old versions of raw that runs read again; their lines will
    be emptied. ``old`` are versions that nobody reads. ``unread`` are raw objects that no run has read: they stay.
    """

    raw: Lines
    refused: Lines
    old: tuple[StoredObject, ...]
    unread: tuple[StoredObject, ...]
    unreadable: frozenset[str]

    @property
    def objects(self) -> tuple[StoredObject, ...]:
        """All that erasing changes or deletes."""
        return (*self.raw, *self.refused, *self.old)

    @property
    def counts(self) -> dict[str, int]:
        """As the ledger and the command say it."""
        lines = {"raw_lines": self.raw, "refused_messages": self.refused}
        others = {"old_versions": self.old, "unread_objects": self.unread, "unreadable_objects": self.unreadable}
        return {
            **{name: sum(map(len, found.values())) for name, found in lines.items()},
            **{name: len(entries) for name, entries in others.items()},
        }


@dataclass
class Erase:
    """Take all records of a subject out of ``target``, its quarantine, ``source`` and what the stream refused.

    The subject is ``sealed`` under ``key_version``, because arguments of jobs are logged. The delivery stream
    ``stream`` leaves what it refused in ``errors``. ``by`` is an IAM ARN.
    """

    kind: ClassVar[Kind] = "erase"
    claims: ClassVar[bool] = False
    target: Contract
    source: Contract
    sealed: str
    key_version: int
    stream: str
    errors: Location
    by: str
    _found: Found | None = field(default=None, init=False, repr=False)
    _opened: DataSubject | None = field(default=None, init=False, repr=False)

    def inputs(self, lake: Lake) -> tuple[StoredObject, ...]:
        """Every object, old versions included, that holds something of the subject."""
        found, rows, rejected = self._all(lake, self._subject(lake))
        self._found = found
        units = quarantine.units_of(lake, self.target, rows)
        return (*units, *quarantine.units_of(lake, self.target.quarantine(), rejected), *found.objects)

    def stage(self, lake: Lake, manifest: Manifest) -> Outcome:
        """Stage the units without the subject; the rest is not touched yet."""
        subject = self._subject(lake)
        found, rows, rejected = self._all(lake, subject)
        area = rewriting.area_of(lake, manifest.run_id)
        rows, rejected = rows.persist(), rejected.persist()
        units = (*_without(area, self.target, rows), *quarantine.moved(area, self.target, rejected, rejected.limit(0)))
        details = {"rows": rows.count(), "quarantined_records": rejected.count(), **found.counts}
        for frame in (rows, rejected):
            frame.unpersist()
        return Outcome(NOTHING, units, details={**details, **self._said(lake, subject)})

    def conclude(self, lake: Lake, lock: Lock) -> None:
        """Empty the subject's lines, then delete for good what has held them, and whatever runs have put aside."""
        self._settle(lake, lock)
        subject = self._subject(lake)
        found = self._search(lake, subject)
        for stored, numbers in found.raw.items():
            self._rewrite_raw(lake, lock, stored, numbers)
        for stored, numbers in found.refused.items():
            self._rewrite_refused(lake, lock, stored, numbers)
        staged = (entry for place in self._staging(lake) for entry in lake.storage.versions(place))
        gone = [*found.objects, *staged]
        for stored in gone:
            lake.storage.remove(lake.staging.bucket, stored)
        said = {"run_id": lock.owner, **found.counts, "removed_versions": len(gone), **self._said(lake, subject)}
        lake.ledger.audit(self.target.name, "erased", said)
        logger.info("%s: run %s has deleted %d versions for good", self.target.name, lock.owner, len(gone))

    def _subject(self, lake: Lake) -> DataSubject:
        if self._opened is None:
            payload = privacy.opened(lake.spark, self.target, lake.keys, self.key_version, self.sealed)
            self._opened = DataSubject.of(self.target, payload.decode())
        return self._opened

    def _said(self, lake: Lake, subject: DataSubject) -> dict[str, Any]:
        return {"by": self.by, "tokens": subject.tokens(lake.keys)}

    def _all(self, lake: Lake, subject: DataSubject) -> tuple[Found, DataFrame, DataFrame]:
        """What is stored of the subject: raw, refused and old; rows; rejected records, also those without a payload."""
        found, searching = self._found or self._search(lake, subject), Search(lake, subject)
        rows = rewriting.read(lake, self.target).filter(searching.is_row(self.target))
        rejected = rewriting.read(lake, self.target.quarantine())
        lines = [(stored.key, number, stored.modified) for stored, numbers in found.raw.items() for number in numbers]
        schema = "source_object string, source_line bigint, arrived_at timestamp"
        named = rejected.join(lake.spark.createDataFrame(lines, schema), KEY, "left_semi").select(*rejected.columns)
        return found, rows, searching.rejected(self.target, rejected).union(named).dropDuplicates(KEY)

    def _search(self, lake: Lake, subject: DataSubject) -> Found:
        searching = Search(lake, subject)
        raw, messages = self._raw(lake), self._refused(lake)
        lines = searching.lines(lake.staging.bucket, raw.all)
        refused_lines = searching.lines(self.errors.bucket, messages.all, refused.message)
        old = [entry for entry in (*raw.old, *messages.old) if entry in lines or entry in refused_lines]
        return Found(
            raw=_in_order(raw.current, lines),
            refused={entry: refused_lines[entry] for entry in messages.current if entry in refused_lines},
            old=(*old, *searching.old_units(self.target), *searching.old_rejected(self.target)),
            unread=tuple(entry for entry in raw.unread if entry in lines),
            unreadable=frozenset(searching.unreadable),
        )

    def _raw(self, lake: Lake) -> "_Versions":
        """What runs read again, what nobody reads, and what no run has read yet."""
        place, known = lake.locations[self.source.name], lake.ledger.objects(self.target.name).closed
        closed = {(entry.key, entry.version): entry for entry in arrivals.closed(lake, self.target, self.source)}
        before = {(entry.key, entry.version) for entry in lake.storage.old_versions(place)}
        others = [entry for entry in lake.storage.versions(place) if (entry.key, entry.version) not in closed]
        news = {
            entry.key: entry
            for entry in others
            if (entry.key, entry.etag) not in known and (entry.key, entry.version) not in before
        }
        return _Versions(
            current=[entry for entry in closed.values() if entry.key not in news],
            old=[entry for entry in others if entry != news.get(entry.key)],
            # What no run has read must stay what a listing shows, so nothing can be put over it.
            unread=[*news.values(), *(entry for entry in closed.values() if entry.key in news)],
        )

    def _refused(self, lake: Lake) -> "_Versions":
        old = set(lake.storage.old_versions(self.errors))
        return _Versions([entry for entry in lake.storage.versions(self.errors) if entry not in old], list(old), [])

    def _staging(self, lake: Lake) -> list[Location]:
        """Where runs of the dataset stage. Whoever has staged there is over, for the lock is ours."""
        names = (self.target.name, self.target.quarantine().name)
        return [Location(lake.staging.bucket, f"{lake.staging.prefix}{name}/") for name in names]

    def _settle(self, lake: Lake, lock: Lock) -> None:
        """Say of the objects that an erasure left when it died whether they have got their new content."""
        known, bucket = lake.ledger.objects(self.target.name), lake.locations[self.source.name].bucket
        for key, (before, run_id) in known.rewriting.items():
            etag = lake.storage.etag(bucket, key)
            is_new = etag and (key, etag) not in known.closed and lake.storage.written_by(bucket, key) == run_id
            if etag and is_new:
                lake.ledger.rewritten(lock, before, etag)
            else:
                lake.ledger.not_rewritten(lock, key)

    def _rewrite_raw(self, lake: Lake, lock: Lock, stored: StoredObject, numbers: Collection[int]) -> None:
        lake.ledger.begin_rewriting(lock, stored)
        etag = _rewritten(lake, lock, lake.locations[self.source.name].bucket, stored, numbers)
        lake.ledger.rewritten(lock, stored, etag)

    def _rewrite_refused(self, lake: Lake, lock: Lock, stored: StoredObject, numbers: Collection[int]) -> None:
        lake.ledger.renew(lock)
        etag = _rewritten(lake, lock, self.errors.bucket, stored, numbers)
        lake.ledger.carry_on(refused.partition(self.stream), "refused", stored, etag)


@dataclass(frozen=True)
class _Versions:
    """Versions of objects: that are read again, that are not, and that have not been read."""

    current: list[StoredObject]
    old: list[StoredObject]
    unread: list[StoredObject]

    @property
    def all(self) -> list[StoredObject]:
        """All of them."""
        return [*self.current, *self.old, *self.unread]


def _rewritten(lake: Lake, lock: Lock, bucket: str, stored: StoredObject, numbers: Collection[int]) -> str:
    """Put the object without these lines over what is there now; the new ETag."""
    body = search.without(lake.storage.read(bucket, stored.key, stored.version), numbers)
    return lake.storage.rewrite(bucket, stored.key, body, lake.storage.etag(bucket, stored.key), lock.owner)


def _in_order(versions: list[StoredObject], lines: Lines) -> Lines:
    """Each object with a line of the subject and its later versions, oldest first: the newest is put last again."""
    found: Lines = {}
    keys = {stored.key for stored in versions if stored in lines}
    for stored in sorted((entry for entry in versions if entry.key in keys), key=lambda entry: entry.modified):
        if stored in lines or any(earlier.key == stored.key for earlier in found):
            found[stored] = lines.get(stored, ())
    return found


def _without(area: Area, target: Contract, rows: DataFrame) -> tuple[UnitChange, ...]:
    """Stage the units that hold these rows without them."""
    etags = rewriting.before(area, target, rewriting.touched(rows))
    if not etags:
        return ()
    key = [column.stored_name for column in target.key]
    kept = rewriting.existing(area, target, etags).join(rows.select(*key), key, "left_anti")
    return rewriting.staged(area, target, etags, kept)
