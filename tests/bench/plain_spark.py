"""A peer: what a Spark script does that somebody writes in an hour. It runs with the Spark of the lake's jobs.

``python -m tests.bench.plain_spark INPUT OUTPUT KIND``; KIND is ``inferred``, ``schema`` or ``distinct``.
"""

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tests.bench.jvm import variables

SCHEMA = (
    "sensor_id string, city string, timestamp timestamp, temperature_c double, humidity_pct double, aqi int, "
    "battery_level double"
)


def main(source: str, target: str, kind: str) -> None:
    """Read, filter, hash and write; then say what was written."""
    # The settings of the lake's jobs, in which the compiler of the JVM and the memory count most; S3 is not asked.
    with TemporaryDirectory() as folder:
        os.environ.update(variables(Path(folder), "http://127.0.0.1:9", "us-east-1"))
        measure(SparkSession.builder.getOrCreate(), source, target, kind)


def measure(spark: SparkSession, source: str, target: str, kind: str) -> None:
    """Do it and print the mark and the result."""
    reader = spark.read if kind == "inferred" else spark.read.schema(SCHEMA)
    rows = curated(reader.json(source))
    if kind == "distinct":
        rows = rows.dropDuplicates(["sensor_id", "timestamp"])
    rows.withColumn("sensor_id", F.sha2("sensor_id", 256)).write.partitionBy("date").parquet(target)
    print("mark end", flush=True)
    hundredths = F.round(F.col("temperature_c") * 100).cast("bigint")
    written = spark.read.parquet(target).select(hundredths.alias("t"))
    row = written.agg(F.count("*"), F.sum("t"), F.min("t"), F.max("t")).first()
    print("result", json.dumps({"found": list(row or [])}), flush=True)
    spark.stop()


def curated(raw: DataFrame) -> DataFrame:
    """Valid rows with a score and a date."""
    score = F.when(F.col("battery_level") >= 50, "PASS").when(F.col("battery_level") >= 20, "WARN").otherwise("FAIL")
    return (
        raw.withColumn("timestamp", F.to_timestamp("timestamp"))
        .filter("sensor_id IS NOT NULL AND temperature_c BETWEEN -50 AND 60 AND humidity_pct BETWEEN 0 AND 100")
        .filter("aqi BETWEEN 0 AND 500")
        .withColumn("quality_score", score)
        .withColumn("date", F.to_date("timestamp"))
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
