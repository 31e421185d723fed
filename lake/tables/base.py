"""What a run changes in a table, whatever the table is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TableChange:
    """One unit to replace: its object ``key``, the ETag ``before`` (None: no object yet) and the ``staged`` object.

    A unit that has become empty is replaced by an object without rows, never deleted: where there is no object, a
    writer that wakes up late could put old rows.
    """

    dataset: str
    key: str
    partition: str
    before: str | None
    staged: str
    rows: int
