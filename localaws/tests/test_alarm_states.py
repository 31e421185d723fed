"""The state of an alarm from its points: what AWS publishes, and what time that nobody asked for changes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from localaws.services.cloudwatch.alarm_states import Point, next_state

TABLES = yaml.safe_load(Path(__file__).with_name("missing_data_tables.yaml").read_text(encoding="utf-8"))
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def points(text: str) -> list[Point]:
    return [Point(letter) for letter in text]


@pytest.mark.parametrize(("table", "row"), [(table, row) for table in TABLES for row in table["rows"]])
def test_the_evaluator_agrees_with_the_published_tables(table: dict[str, Any], row: list[str]) -> None:
    numbers = (table["evaluation_periods"], table["datapoints_to_alarm"])
    assert [next_state(points(row[0]), *numbers, treatment, "keep") for treatment in TREATMENTS] == row[1:]


def test_the_published_tables_are_whole() -> None:
    cells = [4 * len(table["rows"]) for table in TABLES]
    assert (sum(cells[:2]), sum(cells[2:])) == (40, 44)


@pytest.mark.parametrize(
    ("text", "treatment", "state"),
    [
        ("???", "breaching", "keep"),  # a long idle machine, or a new alarm
        ("???", "missing", "keep"),
        ("???", "notBreaching", "OK"),
        ("?--", "breaching", "keep"),  # a good beat may have come in the unknown period
        ("---", "breaching", "ALARM"),
        ("??0", "breaching", "OK"),
        ("??X", "breaching", "ALARM"),
        ("0??", "breaching", "OK"),
        ("X??", "notBreaching", "ALARM"),
    ],
)
def test_what_is_unknown_changes_nothing(text: str, treatment: str, state: str) -> None:
    assert next_state(points(text), 1, 1, treatment, "keep") == state
