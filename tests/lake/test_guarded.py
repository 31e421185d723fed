"""An object that runs did not survive is read in a process of its own, and refused as a whole when that dies."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from lake.core.s3 import StoredObject, Suspect
from lake.records import arrow_lines, guarded, typed
from tests.lake.test_raw_records import COLUMNS, GOOD

pytestmark = pytest.mark.component
STORED = StoredObject("raw/x.json", "e", 1, datetime(2026, 11, 20, tzinfo=UTC))
SUSPECT = Suspect(**vars(STORED))
MEBIBYTE = 1024 * 1024


def read(stored: StoredObject, body: bytes) -> list[tuple[int, list[str]]]:
    """Line and reasons of each record, as a task reads them."""
    blocks: Iterator[arrow_lines.Parsed] = typed._blocks(stored, COLUMNS, lambda _stored: body)
    return [
        (line, list(block.reasons[place]) if block.reasons else [])
        for block in blocks
        for place, line in enumerate(block.lines)
    ]


def test_what_is_sound_survives_packed_or_not_and_so_does_what_the_reader_refuses() -> None:
    for body in (GOOD * 3, b"", b"no json\n" * 1000, b"\xff" * MEBIBYTE, b"7\n" * 100_000):
        assert guarded.is_survived(body, "raw/x.json", COLUMNS)


def test_what_needs_too_much_memory_or_time_does_not_survive() -> None:
    lines = b"7\n" * 1_900_000
    assert not guarded.is_survived(lines, "raw/x.json", COLUMNS, most_bytes=MEBIBYTE)
    assert not guarded.is_survived(lines, "raw/x.json", COLUMNS, most_seconds=1)


def test_the_largest_objects_that_are_allowed_survive() -> None:
    for body in (b"a" * (63 * MEBIBYTE), b"\n" * (63 * MEBIBYTE), (GOOD + b"\n") * 1_500_000):
        assert guarded.is_survived(body, "raw/x.json", COLUMNS)


def test_where_no_process_starts_nothing_is_known_against_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert guarded.is_survived(GOOD, "raw/x.json", COLUMNS)


def test_a_suspect_that_is_not_survived_is_one_record_and_any_other_object_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read(SUSPECT, GOOD) == [(1, [])]
    asked: list[str] = []

    def dies(_body: bytes, key: str, _columns: object) -> bool:
        asked.append(key)
        return False

    monkeypatch.setattr(guarded, "is_survived", dies)
    assert read(STORED, GOOD) == [(1, [])]
    assert asked == []
    assert read(SUSPECT, GOOD) == [(0, ["unfinished:object"])]
    assert asked == ["raw/x.json"]
