"""Re-key: rebuild days from raw with the tokens of another key version, so that they join with days of that version.

Later records of these days get that version too. So a partition file has tokens of one version only, and a correction
has the same key as the record that it corrects.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from lake.core.errors import LakeError
from lake.operations import key_overrides
from lake.operations.backfill import Backfill
from lake.operations.context import SparkRunContext
from lake.operations.quarantine import KEY as LINEAGE
from lake.pseudonyms.keys import KeyVersion
from lake.runs.manifest import Kind, Manifest
from lake.runs.run import Outcome
from lake.tables.base import TableChange


class NoPseudonyms(LakeError):
    """The dataset has no encrypted column."""


@dataclass(frozen=True)
class Rekey(Backfill):
    """Rebuild the rows of the ``window`` with tokens of ``version``; stops if raw does not yield all rows."""

    kind: ClassVar[Kind] = "rekey"
    version: int = 0

    def keys(self, context: SparkRunContext) -> tuple[KeyVersion, ...]:
        """Return the schedule of key versions with ``version`` for the window."""
        return key_overrides.with_overrides(key_overrides.schedule(context, self.target), [self._override()])

    def matched_by(self) -> list[str]:
        """Return the lineage columns; the record key changes, because the token is part of it."""
        return LINEAGE

    def details(self) -> dict[str, Any]:
        """Return the facts that the ledger keeps besides the findings."""
        return {**super().details(), "version": self.version}

    def stage(self, context: SparkRunContext, manifest: Manifest) -> Outcome:
        """Stage the window's partition files, and the override that later records follow.

        Raises NoPseudonyms for a dataset without encrypted columns, NoSuchVersion for a version that the secret lacks.
        """
        if not self.target.encrypted:
            raise NoPseudonyms(f"{self.target.name} has no column with pseudonyms")
        outcome = super().stage(context, manifest)
        if not outcome.partition_files:
            return outcome
        override = self._stage_override(context, manifest.run_id, outcome.partition_files[0].partition)
        return outcome._replace(partition_files=(*outcome.partition_files, override))

    def _stage_override(self, context: SparkRunContext, run_id: str, partition: str) -> TableChange:
        bucket, key = context.manifests.bucket, key_overrides.object_key(context, self.target)
        before = context.storage.etag(bucket, key)
        staged = f"{context.staging_area(run_id).folder(self.target.name).prefix}tokens.json"
        context.storage.put(
            bucket, staged, key_overrides.encoded([*key_overrides.stored(context, self.target), self._override()])
        )
        return TableChange(self.target.name, key, partition, before, staged, 0)

    def _override(self) -> key_overrides.KeyOverride:
        return key_overrides.KeyOverride(self.window.first.isoformat(), self.window.last.isoformat(), self.version)
