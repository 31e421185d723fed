"""Scenario 8, curated: numbers that are wrong, a run that should not have been, pseudonyms of two keys."""

# ruff: noqa: S608 - what stands in the statements are constants of drills, and what the lake has answered

import io
import json
import re
from datetime import timedelta
from typing import Any

from pyarrow import compute, parquet

from drills import faults
from drills.drill import Drill, require
from drills.lake import Lake
from drills.weather_iot import transform

Found = dict[str, str]
# Longer than the notice that a new key needs; then so long that readings with it are in raw.
NOTICE_MINUTES, WITH_NEW_KEY_SECONDS = 122, 8100
MARKED_DOWN = (
    "quality_score <> 'PASS' AND battery_level >= 50 "
    "AND temperature_c IS NOT NULL AND humidity_pct IS NOT NULL AND aqi IS NOT NULL"
)


def changed_by_hand(lake: Lake) -> dict[str, Any]:
    """Somebody converted the temperatures of a day in a notebook, twice, and lost a row."""
    sql = "SELECT date FROM curated_weather WHERE city = 'Paris' GROUP BY date HAVING count(*) = 24 ORDER BY 1 DESC"
    day = str(lake.query(sql)[0][0])
    before, key = _day(lake, day), f"curated/weather/date={day}/day.parquet"
    table = parquet.read_table(io.BytesIO(lake.read(key)), partitioning=None)
    at = table.schema.get_field_index("temperature_c")
    warmer = compute.add(table.column(at), 7.5)
    written = io.BytesIO()
    parquet.write_table(table.set_column(at, table.schema.field(at), warmer).slice(1), written)
    lake.client("s3").put_object(Bucket=lake.bucket, Key=key, Body=written.getvalue())
    return {
        "before": before,
        "variables": {"DATASET": "curated_weather", "FOLDER": "curated/weather", "FIRST": day, "LAST": day},
    }


def _day(lake: Lake, day: str) -> list[tuple[str | None, ...]]:
    """All that the rows of a day say."""
    return lake.query(f"SELECT * FROM curated_weather WHERE date = DATE '{day}' ORDER BY city, timestamp")


def looks_wrong(lake: Lake, found: Any) -> str:
    """What an analyst sees: other numbers than last week."""
    now = _day(lake, found["variables"]["FIRST"])
    differing = len(set(found["before"]) - set(now))
    require(differing == len(found["before"]), f"{differing} rows of {found['variables']['FIRST']} differ")
    return f"{differing} rows of {found['variables']['FIRST']} are not what they were"


def built_again(lake: Lake, found: Any) -> str:
    """The day says what it said, row for row, but for the run that wrote it."""
    day = found["variables"]["FIRST"]
    then, now = _without_run(found["before"]), _without_run(_day(lake, day))
    require(then == now, f"{len(set(then) ^ set(now))} rows of {day} still differ")
    return f"all {len(now)} rows of {day} say again what raw says"


def _without_run(rows: list[tuple[str | None, ...]]) -> list[tuple[str | None, ...]]:
    return [tuple(value for value in row if not re.fullmatch(r"\d{8}T\d{6}Z-\w{8}", value or "")) for row in rows]


def bad_run(lake: Lake) -> int:
    """A defect in a transformation was deployed, and has published: no battery is good enough for PASS."""
    transform.send(lake)
    before = transform.rows(lake)
    faults.edit_script(lake, 'F.col("battery_level") >= 50', 'F.col("battery_level") >= 500')
    run = lake.run_job()
    require(run["JobRunState"] == "SUCCEEDED", f"the run ended with {run['JobRunState']}")
    return before


def marked_down(lake: Lake, _found: Any) -> str:
    """Readings that are good and have another score than PASS."""
    number = _number(lake, f"SELECT count(*) FROM curated_sensor_readings WHERE {MARKED_DOWN}")
    require(number > 0, "every good reading has PASS")
    return f"{number} good readings do not have PASS"


def right_again(lake: Lake, before: Any) -> str:
    """Every good reading has PASS, and what the bad run had read is there."""
    number = _number(lake, f"SELECT count(*) FROM curated_sensor_readings WHERE {MARKED_DOWN}")
    require(number == 0, f"{number} good readings still do not have PASS")
    return f"every good reading has PASS; {transform.refreshed(lake, before)}"


def _number(lake: Lake, sql: str) -> int:
    return int(lake.query(sql)[0][0] or 0)


def key_seen(lake: Lake) -> Found:
    """Somebody may have seen the key."""
    transform.send(lake)
    begins = lake.now + timedelta(minutes=NOTICE_MINUTES)
    version = max(entry["version"] for entry in json.loads(lake.pseudonym_key())["versions"]) + 1
    return {
        "DATASET": "curated_sensor_readings", "FROM": f"{begins:%Y-%m-%dT%H:%M}", "FIRST": f"{lake.now:%Y-%m-%d}",
        "LAST": f"{begins:%Y-%m-%d}", "VERSION": str(version),
    }  # fmt: skip


def one_in_force(_lake: Lake, found: Any) -> str:
    """What somebody knows who has heard of it."""
    return f"the next version of the key will be {found['VERSION']}"


def joined(lake: Lake, found: Any) -> str:
    """Each sensor has one pseudonym, on both sides of the moment at which the key changed."""
    moment = found["FROM"].replace("T", " ")
    rows = lake.query(
        f"SELECT count(DISTINCT sensor_id_hash), count_if(timestamp < TIMESTAMP '{moment}:00'), "
        f"count_if(timestamp >= TIMESTAMP '{moment}:00'), min(split_part(sensor_id_hash, ':', 1)), "
        f"max(split_part(sensor_id_hash, ':', 1)) FROM curated_sensor_readings WHERE date >= DATE '{found['FIRST']}'"
    )
    sensors, old, new, *versions = rows[0]
    require(set(versions) == {f"v{found['VERSION']}"}, f"versions {versions} since {found['FIRST']}")
    require(int(old or 0) > 0 and int(new or 0) > 0, f"{old} readings before {moment} and {new} after it")
    return f"{old} readings of before and {new} of after have the {sensors} pseudonyms of version {found['VERSION']}"


def taken_back(lake: Lake, _found: Any) -> None:
    """Undo the rekeying: a day that has been given a version would not follow the next rotation."""
    sql = (
        "SELECT kind, run_id FROM pipeline_runs WHERE dataset = 'curated_sensor_readings' ORDER BY run_id DESC LIMIT 1"
    )
    kind, run_id = lake.query(sql)[0]
    if kind == "rekey":
        done = lake.command(".venv/bin/lake", "backfill", "undo", "curated_sensor_readings", str(run_id), "--yes")
        require(done.returncode == 0, f"the undo of {run_id} failed\n{done.stdout}{done.stderr}")


def _variables(_lake: Lake, found: Any) -> Found:
    return dict(found.get("variables", found))


DRILLS = (
    Drill(
        "8b", "numbers-are-wrong", "somebody changed curated by hand", changed_by_hand,
        ("confirm", "plan", "run", "verify"), built_again, noticed=looks_wrong, variables=_variables,
    ),
    Drill(
        "8c", "bad-run", "a run with a defect has published", bad_run,
        ("confirm", "reconciliation.apply", "undo", "numbers-are-wrong.run", "numbers-are-wrong.verify"), right_again,
        noticed=marked_down, variables=lambda _lake, _found: {"DATASET": "curated_sensor_readings"},
        reads={
            "RUN": r"(?m)^(\d{8}T\d{6}Z-\w{8})\t\d{4}-\d\d-\d\d\t",
            "FIRST": r"(?m)^\d{8}T\d{6}Z-\w{8}\t(\d{4}-\d\d-\d\d)\t",
            "LAST": r"(?m)^\d{8}T\d{6}Z-\w{8}\t\d{4}-\d\d-\d\d\t(\d{4}-\d\d-\d\d)\t",
        },
    ),
    Drill(
        "8d", "pseudonym-key", "the key is to be replaced", key_seen,
        ("confirm", "rotate", "withdraw", "rotate", "run", "apart", "rekey", "verify"), joined,
        noticed=one_in_force, variables=_variables, waits={"run": WITH_NEW_KEY_SECONDS}, cleanup=taken_back,
    ),
)  # fmt: skip
