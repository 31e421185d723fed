"""The runbook as data: its sections, the commands in them, what they print, and the causes that they mend.

RUNBOOK.md is the platform's page, ``docs/runbooks/<pipeline>.md`` that of a pipeline. A command block is a fence
```` ```bash id=<section>.<step> ````; a fence ```` ```text of=<id> ```` right after it shows what it prints, where `…`
stands for anything. A row of a table of causes begins with the id of its drill.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from lake.environment.alarms import page

REPOSITORY = Path(__file__).parents[1]
PLATFORM, PIPELINES = page(None), page("*")
START = "start"
_Named = TypeVar("_Named")
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
    """One heading of the third level of a ``page``; named like an alarm, or like a symptom that has no alarm."""

    page: str
    name: str
    text: str

    @property
    def link(self) -> str:
        """The section's place, from the top of the repository."""
        return f"{self.page}#{self.name}"


@dataclass(frozen=True)
class Runbook:
    """All ``pages``: path from the top of the repository => text.

    Raises ValueError when two blocks, two outputs or two sections have the same name.
    """

    pages: Mapping[str, str]
    blocks: Mapping[str, str] = field(init=False)
    outputs: Mapping[str, str] = field(init=False)
    sections: Mapping[str, Section] = field(init=False)

    def __post_init__(self) -> None:
        fences = [fence for text in self.pages.values() for fence in _FENCE.findall(text)]
        sections = [section for path, text in self.pages.items() for section in _sections(path, text)]
        blocks = [(name, body) for _, kind, name, body in fences if kind == "id"]
        outputs = [(name, body) for _, kind, name, body in fences if kind == "of"]
        object.__setattr__(self, "blocks", _once("blocks", blocks))
        object.__setattr__(self, "outputs", _once("outputs", outputs))
        object.__setattr__(self, "sections", _once("sections", [(section.name, section) for section in sections]))

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
    """The runbook of this repository: the platform's page, then those of the pipelines by name."""
    files = [REPOSITORY / PLATFORM, *sorted(REPOSITORY.glob(PIPELINES))]
    return Runbook({str(file.relative_to(REPOSITORY)): file.read_text(encoding="utf-8") for file in files})


def _sections(path: str, text: str) -> Iterator[Section]:
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        heading, _, rest = part.partition("\n")
        yield Section(path, heading.strip(), re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0])


def _once(kind: str, named: Sequence[tuple[str, _Named]]) -> dict[str, _Named]:
    """The named things by their names; raises ValueError when a name is given twice."""
    if twice := sorted(name for name, number in Counter(name for name, _ in named).items() if number > 1):
        raise ValueError(f"more than one of the {kind} of the runbook is called {', '.join(twice)}")
    return dict(named)
