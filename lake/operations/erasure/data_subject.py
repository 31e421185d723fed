"""Whose records are meant when one subject's are to be erased: in raw lines, in rows, in sealed payloads."""

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
    """A dataset whose rows belong to nobody: it has no encrypted column."""


@dataclass(frozen=True)
class DataSubject:
    """The subject with the identifier ``value`` in the encrypted columns of ``dataset``."""

    dataset: str
    columns: tuple[str, ...]
    value: str = field(repr=False)

    @staticmethod
    def of(target: Contract, value: str) -> "DataSubject":
        """The subject of a dataset; raises NoSubjects where there are none, LakeError for no identifier."""
        if not target.encrypted:
            raise NoSubjects(f"{target.name} has no encrypted column: its rows are of no subject")
        if not value.strip():
            raise LakeError("the subject is empty; say whose records are to be erased")
        columns = tuple(column.name for column in target.encrypted)
        return DataSubject(target.name, columns, unicodedata.normalize("NFC", value))

    def tokens(self, versions: tuple[KeyVersion, ...]) -> list[str]:
        """What the subject is called in rows, under each version of the key."""
        return sorted({token(key, self.dataset, name, self.value) for key in versions for name in self.columns})

    def owns(self, line: bytes) -> bool:
        """Whether a raw record is the subject's: by its column, and where that cannot be read, by being named in it."""
        try:
            record = json_lines.parsed(line)
        except json_lines.Broken:
            return self._is_named(line)
        names = [record.get(column) for column in self.columns]
        texts = [unicodedata.normalize("NFC", name) for name in names if isinstance(name, str)]
        return self.value in texts or (len(texts) < len(names) and self._is_named(line))

    def _is_named(self, line: bytes) -> bool:
        """As a word of its own: ``sensor-1`` is not named by ``sensor-12``."""
        text = _ESCAPED.sub(_character, line.decode("utf-8", "replace"))
        word = rf"(?<![\w-]){re.escape(self.value)}(?![\w-])"
        return re.search(word, unicodedata.normalize("NFC", text)) is not None


def _character(escape: Any) -> str:
    return chr(int(escape[1], 16))
