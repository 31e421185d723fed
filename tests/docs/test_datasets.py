"""The pages of the datasets follow from the contracts."""

import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from lake.contract import model, pages, times


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


def test_the_page_of_a_raw_dataset_tells_senders_which_forms_of_time_and_text_count() -> None:
    for name in ("raw_iot_sensors", "raw_weather"):
        page = pages.page(model.load(name))
        assert times.SAID in page
        assert "Unicode NFC" in page
    assert "How records are read" not in pages.page(model.load("curated_weather"))
    for example in times.EXAMPLES:
        assert re.fullmatch(times.FORM, example.text)
        written = datetime.fromisoformat(example.text)
        moment = written if written.tzinfo else written.replace(tzinfo=UTC)
        assert moment.astimezone(UTC).replace(tzinfo=None).isoformat() == example.moment


@pytest.mark.parametrize(("name", "age"), [("raw_iot_sensors", "15 minutes"), ("curated_weather", "2 hours")])
def test_a_page_says_how_old_the_data_may_get(name: str, age: str) -> None:
    assert f"| An alarm when older than | {age} |" in pages.page(model.load(name))
