"""Re-tokenise: days built again from raw with the pseudonyms of another key version, so that they join with others.

From then on whatever reaches these days gets that version too; so a unit has tokens of one version, and a correction
still meets the record that it corrects.
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
    """A dataset that has no encrypted column."""


@dataclass(frozen=True)
class Retokenise(Backfill):
    """Give the rows of the ``window`` the tokens of ``version``; a row that raw does not give again stops it."""

    kind: ClassVar[Kind] = "retokenise"
    version: int = 0

    def keys(self, context: SparkRunContext) -> tuple[KeyVersion, ...]:
        """The schedule with the version for the window."""
        return key_overrides.with_choices(key_overrides.schedule(context, self.target), [self._choice()])

    def matched_by(self) -> list[str]:
        """Where a row came from: its key is another, because the token is part of it."""
        return LINEAGE

    def details(self) -> dict[str, Any]:
        """What the ledger keeps besides what was found."""
        return {**super().details(), "version": self.version}

    def stage(self, context: SparkRunContext, manifest: Manifest) -> Outcome:
        """Stage the units of the window, and the choice that whatever follows abides by."""
        if not self.target.encrypted:
            raise NoPseudonyms(f"{self.target.name} has no column with pseudonyms")
        outcome = super().stage(context, manifest)
        if not outcome.units:
            return outcome
        choice = self._stage_choice(context, manifest.run_id, outcome.units[0].partition)
        return outcome._replace(units=(*outcome.units, choice))

    def _stage_choice(self, context: SparkRunContext, run_id: str, partition: str) -> TableChange:
        bucket, key = context.manifests.bucket, key_overrides.object_key(context, self.target)
        before = context.storage.etag(bucket, key)
        staged = f"{context.staging_area(run_id).folder(self.target.name).prefix}tokens.json"
        context.storage.put(
            bucket, staged, key_overrides.encoded([*key_overrides.chosen(context, self.target), self._choice()])
        )
        return TableChange(self.target.name, key, partition, before, staged, 0)

    def _choice(self) -> key_overrides.Choice:
        return key_overrides.Choice(self.window.first.isoformat(), self.window.last.isoformat(), self.version)
