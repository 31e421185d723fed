"""Scenario 4: the transform job fails."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from drills import faults
from drills.drill import Drill, require
from drills.lake import Lake
from drills.weather_iot.open_meteo import weather_record
from lake.environment import inventory, releases

SECTION, ALARM = "glue-transform-failures", "glue-transform-failures"
BROKEN = "raw/weather/date=2024-02-29/by_hand.json"
READINGS = "curated_sensor_readings"


def fail(lake: Lake) -> int:
    """What the schedule does; here the run fails. How many messages curated has until then."""
    before = rows(lake)
    run = lake.run_job()
    require(run["JobRunState"] == "FAILED", f"the run ended with {run['JobRunState']}")
    return before


def rows(lake: Lake) -> int:
    """Rows of curated_sensor_readings."""
    return int(lake.query("SELECT count(*) FROM curated_sensor_readings")[0][0] or 0)


def send(lake: Lake) -> None:
    """Let new messages arrive, so that a run has something to do."""
    lake.invoke("stream_generate", {"time": lake.now.isoformat()})
    lake.flush()


def no_raw_data(lake: Lake) -> int:
    """No weather has ever arrived."""
    send(lake)
    faults.hide(lake, "raw/weather/")
    return fail(lake)


def broken_records(lake: Lake) -> int:
    """Somebody wrote a file in which every temperature is 999."""
    send(lake)
    records = [weather_record("Nuuk", f"2024-02-29T{hour:02d}:00", 999) for hour in range(24)]
    lake.put(BROKEN, *records)
    return fail(lake)


def other_schema(lake: Lake) -> int:
    """A column of the table got another name."""
    send(lake)
    before = rows(lake)
    glue, database = lake.client("glue"), lake.names["database"]
    table = glue.get_table(DatabaseName=database, Name="curated_sensor_readings")["Table"]
    columns = table["StorageDescriptor"]["Columns"]
    next(column for column in columns if column["Name"] == "aqi")["Name"] = "air_quality"
    kept = ("Name", "Description", "Retention", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
    glue.update_table(DatabaseName=database, TableInput={name: table[name] for name in kept if name in table})
    fail(lake)
    return before


def storing_denied(lake: Lake) -> int:
    """The job's role lost the right to put curated objects."""
    send(lake)
    faults.forbid_writing(lake, lake.job, "curated/")
    return fail(lake)


def script_deleted(lake: Lake) -> int:
    """Somebody deleted the job's script."""
    send(lake)
    bucket, key = faults.deployed_script(lake)
    lake.client("s3").delete_object(Bucket=bucket, Key=key)
    return fail(lake)


def written_by_another(lake: Lake) -> int:
    """A run is prepared and cannot publish; then somebody stores a partition file of it with a tool of their own."""
    send(lake)
    denied = {"service": "s3", "action": "CopyObject", "match": "curated/sensor-readings", "times": 0}
    lake.break_aws({**denied, "status": 403, "code": "AccessDenied", "message": "Access Denied"})
    fail(lake)
    lake.break_aws()
    (prepared,) = (each for each in inventory.runs(lake.platform, [READINGS]) if each.status == "PREPARED")
    change = json.loads(lake.read(f"ops/manifests/{READINGS}/{prepared.run_id}.json"))["partition_files"][0]
    current = change["key"] if change["before"] else change["staged"]
    # The same rows, in other bytes; none where there was no file.
    table = parquet.read_table(pa.BufferReader(lake.read(current)))
    sink = pa.BufferOutputStream()
    parquet.write_table(table if change["before"] else table.slice(0, 0), sink, compression="gzip")
    lake.client("s3").put_object(Bucket=lake.bucket, Key=change["key"], Body=sink.getvalue().to_pybytes())
    return fail(lake)


def bad_deployment(lake: Lake) -> int:
    """A release came whose job cannot begin and whose ingest has lost a setting."""
    send(lake)
    faults.deploy_script(lake, "def main(", "raise ImportError('a module that nobody packed')\n\n\ndef main(")
    name = lake.function("batch_ingest")
    settings = lake.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    kept = {key: value for key, value in settings.items() if key != "WRITES"}
    faults.configure(lake, name, Environment={"Variables": kept})
    releases.record(lake.platform, lake.pipeline, datetime.now(UTC))
    require(bool(lake.invoke("batch_ingest", {}).error), "the ingest works without its setting")
    return fail(lake)


def back_and_refreshed(lake: Lake, before: Any) -> str:
    """The job has done its work, and so does the function; then the mended tree was deployed."""
    answer = lake.invoke("batch_ingest", {})
    require(not answer.error, f"the ingest failed: {answer.payload}")
    return refreshed(lake, before)


def refreshed(lake: Lake, before: Any) -> str:
    """Curated has the messages that waited."""
    after = rows(lake)
    require(after > before, f"curated_sensor_readings has {after} rows, as many as before")
    return f"curated_sensor_readings has {after - before} rows more"


def refreshed_without(lake: Lake, before: Any) -> str:
    """The same, and the broken file is not among the raw data, nor lost."""
    require(BROKEN not in lake.objects("raw/weather/"), f"{BROKEN} is still in raw")
    aside = lake.objects("set-aside/")
    require(f"set-aside/{BROKEN}" in aside, f"set-aside/ holds {sorted(aside)}")
    sentence = refreshed(lake, before) if rows(lake) > before else "nothing waited"
    return f"{sentence}; {BROKEN} is set aside"


def _drill(number: str, title: str, inject: Any, blocks: tuple[str, ...], **more: Any) -> Drill:
    return Drill(number, SECTION, title, inject, blocks, more.pop("proof", refreshed), alarms=(ALARM,), **more)


DRILLS = (
    _drill(
        "4a", "no raw data", no_raw_data, ("confirm", "produce", "run", "verify"),
        cleanup=lambda lake, _found: faults.unhide(lake, "raw/weather/"), waits={"run": 120},
    ),
    _drill(
        "4b", "more broken records than the contract tolerates", broken_records, ("confirm", "aside", "run", "verify"),
        proof=refreshed_without, reads={"OBJECT": r"(raw/weather/\S+\.json)"},
        cleanup=lambda lake, _found: lake.client("s3").delete_object(Bucket=lake.bucket, Key=BROKEN),
    ),
    _drill("4c", "table and contract differ", other_schema, ("confirm", "apply", "run", "verify")),
    _drill("4d", "the role may not put curated objects", storing_denied, ("confirm", "apply", "run", "verify")),
    _drill("4e", "the script is gone", script_deleted, ("confirm", "apply", "run", "verify")),
    _drill(
        "4f", "a deployment brought broken code", bad_deployment,
        ("confirm", "releases", "back", "run", "verify", "apply"), proof=back_and_refreshed,
    ),
    _drill(
        "4g", "somebody else wrote a partition file", written_by_another, ("confirm", "abandon", "run", "verify"),
        reads={"DATASET": r"(curated_\w+): OutsideWriter", "RUN": r"after run (\S+) had read it"},
    ),
)  # fmt: skip
