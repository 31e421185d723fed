"""Errors of the lake. Each message names the fault, its place and the remedy."""

import re

from lake.core.counts import NOTHING, Counts


class LakeError(Exception):
    """Base class of errors that a user can act on; ``counts`` holds the run's counts at the time of the error."""

    def __init__(self, message: str, counts: Counts = NOTHING) -> None:
        super().__init__(message)
        self.counts = counts


class ContractError(LakeError):
    """A contract that breaks the schema; the message names file, place and the likely word."""


class NoRawData(LakeError):
    """A dataset whose source has never received an object."""


class SchemaMismatch(LakeError):
    """The catalog's table and the contract do not have the same columns."""


class ToleranceExceeded(LakeError):
    """A run has rejected more records than the contract tolerates; nothing was published."""


class CountsNotReconciled(LakeError):
    """received = new + replaced + duplicate + quarantined does not hold; nothing was published."""


class OutsideWriter(LakeError):
    """A partition file has content that no run in the ledger wrote; the run stops publishing."""


class StagingExpired(LakeError):
    """A prepared run whose staged objects are gone before all of them were published; nobody can finish it."""


class NotPrepared(LakeError):
    """There is no prepared run of that id, so there is none to abandon."""


class RawObjectUnreadable(LakeError):
    """A raw object that was listed cannot be read; the run publishes nothing and the next one lists anew."""


class DatasetHeld(LakeError):
    """Another run holds the dataset's lock, and the requested operation cannot be left to that run."""


class LeaseLost(LakeError):
    """Another run has taken over the dataset's lock; this run may not publish."""


_TRACEBACK = "Traceback (most recent call last):"
# Messages of others may quote a record's values; those of the system do not.
_OURS = re.compile(r"(?:(?:lake|botocore)\.[\w.]*?|(?=(?:OS|Permission|Connection)Error: ))(\w+: .*)")


def summary_line(error: BaseException) -> str:
    """Return the line of ``error`` that names the cause. Spark puts a task's cause below its traceback, not first."""
    text = str(error).strip()
    if _TRACEBACK in text:
        lines = text.rpartition(_TRACEBACK)[2].splitlines()[1:]
        raised = next((line for line in lines if line and not line.startswith(" ")), "")
        ours = _OURS.match(raised)
        return ours[1] if ours else f"{raised.partition(':')[0]} in a task of Spark"
    first, _, rest = text.partition("\n")
    return (
        rest.partition("\n")[0].removeprefix(": ") if first.startswith("An error occurred while calling o") else first
    )
