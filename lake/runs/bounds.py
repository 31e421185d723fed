"""The bounds of a run: so much that it ends in time, and that one that dies repeats little."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lake.core.s3 import StoredObject

# A run that died of too much takes an eighth of it next time, and finds sooner what kills it.
_PART_AFTER_A_DEATH = 8


@dataclass(frozen=True)
class Bounds:
    """The most that one run takes and does. The loads of a job go on, run by run, while something waits.

    ``objects`` and ``size`` (bytes) bound what a refresh reads; a single object may be larger. After each ``step``
    partition files a run records how far it has published; it puts ``at_once`` of them at the same time.
    No further run begins at or after ``begins_before`` (UTC; None: no such moment). A repair waits for as long as
    ``waits`` for a run that holds its dataset.
    """

    objects: int = 5_000
    size: int = 256 * 1024 * 1024
    step: int = 100
    at_once: int = 8
    begins_before: datetime | None = None
    waits: timedelta = timedelta()

    def first(self, waiting: Sequence[StoredObject], deaths: Mapping[StoredObject, int]) -> tuple[StoredObject, ...]:
        """Return those of the ``waiting`` objects that the next run reads: the first ones, at least one.

        ``deaths`` says how many runs one after the other have claimed an object and not survived it.
        """
        part = _PART_AFTER_A_DEATH ** max((deaths.get(stored, 0) for stored in waiting[: self.objects]), default=0)
        taken: list[StoredObject] = []
        size = 0
        for stored in waiting[: max(self.objects // part, 1)]:
            size += stored.size
            if taken and size > self.size // part:
                break
            taken.append(stored)
        return tuple(taken)
