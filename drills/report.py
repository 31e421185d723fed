"""The results of a set of drills, as a page and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from drills.run import Result

FOLDER = Path("build/drills")


def write(results: Sequence[Result], folder: Path = FOLDER) -> Path:
    """Write report.json and report.md; returns the page for people."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    page = folder / "report.md"
    page.write_text(as_page(results), encoding="utf-8")
    return page


def as_page(results: Sequence[Result]) -> str:
    """A Markdown page: one row a drill."""
    passed = sum(result.passed for result in results)
    head = (
        f"# Drills: {passed} of {len(results)} passed\n\n"
        "Times to detect and to restore are on the simulated clock, from the fault; seconds are real ones.\n\n"
        "| Drill | Cause | Noticed by | Detected after | Restored after | Seconds | Proof |\n"
        "|---|---|---|---:|---:|---:|---|\n"
    )
    return head + "".join(map(_row, results))


def _row(result: Result) -> str:
    cells = (
        f"{result.id} `{result.section}`",
        result.title,
        result.noticed,
        _minutes(result.detected_seconds),
        _minutes(result.restored_seconds),
        f"{result.wall_seconds:.0f}",
        result.proof if result.passed else f"**failed**: {result.problem.splitlines()[0]}",
    )
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |\n"


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
