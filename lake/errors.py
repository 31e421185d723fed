"""The errors of the lake: each says what is wrong, where, and what to do."""

from lake.manifest import NOTHING, Counts


class LakeError(Exception):
    """Base of all errors that a user of the lake can act on; ``counts`` is what the run had counted by then."""

    def __init__(self, message: str, counts: Counts = NOTHING) -> None:
        super().__init__(message)
        self.counts = counts


class ContractError(LakeError):
    """A contract that breaks the grammar; the message names file, place and the likely word."""


class NoRawData(LakeError):
    """A dataset whose source has never received an object."""


class SchemaMismatch(LakeError):
    """The catalog's table and the contract do not have the same columns."""


class ToleranceExceeded(LakeError):
    """More records of a run broke a rule than the contract tolerates; nothing was published."""


class CountsDoNotAdd(LakeError):
    """received = new + replaced + duplicate + quarantined does not hold; nothing was published."""


class OutsideWriter(LakeError):
    """A unit holds something that no run of the ledger has written; nothing more is published."""


class LeaseLost(LakeError):
    """Another run has taken the dataset over; this one may not publish."""
