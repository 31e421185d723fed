"""The change of a table by a run, and what a table can do with it, independent of the table's format."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class TableChange:
    """The step of a publication that replaces ``key``: its state ``before`` (None: none yet), what is ``staged``.

    Of a table of partition files it is one file: key and ETag of an object, the key of the staged one; ``partition`` is
    its folder, empty where the catalog has none. An empty partition file becomes an object without rows and is never
    deleted: a writer that wakes up late could put old rows where there is no object. Of a table of snapshots it is the
    table: its name, the id of its snapshot, the id of a snapshot that readers do not see yet.
    """

    dataset: str
    key: str
    partition: str
    before: str | None
    staged: str
    rows: int


class Table(Protocol):
    """The table where changes are published, several of them at once; readers see each whole or not at all."""

    def replace(self, change: TableChange, run_id: str) -> None:
        """Put what is staged in the place of what was there ``before``, and name ``run_id`` as its writer.

        Raises PreconditionFailed when something else is there, SourceGone when nothing is staged any more.
        """

    def written_by(self, change: TableChange) -> str | None:
        """Return the id of the run that wrote what is there now; None when unknown."""

    def place(self, change: TableChange) -> str:
        """Return what a message calls the place of the change."""
