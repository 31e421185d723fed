"""The lake: a refresh of curated_sensor_readings, as the transform job does it, on a lake of its own in localaws.

``python -m tests.bench.lake_run INPUT HOME``. Marks: ``session`` (Spark is there), ``ready`` (the lake is there, with
its raw objects), ``end`` (the run is committed). localaws is a process outside of the measured ones.
"""

import json
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from glue_jobs.weather_iot import transform
from localaws.client import running
from tests.bench.jvm import variables
from tests.local_aws import LocalAws
from tests.place import MESSAGES, READINGS, Place, lake_of_its_own, refresh

FOLDER = f"{MESSAGES.path}/year=2026/month=11/day=20"


def main(source: str, home: str) -> None:
    """Put the objects, run, and say what is in the table and which calls it took."""
    with running(Path(home)) as found:
        aws = LocalAws(found.home, found.port, found.environment)
        spark = _session(aws, Path(home))
        print("mark session", flush=True)
        with lake_of_its_own(aws, spark) as place:
            for path in sorted(Path(source).iterdir()):
                place.aws.client("s3").upload_file(str(path), place.bucket, f"{FOLDER}/{path.name}")
            before = _calls(aws)
            print("mark ready", flush=True)
            counts = refresh(place.lake, replace(READINGS, tolerance=1.0), MESSAGES, transform.sensor_readings)
            print("mark end", flush=True)
            calls = _calls(aws) - before
            print(
                "result",
                json.dumps({"found": _found(place), "received": counts.received, **_sizes(place), "calls": calls}),
                flush=True,
            )
        spark.stop()


def _session(aws: LocalAws, home: Path) -> SparkSession:
    configuration = home / "spark-conf"
    configuration.mkdir()
    os.environ.update(aws.environment)
    os.environ.update(variables(configuration, aws.endpoint, aws.environment["AWS_REGION"]))
    return SparkSession.builder.getOrCreate()


def _calls(aws: LocalAws) -> Counter[str]:
    """How often each service was called, by its name in IAM actions."""
    found: Counter[str] = Counter()
    for action, number in aws.calls("").items():
        found[action.partition(":")[0]] += number
    return found


def _found(place: Place) -> list[Any]:
    keys = [entry.key for entry in place.lake.storage.list(place.lake.locations[READINGS.name])]
    rows = place.lake.spark.read.parquet(*(f"s3://{place.bucket}/{key}" for key in keys))
    hundredths = rows.select(F.round(F.col("temperature_c") * 100).cast("bigint").alias("t"))
    return list(hundredths.agg(F.count("*"), F.sum("t"), F.min("t"), F.max("t")).first() or [])


def _sizes(place: Place) -> dict[str, int]:
    written = list(place.lake.storage.list(place.lake.locations[READINGS.name]))
    return {"files": len(written), "bytes": sum(entry.size for entry in written)}


if __name__ == "__main__":
    main(*sys.argv[1:])
