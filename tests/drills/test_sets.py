"""The order of drills, and what a report says of them."""

import json
from pathlib import Path

from drills import report
from drills.drill import Drill
from drills.run import Result
from drills.sets import round_robin


def drill(number: str, section: str) -> Drill:
    return Drill(number, section, "", lambda _lake: None, (), lambda _lake, _found: "")


def test_sections_take_turns_and_no_drill_is_lost() -> None:
    given = [drill("1a", "one"), drill("1b", "one"), drill("1c", "one"), drill("2a", "two"), drill("3a", "three")]
    assert [entry.id for entry in round_robin(given)] == ["1a", "2a", "3a", "1b", "1c"]


def test_a_report_says_what_failed_and_keeps_its_table_whole(tmp_path: Path) -> None:
    good = Result("1a", "one", "a | b", True, alarms=("x",), noticed="mail: x", detected_seconds=61, proof="1 row")
    bad = Result("2a", "two", "c", problem="DrillFailed: nothing\ncame")
    page = report.write([good, bad], tmp_path).read_text(encoding="utf-8")
    assert page.startswith("# Drills: 1 of 2 passed")
    assert "| 1a `one` | a / b | mail: x | 1 min 1 s | 0 s | 0 | 1 row |" in page
    assert "**failed**: DrillFailed: nothing |" in page
    assert [row["passed"] for row in json.loads((tmp_path / "report.json").read_text())] == [True, False]
