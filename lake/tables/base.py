"""The change of a table by a run, independent of the table's format."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TableChange:
    """One partition file to replace: its ``key``, the ETag ``before`` (None: no object yet) and the ``staged`` object.

    An empty partition file becomes an object without rows and is never deleted: a writer that wakes up late could put
    old rows where there is no object.
    """

    dataset: str
    key: str
    partition: str
    before: str | None
    staged: str
    rows: int
