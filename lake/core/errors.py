"""The errors of the lake: each says what is wrong, where, and what to do."""

import re

from lake.core.counts import NOTHING, Counts


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


class RawObjectUnreadable(LakeError):
    """A raw object that was listed cannot be read; the run publishes nothing and the next one lists anew."""


class DatasetHeld(LakeError):
    """Another run holds the dataset, and what was asked for cannot be left to that."""


class LeaseLost(LakeError):
    """Another run has taken the dataset over; this one may not publish."""


_TRACEBACK = "Traceback (most recent call last):"
# Messages of others may quote a record's values; those of the system do not.
_OURS = re.compile(r"(?:(?:lake|botocore)\.[\w.]*?|(?=(?:OS|Permission|Connection)Error: ))(\w+: .*)")


def sentence(error: BaseException) -> str:
    """One line that says what went wrong. A task of Spark says it below its traceback, far from the first line."""
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
