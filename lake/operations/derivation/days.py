"""Days of the inputs of a derived dataset: which there are, and which differ from what the dataset was made of.

A derived dataset is made anew by whole days, because only all rows of a day give its sums. A day of an input is a
folder of partition files; its digest changes with any of them, whoever has written it: late data, a replay, a backfill,
an erasure or an undo.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby

from lake.contract.model import Contract
from lake.core.s3 import Location, Storage, StoredObject


def of_inputs(
    storage: Storage, inputs: Iterable[Contract], locations: Mapping[str, Location]
) -> tuple[StoredObject, ...]:
    """Return each day of each input as one object: its folder, the digest of its partition files, their size together.

    ``modified`` is when the newest of them was stored.
    """
    return tuple(day for each in inputs for day in _days(storage.list(locations[each.name])))


def _days(files: Iterable[StoredObject]) -> Iterator[StoredObject]:
    for folder, group in groupby(files, key=lambda entry: _folder(entry.key)):
        entries = list(group)
        said = "".join(f"{entry.key} {entry.etag}\n" for entry in entries)
        digest = hashlib.sha256(said.encode()).hexdigest()
        newest = max(entry.modified for entry in entries)
        yield StoredObject(folder, digest, sum(entry.size for entry in entries), newest)


def _folder(key: str) -> str:
    return key.rpartition("/")[0] + "/"


def day_of(key: str) -> date:
    """Return the day of a folder ``…/date=2026-11-20/``, or of an object in it."""
    return date.fromisoformat(_folder(key)[:-1].rpartition("/date=")[2])


def with_neighbours(days: Iterable[date], number: int) -> set[date]:
    """Return the days, and ``number`` days before and after each."""
    steps = range(-number, number + 1)
    return {day + timedelta(days=step) for day in days for step in steps}


def files_of(storage: Storage, location: Location, days: Sequence[date]) -> list[str]:
    """Return the keys of the partition files of these days, sorted; one listing for a folder."""
    folders = [Location(location.bucket, f"{location.prefix}date={day}/") for day in sorted(days)]
    return [entry.key for folder in folders for entry in storage.list(folder)]
