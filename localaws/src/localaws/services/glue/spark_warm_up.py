"""The script of a Glue job that does once what jobs of a lake do, so that Spark loads the classes that they need.

Its arguments: --folder, an S3 location to work in, and --class_path, a file that gets the class path of Spark's JVM.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

LINES = '{"id": "a", "at": "2026-01-01T00:00:00Z", "value": 1.5}\n{"id": "b", "at": "no", "value": 2}\n{"id": 3\n'


def main(folder: str, class_path: Path) -> None:
    """Read, judge, pseudonymise, merge, aggregate, write, read again."""
    spark = SparkSession.builder.getOrCreate()
    jvm: Any = spark._jvm
    class_path.write_text(jvm.java.lang.System.getProperty("java.class.path"), encoding="utf-8")
    write_lines(spark, f"{folder}/raw/lines.gz")
    raw = spark.read.text([f"{folder}/raw/lines.gz"], wholetext=False)
    records = judged(raw).persist()
    records.agg(F.count("*"), F.count(F.when(F.size("reasons") > 0, 1))).collect()
    records.select(F.explode("reasons").alias("reason")).groupBy("reason").count().collect()
    good = sealed(spark, records.filter(F.size("reasons") == 0))
    good.write.mode("overwrite").parquet(f"{folder}/units")
    newest = merged(spark.read.parquet(f"{folder}/units"), good)
    newest.groupBy("unit").agg(F.count("*"), F.max("value"), F.sum("value")).collect()
    in_units = newest.repartition(F.col("unit")).sortWithinPartitions("unit", "id")
    in_units.mapInArrow(counted, "rows long").collect()


def write_lines(spark: SparkSession, location: str) -> None:
    """Put a compressed text object by Spark's own connector."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(location)
    files = path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    stream = jvm.java.util.zip.GZIPOutputStream(files.create(path))
    stream.write(LINES.encode())
    stream.close()


def judged(raw: DataFrame) -> DataFrame:
    """Typed columns, and why a line is not good enough."""
    parsed = F.from_json("value", "id string, at string, value double, _corrupt string", {"mode": "PERMISSIVE"})
    rows = raw.select(F.input_file_name().alias("source"), F.col("value").alias("payload"), parsed.alias("r"))
    typed = rows.select("source", "payload", "r.id", F.to_timestamp("r.at").alias("at"), F.col("r.value"))
    reasons = F.array(F.when(F.col("id").isNull(), "id"), F.when(~F.expr("value between 0 and 2"), "value"))
    return typed.withColumn("reasons", F.array_compact(F.array_distinct(reasons)))


def sealed(spark: SparkSession, rows: DataFrame) -> DataFrame:
    """A hashed and an encrypted column, with a key that is broadcast."""
    keys = F.broadcast(spark.createDataFrame([(b"0123456789abcdef",)], "key binary"))
    token = F.sha2(F.concat(F.col("key"), F.encode("id", "utf-8")), 256)
    payload = F.base64(F.aes_encrypt(F.encode("payload", "utf-8"), F.col("key")))
    unit = F.concat_ws("/", F.date_format("at", "yyyy-MM-dd"), F.date_format("at", "HH"))
    return rows.crossJoin(keys).select(
        "id", "at", "value", token.alias("token"), payload.alias("p"), unit.alias("unit")
    )


def merged(existing: DataFrame, incoming: DataFrame) -> DataFrame:
    """The newest row of each key."""
    order = Window.partitionBy("id").orderBy(F.col("at").desc(), F.col("value").desc())
    rows = existing.withColumn("new", F.lit(0)).unionByName(incoming.withColumn("new", F.lit(1)))
    changed = F.max("new").over(Window.partitionBy("unit"))
    return rows.withColumn("rank", F.row_number().over(order)).withColumn("changed", changed).filter("rank = 1")


def counted(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """Yield the number of rows of each batch."""
    for batch in batches:
        yield pyarrow.RecordBatch.from_pydict({"rows": [batch.num_rows]})


if __name__ == "__main__":
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    main(given["--folder"], Path(given["--class_path"]))
