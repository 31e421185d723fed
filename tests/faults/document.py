"""The generated parts of docs/correctness.md: ``python -m tests.faults.document`` writes them, ``--check`` compares."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import yaml

from tests.faults.fault import KINDS, REPOSITORY, Fault, everything, load

PAGE = REPOSITORY / "docs/correctness.md"
FIGURES = REPOSITORY / "docs/correctness_figures.yaml"
_TITLES = {"input": "What arrives", "upstream": "The weather API", "aws": "AWS", "process": "Process and host"}


def faults() -> Iterator[str]:
    """The sum, then a table for each kind."""
    every = everything()
    missing = [fault for fault in every if fault.missing]
    without = [fault for fault in every if fault.not_applicable]
    covered = len(every) - len(missing) - len(without)
    yield f"**{covered} of {len(every)} are made and pass; {len(without)} do not apply; {len(missing)} are missing.**"
    for kind in KINDS:
        yield from (
            "",
            f"### {_TITLES[kind]}",
            "",
            "| id | fault | made by | what must come of it | proof |",
            "|---|---|---|---|---|",
        )
        yield from (_row(fault) for fault in load(kind))


def _row(fault: Fault) -> str:
    cells = (fault.id, fault.fault, fault.how, fault.outcome, _proof(fault))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _proof(fault: Fault) -> str:
    if fault.not_applicable:
        return f"does not apply: {fault.not_applicable}"
    if fault.missing:
        return f"**missing**: {fault.missing}"
    files = sorted({test.partition("::")[0].rpartition("/")[2].removesuffix(".py") for test in fault.tests})
    return ", ".join([*(["case"] if fault.script else []), *(f"`{file}`" for file in files), *fault.drills])


def figures() -> Iterator[str]:
    """One table of what was counted, each group with its command and day."""
    read: dict[str, Any] = yaml.safe_load(FIGURES.read_text(encoding="utf-8"))
    yield from (
        f"Counted on a machine with {read['machine']}.",
        "",
        "| what | how many | command | day |",
        "|---|---|---|---|",
    )
    for group in read["groups"]:
        for what, number in group["figures"].items():
            yield f"| {group['name']}: {what} | {number} | `{group['command']}` | {group['date']} |"


def page(written: str) -> str:
    """The page with its generated parts as they have to be."""
    for name, lines in (("figures", figures()), ("faults", faults())):
        before, _, rest = written.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- end of {name} -->\n")
        written = "\n".join([f"{before}<!-- {name} -->", "", *lines, "", f"<!-- end of {name} -->", after])
    return written


def main() -> int:
    """Write the page, or with --check say whether it is current; 1 when it is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; end with 1 when the page is not current")
    check = parser.parse_args().check
    written = PAGE.read_text(encoding="utf-8")
    wanted = page(written)
    if check and written != wanted:
        print("not current: docs/correctness.md\nrun: make docs")
        return 1
    if written != wanted:
        PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
