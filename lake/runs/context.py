"""What a run works with, whatever engine does the work."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from lake.core.s3 import Location, Storage
from lake.pseudonyms.keys import KeyVersion
from lake.runs.ledger import Ledger
from lake.runs.metrics import Metrics
from lake.tables.catalog import Catalog


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run works with. ``locations`` maps each dataset that the run reads or writes to its place in S3.

    ``engine_errors`` are the errors that the engine raises when the work itself fails.
    ``keys`` are the versions of the pseudonym key, ``now`` is the clock (UTC).
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
