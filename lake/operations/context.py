"""The context of a run whose engine is Spark."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from lake.contract.model import Contract
from lake.core.s3 import StoredObject
from lake.runs.context import RunContext
from lake.tables.partition_files import merge
from lake.tables.partition_files.staging import StagingArea


@dataclass(frozen=True, kw_only=True)
class SparkRunContext(RunContext):
    """A run context with the job's Spark session, which ``engine`` returns, always the same.

    It starts when it is first asked for: a run that has nothing to do needs none.
    """

    engine_errors: ClassVar[tuple[type[Exception], ...]] = (Py4JError, PySparkException)
    engine: Callable[[], SparkSession]

    @property
    def spark(self) -> SparkSession:
        """Return the session."""
        return self.engine()

    def staging_area(self, run_id: str) -> StagingArea:
        """Return the staging area of a run."""
        return StagingArea(self.spark, self.storage, self.staging, self.locations, run_id)

    def rows(self, contract: Contract) -> DataFrame:
        """Return all rows of a dataset, each with the name of its partition file."""
        location = self.locations[contract.name]
        keys = [entry.key for entry in self.storage.list(location)]
        return merge.read_files(self.spark, contract, location, keys)

    def processed(self, target: Contract, source: Contract) -> tuple[StoredObject, ...]:
        """Return each raw object version that a committed run of ``target`` has processed, once.

        ``modified`` of the returned objects is the moment at which the object arrived (UTC).
        """
        known = self.ledger.objects(target.name).processed
        versions = self.storage.versions(self.locations[source.name])
        found = {(entry.key, entry.etag): entry for entry in versions if (entry.key, entry.etag) in known}
        return tuple(replace(entry, modified=known[identity] or entry.modified) for identity, entry in found.items())
