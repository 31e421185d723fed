"""The lake against plain Spark with few records: ratios and counters of one run, no seconds."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.bench import page, records
from tests.bench.page import BASE, LAKE

ROOT = Path(__file__).parents[2]
# So few records that much of it is the start of Python and the JVM. 1.6 on a quiet machine, 2.5 beside other tests; it
# was above 5 before tasks owned their files.
MOST = 3.5


@pytest.fixture(scope="module")
def measured() -> Any:
    """What ``make bench-quick`` prints; the lake and its peer have found what is true, or it fails."""
    done = subprocess.run(["make", "-s", "bench-quick"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.long
def test_a_load_costs_no_multiple_of_a_plain_one(measured: Any) -> None:
    assert measured[BASE]["ratio"] == 1.0
    assert measured[LAKE]["ratio"] <= MOST


@pytest.mark.long
def test_it_calls_as_often_as_it_has_files(measured: Any) -> None:
    lake = measured[LAKE]
    assert (lake["received"], lake["files"]) == (100_000, 48)
    assert lake["calls"]["dynamodb"] <= 20 + lake["files"]
    assert lake["calls"]["glue"] <= 12
    assert lake["calls"]["s3"] <= 60 + 14 * lake["files"]


def test_the_page_is_that_of_its_figures() -> None:
    figures = json.loads(page.FIGURES.read_text(encoding="utf-8"))
    assert page.PAGE.read_text(encoding="utf-8") == page.text(figures)


def test_the_same_seed_gives_the_same_records(tmp_path: Path) -> None:
    first, second = (records.write(tmp_path / name, 3000, 3) for name in "ab")
    assert first == second
    assert first.records > first.valid > first.distinct > 2900
    assert [path.name for path in sorted((tmp_path / "a").iterdir())] == [f"part-0000{n}.gz" for n in range(3)]
