"""A transformation with a source makes one row of each record; one that does not is refused before anything runs."""

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lake.records import row_by_row
from lake.records.row_by_row import HIDDEN, TransformationRefused
from tests.place import TARGET

Transformation = Callable[[DataFrame], DataFrame]
LAG = "lag(temperature_c) OVER (PARTITION BY city ORDER BY timestamp)"


@pytest.fixture(scope="module")
def raw(spark: SparkSession) -> DataFrame:
    hidden = ", ".join(f"{name} string" for name in HIDDEN)
    return spark.createDataFrame([], f"city string, timestamp timestamp, temperature_c double, {hidden}")


KEEPING: dict[str, Transformation] = {
    "nothing": lambda raw: raw,
    "a column more": lambda raw: raw.withColumn("fahrenheit", F.col("temperature_c") * 9 / 5 + 32),
    "all and one": lambda raw: raw.select("*", F.lit(1).alias("one")),
    "an alias": lambda raw: raw.alias("raw").withColumnRenamed("city", "town"),
    "a column less": lambda raw: raw.drop("city"),
    "SQL": lambda raw: raw.sparkSession.sql("SELECT *, temperature_c * 2 AS two FROM {raw}", raw=raw),
    "another number of tasks": lambda raw: raw.repartition(3),
    "rows together by a column": lambda raw: raw.repartition("city"),
    "fewer tasks": lambda raw: raw.coalesce(1),
    "an order": lambda raw: raw.orderBy("city"),
    "a hint": lambda raw: raw.hint("broadcast"),
    "a function of Python": lambda raw: raw.withColumn("two", F.udf(lambda value: value, "string")("city")),
}
REFUSED: dict[str, tuple[Transformation, str]] = {
    "an aggregate": (lambda raw: raw.groupBy("city").agg(F.avg("temperature_c")), "row-by-row: .*Aggregate"),
    "an aggregate over date": (lambda raw: raw.groupBy("city", "date").count(), "row-by-row: .*`date`"),
    "a filter": (lambda raw: raw.filter("temperature_c > 0"), "row-by-row: .*Filter.*To reject a record write a rule"),
    "a limit": (lambda raw: raw.limit(1), "row-by-row: .*Limit"),
    "distinct rows": (lambda raw: raw.dropDuplicates(["city"]), "row-by-row: .*Deduplicate"),
    "a join": (lambda raw: raw.join(raw.select("city").alias("other"), "city"), "row-by-row: .*Join"),
    "a union": (lambda raw: raw.unionByName(raw), "row-by-row: .*Union"),
    "more rows": (lambda raw: raw.withColumn("part", F.explode(F.array(F.lit(1), F.lit(2)))), "row-by-row: .*Generate"),
    "a sample": (lambda raw: raw.sample(0.5), "row-by-row: .*Sample"),
    "a window": (lambda raw: raw.withColumn("before", F.expr(LAG)), "row-by-row: .*Window"),
    "a window in SQL": (
        lambda raw: raw.sparkSession.sql("SELECT *, count(*) OVER (PARTITION BY city) AS n FROM {raw}", raw=raw),
        "row-by-row: .*Window",
    ),
    "a value of all rows": (
        lambda raw: raw.sparkSession.sql("SELECT *, (SELECT max(temperature_c) FROM {raw}) AS top FROM {raw}", raw=raw),
        "row-by-row: .*subquery",
    ),
    "other rows altogether": (lambda raw: raw.sparkSession.range(3), "row-by-row: .*Range"),
    "a map over partitions": (
        lambda raw: raw.mapInPandas(lambda batches: batches, raw.schema),
        "row-by-row: .*MapInPandas",
    ),
    "columns that the lake needs": (lambda raw: raw.select("city"), "keeps-columns: .*drops source_object"),
    "one of them": (lambda raw: raw.drop("reasons"), "keeps-columns: .*drops reasons"),
}


@pytest.mark.parametrize("what", KEEPING)
def test_what_makes_one_row_of_each_is_taken(raw: DataFrame, what: str) -> None:
    assert row_by_row.applied(raw, KEEPING[what], TARGET).count() == 0


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_is_refused_by_the_name_of_the_rule(raw: DataFrame, what: str) -> None:
    transformation, said = REFUSED[what]
    with pytest.raises(TransformationRefused, match=f"curated_weather: {said}"):
        row_by_row.applied(raw, transformation, TARGET)
