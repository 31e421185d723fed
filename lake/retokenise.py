"""Re-tokenise: days built again from raw with the pseudonyms of another key version, so that they join with others.

From then on whatever reaches these days gets that version too; so a unit has tokens of one version, and a correction
still meets the record that it corrects.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from lake import rewriting, tokens
from lake.backfill import Backfill
from lake.errors import LakeError
from lake.keys import KeyVersion
from lake.manifest import Kind, Manifest, UnitChange
from lake.quarantine import KEY as LINEAGE
from lake.run import Lake, Outcome


class NoPseudonyms(LakeError):
    """A dataset that has no encrypted column."""


@dataclass(frozen=True)
class Retokenise(Backfill):
    """Give the rows of the ``window`` the tokens of ``version``; a row that raw does not give again stops it."""

    kind: ClassVar[Kind] = "retokenise"
    version: int = 0

    def keys(self, lake: Lake) -> tuple[KeyVersion, ...]:
        """The schedule with the version for the window."""
        return tokens.with_choices(tokens.schedule(lake, self.target), [self._choice()])

    def matched_by(self) -> list[str]:
        """Where a row came from: its key is another, because the token is part of it."""
        return LINEAGE

    def details(self) -> dict[str, Any]:
        """What the ledger keeps besides what was found."""
        return {**super().details(), "version": self.version}

    def stage(self, lake: Lake, manifest: Manifest) -> Outcome:
        """Stage the units of the window, and the choice that whatever follows abides by."""
        if not self.target.encrypted:
            raise NoPseudonyms(f"{self.target.name} has no column with pseudonyms")
        outcome = super().stage(lake, manifest)
        if not outcome.units:
            return outcome
        choice = self._stage_choice(lake, manifest.run_id, outcome.units[0].partition)
        return outcome._replace(units=(*outcome.units, choice))

    def _stage_choice(self, lake: Lake, run_id: str, partition: str) -> UnitChange:
        bucket, key = lake.manifests.bucket, tokens.object_key(lake, self.target)
        before = lake.storage.etag(bucket, key)
        staged = f"{rewriting.area_of(lake, run_id).folder(self.target.name).prefix}tokens.json"
        lake.storage.put(bucket, staged, tokens.encoded([*tokens.chosen(lake, self.target), self._choice()]))
        return UnitChange(self.target.name, key, partition, before, staged, 0)

    def _choice(self) -> tokens.Choice:
        return tokens.Choice(self.window.first.isoformat(), self.window.last.isoformat(), self.version)
