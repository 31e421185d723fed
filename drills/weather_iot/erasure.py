"""Scenario 8, erasure: a subject asks that nothing is kept of it."""

import gzip
from typing import Any

from drills import faults
from drills.drill import Drill, require
from drills.lake import Lake

SUBJECT = "sensor-of-one-who-left"
FOLDER = "raw/iot-sensors/year=2024/month=05/day=01/"
NEIGHBOUR = "sensor-of-one-who-left-not"


def asked(lake: Lake) -> dict[str, str]:
    """Readings of the subject and of a neighbour, in one raw object, read by a run; then a day that changed twice."""
    lake.put(f"{FOLDER}drill-erase-1.json", _message(SUBJECT, 1), _message(NEIGHBOUR, 1), _message(SUBJECT, 2, 999.0))
    lake.run_job()
    lake.put(f"{FOLDER}drill-erase-2.json", _message(SUBJECT, 1, 6.0), _message(NEIGHBOUR, 2))
    lake.run_job()
    return {"DATASET": "curated_sensor_readings", "SUBJECT": SUBJECT}


def _message(sensor: str, hour: int, temperature: float = 5.0) -> dict[str, Any]:
    return {
        "sensor_id": sensor, "city": "Nuuk", "timestamp": f"2024-05-01T{hour:02d}:00:00Z", "battery_level": 80.0,
        "temperature_c": temperature, "humidity_pct": 40.0, "aqi": 12,
    }  # fmt: skip


def stored(lake: Lake, _found: Any) -> str:
    """What whoever looks for the subject finds."""
    found = _holding(lake)
    require(bool(found), "the subject is in no raw object")
    return f"{len(found)} versions of raw objects say {SUBJECT}"


def erased(lake: Lake, _found: Any) -> str:
    """No version of any object says the subject, the neighbour's readings are there, and no log names the subject."""
    found = _holding(lake)
    require(not found, f"the subject is still in {found}")
    rows = lake.query("SELECT count(*) FROM curated_sensor_readings WHERE date = DATE '2024-05-01'")[0][0]
    require(rows == "2", f"{rows} readings of the day instead of the two of the neighbour")
    jobs = (lake.part("jobs"), lake.part("operations", "erase"))
    groups = [group for job in jobs for group in lake.job_log_groups(job)]
    named = [event for group in groups for event in _logged(lake, group)]
    require(not named, f"logs name the subject: {named[:1]}")
    return "nothing of the subject in any version of any object or in logs; both readings of the neighbour are there"


def erase_fails(lake: Lake) -> dict[str, str]:
    """The job's role lost the right to delete versions, and somebody ordered an erasure."""
    found = asked(lake)
    faults.forbid_action(lake, lake.part("operations", "erase"), "s3:DeleteObjectVersion")
    ordered = lake.command(".venv/bin/lake", "erase", found["DATASET"], "--subject", SUBJECT, "--yes")
    require(ordered.returncode != 0, f"the erasure did not fail\n{ordered.stdout}{ordered.stderr}")
    require(bool(_holding(lake)), "nothing of the subject is left, although the job failed")
    return found


def _holding(lake: Lake) -> list[str]:
    client = lake.client("s3")
    pages = client.get_paginator("list_object_versions").paginate(Bucket=lake.bucket)
    versions = [(entry["Key"], entry["VersionId"]) for page in pages for entry in page.get("Versions", [])]
    return sorted(
        key
        for key, version in versions
        if f'"{SUBJECT}"'.encode() in _text(client.get_object(Bucket=lake.bucket, Key=key, VersionId=version))
    )


def _text(answer: dict[str, Any]) -> bytes:
    body: bytes = answer["Body"].read()
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _logged(lake: Lake, group: str) -> list[str]:
    pages = lake.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"] if SUBJECT in event["message"]]


DRILLS = (
    Drill(
        "8e", "erase-a-subject", "somebody asks to be erased", asked, ("confirm", "erase", "verify"), erased,
        noticed=stored, variables=lambda _lake, found: dict(found),
    ),
    Drill(
        "8f", "glue-erase-failures", "the role of the erase job may not delete versions", erase_fails,
        ("confirm", "apply", "erase-a-subject.erase", "erase-a-subject.verify"), erased,
        alarms=("glue-erase-failures",), variables=lambda _lake, found: dict(found),
    ),
)  # fmt: skip
