"""Write a page for each dataset from its contract.

``python -m lake.contract.pages`` writes docs/datasets, ``--check`` compares.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from lake.contract import model, times
from lake.contract.model import Column, Contract

PAGES = Path(__file__).parents[2] / "docs" / "datasets"
_COMPARISONS = {
    "minimum": "≥ {}", "maximum": "≤ {}", "exclusiveMinimum": "> {}", "exclusiveMaximum": "< {}",
    "minLength": "length ≥ {}", "maxLength": "length ≤ {}", "pattern": "matches `{}`",
}  # fmt: skip


def pages() -> dict[str, str]:
    """Return the pages of all datasets, by file name."""
    loaded = [model.read(path) for path in model.files()]
    for dataset in loaded:
        model.check_inputs(dataset)
    return {f"{dataset.name}.md": page(dataset) for dataset in loaded}


def page(dataset: Contract) -> str:
    """Return the page of one dataset in Markdown."""
    return "\n".join(
        [
            *_introduction(dataset),
            *_facts(dataset),
            *_columns(dataset),
            *_reading(dataset),
            *_rules(dataset),
            *_suspicions(dataset),
            *_example(dataset),
        ]
    )


def _introduction(dataset: Contract) -> Iterator[str]:
    yield from (f"# {dataset.name}", "", dataset.purpose, "", dataset.usage, "", dataset.limitations, "")


def _facts(dataset: Contract) -> Iterator[str]:
    facts = {
        "Owner": dataset.owner,
        "Contract": f"`contracts/{dataset.domain}/{dataset.name}.yaml`, version {dataset.version}",
        "Place": f"`{dataset.path}/`, {dataset.format}",
        "Made from": _made_from(dataset) if dataset.made_from else "",
        "Key": ", ".join(f"`{column.stored_name}`" for column in dataset.key),
        "Partitions": ", ".join(f"`{column.name}`" for column in dataset.partitions),
        "Publish granularity": " and ".join(dataset.publish_granularity),
        "Kept for": f"{dataset.retention_days} days",
        "An alarm when older than": _age(dataset.freshness_seconds) if dataset.freshness_seconds else "",
        "Rejected records": _quarantine(dataset) if dataset.has_quarantine else "",
        "A run may reject": _tolerance(dataset) if dataset.has_quarantine else "",
    }
    yield from ("| | |", "|---|---|")
    yield from (f"| {name} | {value} |" for name, value in facts.items() if value)
    yield ""


def _made_from(dataset: Contract) -> str:
    """The datasets, and how: each record by itself, or all rows of a day."""
    names = ", ".join(f"[{name}]({name}.md)" for name in dataset.made_from)
    around = f" and of {dataset.neighbouring_days} days around it" if dataset.neighbouring_days else ""
    return f"{names}, row by row" if dataset.source else f"{names}, from all rows of a day{around}"


def _quarantine(dataset: Contract) -> str:
    return f"`{dataset.quarantine().name}`, see [quarantine](quarantine.md)"


def _tolerance(dataset: Contract) -> str:
    return f"{dataset.tolerance:.0%} or {dataset.tolerated_records} records"


def _age(seconds: int) -> str:
    return f"{seconds // 3600} hours" if seconds % 3600 == 0 else f"{seconds // 60} minutes"


def _columns(dataset: Contract) -> Iterator[str]:
    yield from ("## Columns", "", "| column | type | null | rules | what it is |", "|---|---|---|---|---|")
    for column in dataset.columns:
        null = "no" if column.required else "yes"
        rules = ", ".join(_rules_of(column)).replace("|", "\\|")
        yield f"| `{column.stored_name}` | {column.stored_type} | {null} | {rules} | {column.description} |"
    yield ""


def _reading(dataset: Contract) -> Iterator[str]:
    """Tell senders how the records of a raw dataset that others are made from are read."""
    made = [other for other in map(model.read, model.files()) if other.source == dataset.name]
    if not made:
        return
    yield from ("## How records are read", "")
    yield "- A record is one JSON object on one line, in UTF-8. A file that is no text is one rejected record."
    yield "- Text is kept in composed letters (Unicode NFC): `é` is the same word, and token, as one letter and as two."
    texts = [column.name for column in dataset.stored if column.physical_type == "string"]
    instants = {column.name for other in made for column in other.columns if column.physical_type == "timestamp"}
    for name in (name for name in texts if name in instants):
        shown = ", ".join(f"`{example.text}`" for example in times.EXAMPLES)
        yield f"- `{name}` is a time, such as {shown}: {times.SAID}."
    yield ""


def _rules_of(column: Column) -> Iterator[str]:
    for word, setting in (column.options or {}).items():
        yield _COMPARISONS[word].format(setting)
    if column.valid_values:
        yield " or ".join(column.valid_values)
    if column.encrypted_name:
        yield f"token of `{column.name}`, whose rules these are"


def _rules(dataset: Contract) -> Iterator[str]:
    if dataset.rules:
        yield from ("## Rules over a row", "")
        yield from (f"- `{rule.id}`: {rule.description} `{rule.condition}`" for rule in dataset.rules)
        yield ""


def _suspicions(dataset: Contract) -> Iterator[str]:
    if dataset.suspicions:
        yield from ("## What a run reports", "")
        yield from (f"- `{rule.id}`: {rule.description} `{rule.condition}`" for rule in dataset.suspicions)
        yield ""


def _example(dataset: Contract) -> Iterator[str]:
    yield from ("## Example", "", "```sql", dataset.example, "```", "")


def main() -> int:
    """Write the pages; with --check only list those that are not current, and return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; end with 1 when a page is not current")
    check = parser.parse_args().check
    written = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    wanted = pages()
    stale = sorted(name for name in {*written, *wanted} if written.get(name) != wanted.get(name))
    if check:
        print("\n".join([f"not current: docs/datasets/{name}" for name in stale] + ["run: make docs"] * bool(stale)))
        return 1 if stale else 0
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (PAGES / name).write_text(wanted[name], encoding="utf-8")
        else:
            (PAGES / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
