"""A record belongs to the subject in its column; one that cannot be read belongs to whom it names."""

import pytest

from lake.contract import model
from lake.core.errors import LakeError
from lake.operations.erasure.data_subject import DataSubject

READINGS = model.load("curated_sensor_readings")


@pytest.mark.parametrize(
    ("line", "owned"),
    [
        ('{"sensor_id": "s-1"}', True),
        ('{"sensor_id": "s-12"}', False),
        ('{"sensor_id": "s-2", "note": "s-1"}', False),
        ('{"sensor_id": 7, "note": "instead of s-1"}', True),
        ('{"note": "s-1"}', True),
        ('{"note": "s-12, xs-1, s-1-b"}', False),
        ('{"sensor_id": "s-1", "temp', True),
        ('{"sensor_id": "s-12", "temp', False),
        ('{"sensor_id": "s-2", "sensor_id": "s-1"}', True),
        ('{"sensor_id": "s\\u002d1", "temp', True),
        ('["s-1"]', True),
        ('{"city": "Paris"}', False),
    ],
)
def test_a_line_is_the_subjects(line: str, owned: bool) -> None:
    assert DataSubject.of(READINGS, "s-1").owns(line.encode()) is owned


@pytest.mark.parametrize(
    "line", ['{"sensor_id": "caf\\u00e9"}', '{"sensor_id": "cafe\u0301"}', '{"sensor_id": "caf\\u00e9", ']
)
def test_a_name_is_the_same_however_it_is_composed(line: str) -> None:
    assert DataSubject.of(READINGS, "cafe\u0301").owns(line.encode())


def test_a_line_of_any_bytes_is_searched() -> None:
    assert DataSubject.of(READINGS, "s-1").owns(b"\xff\xfe s-1 \x00")


def test_an_empty_name_is_nobody() -> None:
    with pytest.raises(LakeError, match="the subject is empty"):
        DataSubject.of(READINGS, " ")
