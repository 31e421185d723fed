"""The page about correctness follows from the catalogue of faults, and what it points at is there."""

import re

from tests.faults import document
from tests.faults.fault import REPOSITORY, everything


def test_the_generated_parts_are_current() -> None:
    written = document.PAGE.read_text(encoding="utf-8")
    assert document.page(written) == written, "run: make docs"


def test_every_fault_has_a_row() -> None:
    rows = re.findall(r"^\| ([IAWP]\d\d) \|", document.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [fault.id for fault in everything()]


def test_a_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", document.PAGE.read_text(encoding="utf-8")))
    assert len(named) > 10
    assert {file for file in named if not (REPOSITORY / file).is_file()} == set()


def test_a_figure_has_its_command_and_day() -> None:
    lines = list(document.figures())
    assert len(lines) > 10
    assert all(
        re.search(r"\| \d+ \| `(pytest tests/[\w/]+\.py|make [\w-]+)` \| \d{4}-\d\d-\d\d \|$", line)
        for line in lines[4:]
    )
