"""RUNBOOK.md as data: its sections, the commands in them, what they print, and the causes that they mend.

A command block is a fence ```` ```bash id=<section>.<step> ````; a fence ```` ```text of=<id> ```` right after it shows
what it prints, where `…` stands for anything. A row of a table of causes begins with the id of its drill.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

FILE = Path(__file__).parents[1] / "RUNBOOK.md"
START = "start"
_FENCE = re.compile(r"^```(\w+)(?: (id|of)=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CAUSE = re.compile(r"^\| (\w+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Cause:
    """One row of a table of causes: its drill's ``id``, the ``sign`` that *confirm* prints, ``cause`` and ``fix``."""

    id: str
    section: str
    sign: str
    cause: str
    fix: str

    @property
    def quoted(self) -> list[str]:
        """The words of the sign that stand in code quotes: each of them is printed when this is the cause."""
        return re.findall(r"`([^`]+)`", self.sign)


@dataclass(frozen=True)
class Section:
    """One heading of the third level; named like an alarm, or like a symptom that has no alarm."""

    name: str
    text: str


@dataclass(frozen=True)
class Runbook:
    """The whole file."""

    text: str
    blocks: Mapping[str, str] = field(init=False)
    outputs: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        fences = _FENCE.findall(self.text)
        object.__setattr__(self, "blocks", {name: body for _, kind, name, body in fences if kind == "id"})
        object.__setattr__(self, "outputs", {name: body for _, kind, name, body in fences if kind == "of"})

    @cached_property
    def sections(self) -> dict[str, Section]:
        """Name => section, in order."""
        parts = re.split(r"^### ", self.text, flags=re.MULTILINE)[1:]
        found = [Section(part.partition("\n")[0].strip(), part.partition("\n")[2]) for part in parts]
        return {section.name: section for section in found}

    @cached_property
    def causes(self) -> dict[str, Cause]:
        """Id => cause."""
        rows = [
            Cause(id=row[0], section=section.name, sign=row[1], cause=row[2], fix=row[3])
            for section in self.sections.values()
            for row in _CAUSE.findall(section.text)
            if row[0] != "Drill"
        ]
        return {row.id: row for row in rows}

    def script(self, block: str) -> str:
        """Return the commands up to a block: the first block of the runbook, then this one."""
        return self.blocks[START] + self.blocks[block]

    def missing_from(self, block: str, printed: str) -> list[str]:
        """The lines that the runbook shows below a block and that are not in what it printed, in that order."""
        shown = [line for line in self.outputs.get(block, "").splitlines() if line.strip() not in ("", "…")]
        waiting = printed.splitlines()
        missing = []
        for line in shown:
            pattern = ".*".join(re.escape(part.strip()) for part in line.split("…"))
            found = next((number for number, said in enumerate(waiting) if re.search(pattern, said)), None)
            if found is None:
                missing.append(line)
            else:
                waiting = waiting[found + 1 :]
        return missing


def load() -> Runbook:
    """The runbook of this repository."""
    return Runbook(FILE.read_text(encoding="utf-8"))
