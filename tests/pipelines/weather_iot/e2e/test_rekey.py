"""Pseudonyms of some days changed and put back by the real job under its own role, as an operator has it done."""

import json
from typing import Any

import pytest

from tests.pipelines.deployment import Deployed

pytestmark = pytest.mark.after_first_day
DATASET = "curated_sensor_readings"
DAYS = ("--from", "2025-06-01", "--to", "2025-06-01")


def lake(deployed: Deployed, *words: str) -> list[dict[str, Any]]:
    done = deployed.command(".venv/bin/lake", *words, "--json")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def tokens(deployed: Deployed) -> dict[str, str]:
    """Key version of the tokens of that day to number of rows."""
    sql = f"SELECT substr(sensor_id_hash, 1, 3), count(*) FROM {DATASET} WHERE date = DATE '{DAYS[1]}' GROUP BY 1"  # noqa: S608 - ours
    rows = deployed.query(sql)
    return {str(version): str(number) for version, number in rows}


def test_days_are_rekeyed_and_put_back_as_runs_of_their_own(
    deployed: Deployed, canary: str, transformed: dict[str, Any]
) -> None:
    before = tokens(deployed)
    assert set(before) == {"v1:"}
    (planned,) = lake(deployed, "backfill", "plan", DATASET, *DAYS)
    assert (str(planned["rows now"]), planned["runs"]) == (before["v1:"], 1)
    (run,) = lake(deployed, "keys", "rekey", DATASET, *DAYS, "--version", "2", "--yes")
    assert (str(run["changed"]), run["missing"]) == (before["v1:"], 0)
    assert tokens(deployed) == {"v2:": before["v1:"]}
    (undo,) = lake(deployed, "backfill", "undo", DATASET, run["run"], "--yes")
    assert (undo["kind"], undo["partition files"], tokens(deployed)) == ("undo", run["partition files"], before)
