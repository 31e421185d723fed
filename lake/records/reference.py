"""The name of a record in commands, arguments and details of runs: ``<source object>:<line>``."""

from typing import NamedTuple

from lake.core.errors import LakeError


class NotARecord(LakeError):
    """The text is not the name of a record."""


class Reference(NamedTuple):
    """A record by its place in raw: key of the source object, and line (from 1)."""

    source_object: str
    line: int

    @staticmethod
    def parse(text: str) -> "Reference":
        """Return the reference in ``<source object>:<line>``; raises NotARecord for any other form."""
        source_object, _, line = text.rpartition(":")
        if not source_object or not line.isdecimal():
            raise NotARecord(f"'{text}' is not a record: expected <source object>:<line>, see 'lake quarantine list'")
        return Reference(source_object, int(line))

    def __str__(self) -> str:
        return f"{self.source_object}:{self.line}"
