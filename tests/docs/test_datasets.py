"""The pages of the datasets follow from the contracts."""

import subprocess
import sys

import pytest

from lake.contract import model, pages


def test_the_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lake.contract.pages", "--check"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_a_page_says_what_a_row_is_and_names_every_column_as_it_is_stored() -> None:
    readings = model.load("curated_sensor_readings")
    page = pages.page(readings)
    assert readings.purpose in page
    assert [column.stored_name for column in readings.columns if f"| `{column.stored_name}` |" not in page] == []
    assert "| `sensor_id` |" not in page
    assert "≥ -50, ≤ 60" in page


@pytest.mark.parametrize(("name", "age"), [("raw_iot_sensors", "15 minutes"), ("curated_weather", "2 hours")])
def test_a_page_says_how_old_the_data_may_get(name: str, age: str) -> None:
    assert f"| An alarm when older than | {age} |" in pages.page(model.load(name))
