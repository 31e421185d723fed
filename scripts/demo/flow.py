"""The demo's data path: the steps of a pipeline, and what is measured when they are over."""

import hashlib
import json
from pathlib import Path
from typing import Any

from lake.contract import model
from lake.contract.model import Contract
from lake.environment import athena, inventory
from lake.environment.deployment import Platform
from lake.report import page
from scripts.demo.pipeline import DemoFailed


def draw(platform: Platform, output: Path) -> None:
    """The page of lake report; raises DemoFailed with the parts that it could not show."""
    failures = page.write(platform, output)
    if failures:
        raise DemoFailed("the page could not show " + ", ".join(f"{part} ({why})" for part, why in failures.items()))


def datasets(pipelines: list[str]) -> list[Contract]:
    """Return the datasets of these pipelines: those from outside, those made from them, then the quarantines."""
    loaded = [dataset for dataset in map(model.read, model.files()) if dataset.domain in pipelines]
    made = [model.load(name) for name in _made(pipelines)]
    outside = [dataset for dataset in loaded if not dataset.made_from]
    return [*outside, *made, *(dataset.quarantine() for dataset in made if dataset.has_quarantine)]


def sizes(platform: Platform, pipelines: list[str]) -> list[dict[str, Any]]:
    """Objects, bytes and records of each dataset; the records are counted by Athena."""
    return [_size(platform, dataset) for dataset in datasets(pipelines)]


def counts(platform: Platform, pipelines: list[str]) -> list[dict[str, Any]]:
    """received = new + replaced + duplicate + quarantined, over all runs of a dataset; raises DemoFailed otherwise."""
    rows = []
    for name in _made(pipelines):
        runs = [run for run in inventory.runs(platform, [name]) if run.status == "COMMITTED"]
        row: dict[str, Any] = {"dataset": name, "runs": len(runs)}
        for column in ("received", "new", "replaced", "duplicate", "quarantined"):
            row[column] = sum(getattr(run, column) for run in runs)
        if row["received"] != row["new"] + row["replaced"] + row["duplicate"] + row["quarantined"]:
            raise DemoFailed(f"the counts do not add up: {row}")
        rows.append(row)
    return rows


def answers(platform: Platform, questions: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Question to columns, rows and bytes scanned; raises DemoFailed for one that has no rows."""
    found = {question: _ask(platform, sql) for question, sql in questions.items()}
    empty = [question for question, answer in found.items() if not answer.rows]
    if empty:
        raise DemoFailed(f"no rows for: {', '.join(empty)}")
    return {
        question: {"columns": answer.columns, "rows": answer.rows, "bytes_scanned": answer.bytes_scanned}
        for question, answer in found.items()
    }


def content(platform: Platform, pipelines: list[str]) -> dict[str, dict[str, Any]]:
    """Rows of each curated table and a digest of what they say, without which run wrote them."""
    return {name: _content(platform, name) for name in _made(pipelines)}


def _made(pipelines: list[str]) -> list[str]:
    return [name for name in inventory.curated() if model.load(name).domain in pipelines]


def _content(platform: Platform, name: str) -> dict[str, Any]:
    dataset = model.load(name)
    said = [f'"{column.stored_name}"' for column in dataset.stored if "lineage" not in column.tags]
    key = ", ".join(f'"{column.stored_name}"' for column in dataset.key)
    rows = _ask(platform, f"SELECT {', '.join(said)} FROM {name} ORDER BY {key}").rows  # noqa: S608 - from the contract
    return {"rows": len(rows), "sha256": hashlib.sha256(json.dumps(rows).encode()).hexdigest()}


def _size(platform: Platform, dataset: Contract) -> dict[str, Any]:
    name, objects = dataset.name, inventory.stored(platform, dataset)
    records = int(_ask(platform, f"SELECT count(*) FROM {name}").rows[0][0] or 0)  # noqa: S608 - from the contract
    return {"dataset": name, "objects": len(objects), "bytes": sum(entry.size for entry in objects), "records": records}


def _ask(platform: Platform, sql: str) -> athena.Answer:
    return athena.query(platform.client("athena"), platform.names["workgroup"], platform.names["database"], sql)
