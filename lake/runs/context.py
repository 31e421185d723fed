"""The context of a run, independent of the engine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from lake.core.s3 import Location, Storage
from lake.pseudonyms.keys import KeyVersion
from lake.runs.bounds import Bounds
from lake.runs.ledger import Ledger
from lake.runs.metrics import Metrics
from lake.tables.base import Table
from lake.tables.catalog import Catalog
from lake.tables.partition_files.published import PartitionFiles


def _no_pause() -> None:
    """Let no time pass."""


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """Clients and settings of a run. ``locations`` maps each dataset that the run reads or writes to its S3 location.

    ``engine_errors`` are the exceptions that the engine raises when the work itself fails.
    ``keys`` are the versions of the pseudonym key, ``now`` returns the time (UTC), ``pause`` lets some of it pass. The
    records of the runs have the id of the ``order`` that somebody gave, if somebody did.
    """

    engine_errors: ClassVar[tuple[type[Exception], ...]] = ()
    storage: Storage
    ledger: Ledger
    catalog: Catalog
    metrics: Metrics
    locations: dict[str, Location]
    staging: Location
    manifests: Location
    keys: tuple[KeyVersion, ...]
    code_version: str
    now: Callable[[], datetime]
    bounds: Bounds = field(default_factory=Bounds)
    pause: Callable[[], None] = _no_pause
    order: str = ""

    def table(self, dataset: str) -> Table:
        """Return where changes of a dataset are published: its partition files, unless a context has other tables."""
        return PartitionFiles(self.storage, self.locations[dataset].bucket)
