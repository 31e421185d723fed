"""Scenario 8, the quarantine: records that a rule rejects for no reason, and such as are wrong."""

# ruff: noqa: S608 - what stands in the statements are constants of drills

import io
import json
import zipfile
from typing import Any

from drills.drill import Drill, require
from drills.lake import Lake
from drills.weather_iot.open_meteo import weather_record

OBJECT, OBJECT_DAY = "raw/weather/date=2024-05-05/by_hand.json", "2024-05-05"
# So many that the broken ones are less than what raises an alarm.
TOWNS = ("Aasiaat", "Ilulissat", "Maniitsoq", "Nuuk", "Qaqortoq", "Sisimiut")
TOO_HOT, IMPOSSIBLE = 3, 2
STRICT = "jobs/weather_iot/transform/strict/"


def too_strict(lake: Lake) -> dict[str, str]:
    """Somebody deployed a contract that takes 35 degrees for impossible; a producer sends that, and 999 as well."""
    _switch_wheel(lake, _strict_wheel(lake))
    values = [35.0] * TOO_HOT + [999.0] * IMPOSSIBLE
    hours = [_hour(town, hour, -5) for town in TOWNS for hour in range(24)]
    hot = [_hour("Kangerlussuaq", hour, value) for hour, value in enumerate(values)]
    lake.put(OBJECT, *hours, *hot)
    run = lake.run_job()
    require(run["JobRunState"] == "SUCCEEDED", f"the run ended with {run['JobRunState']}")
    return {
        "DATASET": "curated_weather", "OBJECT": OBJECT, "REASON": "range:temperature_c",
        "RECORD": f"{OBJECT}:{len(hours) + TOO_HOT + 1}", "CHANGE": "temperature_c=9.9", "WHY": "sensor in the sun",
    }  # fmt: skip


def _hour(town: str, hour: int, temperature: float) -> dict[str, Any]:
    """A whole record: fields that none of a run's records has would be another alarm."""
    measured = {"windspeed_kmh": 10.0, "precipitation_mm": 0.0}
    return {**weather_record(town, f"{OBJECT_DAY}T{hour:02d}:00", temperature), **measured}


def _strict_wheel(lake: Lake) -> str:
    """A wheel of lake with a contract that was changed without much thought; its URI."""
    uri = _job(lake)["NonOverridableArguments"]["--additional-python-modules"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(lake.read(key, bucket))) as whole, zipfile.ZipFile(written, "w") as strict:
        for entry in whole.infolist():
            body = whole.read(entry)
            if entry.filename.endswith("/curated_weather.json"):
                contract = json.loads(body)
                (column,) = (of for of in contract["schema"][0]["properties"] if of["name"] == "temperature_c")
                column["logicalTypeOptions"]["maximum"] = 30
                body = json.dumps(contract).encode()
            strict.writestr(entry, body)
    name = f"{STRICT}{key.rpartition('/')[2]}"
    lake.client("s3").put_object(Bucket=bucket, Key=name, Body=written.getvalue())
    return f"s3://{bucket}/{name}"


def _switch_wheel(lake: Lake, uri: str) -> None:
    """Let the job take another wheel, as an apply of another commit does."""
    job = _job(lake)
    arguments = {**job["NonOverridableArguments"], "--additional-python-modules": uri}
    kept = ("Role", "Command", "ExecutionProperty", "MaxRetries", "Timeout", "WorkerType", "NumberOfWorkers")
    update = {**{name: job[name] for name in (*kept, "GlueVersion")}, "NonOverridableArguments": arguments}
    lake.client("glue").update_job(JobName=lake.job, JobUpdate=update)


def _job(lake: Lake) -> dict[str, Any]:
    return dict(lake.client("glue").get_job(JobName=lake.job)["Job"])


def quarantined(lake: Lake, _found: Any) -> str:
    """What somebody sees who misses the hot hours."""
    found = _rejected(lake)
    require(found == TOO_HOT + IMPOSSIBLE, f"{found} records of {OBJECT} are in quarantine")
    return f"{found} records of {OBJECT} are in quarantine"


def validated_again(lake: Lake, _found: Any) -> str:
    """What was right is in curated, once; what was wrong is corrected or gone; the quarantine holds none of it."""
    rows = lake.query(
        f"SELECT city, temperature_c, count(*) FROM curated_weather WHERE date = DATE '{OBJECT_DAY}' "
        "AND city = 'Kangerlussuaq' GROUP BY 1, 2 ORDER BY 2"
    )
    numbers = {str(row[1]): str(row[2]) for row in rows}
    require(numbers == {"9.9": "1", "35.0": str(TOO_HOT)}, f"curated holds {rows} of Kangerlussuaq")
    require(_rejected(lake) == 0, f"{_rejected(lake)} records of {OBJECT} are still in quarantine")
    return f"{TOO_HOT} records replayed, 1 corrected, {IMPOSSIBLE - 1} discarded; none is left in quarantine"


def _rejected(lake: Lake) -> int:
    sql = f"SELECT count(*) FROM quarantine_curated_weather WHERE source_object = '{OBJECT}'"
    return int(lake.query(sql)[0][0] or 0)


DRILLS = (
    Drill(
        "8a", "quarantined-records", "a rule is too strict, and some records are wrong", too_strict,
        ("confirm", "apply", "preview", "replay", "assume", "show", "fix", "discard", "run", "leave", "verify"),
        validated_again, noticed=quarantined, variables=lambda _lake, found: dict(found),
    ),
)  # fmt: skip
