"""A table of partition files, as a run publishes it: each file is an object that is replaced whole."""

from dataclasses import dataclass

from lake.core.s3 import Storage
from lake.tables.base import TableChange


@dataclass(frozen=True)
class PartitionFiles:
    """The partition files of a dataset in ``bucket``; where they are staged is in the same one."""

    storage: Storage
    bucket: str

    def replace(self, change: TableChange, run_id: str) -> None:
        """Replace one file, if it has the ETag of before; raises what ``Table.replace`` raises."""
        self.storage.replace(self.bucket, change.staged, change.key, change.before, run_id)

    def written_by(self, change: TableChange) -> str | None:
        """Return the run that the object's metadata names."""
        return self.storage.written_by(self.bucket, change.key)

    def place(self, change: TableChange) -> str:
        """Return the URI of the file."""
        return f"s3://{self.bucket}/{change.key}"
