"""Decide whether a raw line, a row or an encrypted payload belongs to a data subject."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from lake.contract.model import Contract
from lake.core.errors import LakeError
from lake.pseudonyms.keys import KeyVersion, token
from lake.records import json_lines

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


class NoSubjects(LakeError):
    """The dataset has no encrypted column, so its rows belong to no data subject."""


@dataclass(frozen=True)
class DataSubject:
    """The subject with the identifier ``value`` in the encrypted columns of ``dataset``."""

    dataset: str
    columns: tuple[str, ...]
    value: str = field(repr=False)

    @staticmethod
    def of(target: Contract, value: str) -> "DataSubject":
        """Return the data subject with that identifier in clear.

        Raises NoSubjects for a dataset without encrypted columns, LakeError for an empty identifier.
        """
        if not target.encrypted:
            raise NoSubjects(f"{target.name} has no encrypted column: its rows are of no subject")
        if not value.strip():
            raise LakeError("the subject is empty; say whose records are to be erased")
        columns = tuple(column.name for column in target.encrypted)
        return DataSubject(target.name, columns, unicodedata.normalize("NFC", value))

    def tokens(self, versions: tuple[KeyVersion, ...]) -> list[str]:
        """Return the subject's tokens under all key versions, for each encrypted column."""
        return sorted({token(key, self.dataset, name, self.value) for key in versions for name in self.columns})

    def owns(self, line: bytes) -> bool:
        """Return True if a raw line is the subject's: by its columns, or if unreadable, by naming the identifier."""
        try:
            record = json_lines.parsed(line)
        except json_lines.Broken:
            return self._is_named(line)
        names = [record.get(column) for column in self.columns]
        texts = [unicodedata.normalize("NFC", name) for name in names if isinstance(name, str)]
        return self.value in texts or (len(texts) < len(names) and self._is_named(line))

    def _is_named(self, line: bytes) -> bool:
        """Return True if the line has the identifier as a whole word: ``sensor-12`` does not name ``sensor-1``."""
        text = _ESCAPED.sub(_character, line.decode("utf-8", "replace"))
        word = rf"(?<![\w-]){re.escape(self.value)}(?![\w-])"
        return re.search(word, unicodedata.normalize("NFC", text)) is not None


def _character(escape: Any) -> str:
    return chr(int(escape[1], 16))
